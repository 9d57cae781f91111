"""llama.cpp from outside: its converter and quantiser in processes of their own, and its runtime as a certificate asks it."""

from trivium.export.llama.runtime import LlamaRuntime as LlamaRuntime
from trivium.export.llama.runtime import opened as opened
