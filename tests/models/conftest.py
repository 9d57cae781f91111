"""MLX computes without compiling in tests: a cold compiler takes longer than they do."""

import os

os.environ["MLX_DISABLE_COMPILE"] = "1"
