"""What is on this machine already and makes a plan exact: prepared data, a tokenizer to count them with."""

from pathlib import Path

from trivium import stages
from trivium.backends.shape import world_size
from trivium.errors import ModelError
from trivium.planner.batch import Data
from trivium.schema import Config, SftMethod


def data_before(config: Config) -> Data | None:
    """The rows of the configured training, where both its data and its model are there; nothing is made or fetched."""
    prepared, base = stages.prepared_before(config), stages.base_before(config)
    return None if prepared is None or base is None else read(config, base, prepared)


def read(config: Config, base: str, prepared: Path) -> Data | None:
    """The rows of prepared data, counted as the training of this process will count them; it is then given the same.

    None where another process trains, or with rewards, whose completions nobody knows before.
    """
    if not isinstance(config.method, SftMethod) or world_size(config.hardware) > 1 or config.backend.name == "unsloth":
        return None
    from trivium.backends.rows import Rows, tokenise
    from trivium.models.load import load_tokenizer

    try:
        tokenizer = load_tokenizer(config.model, base)
    except ModelError:  # the training says it; a plan can do without
        return None
    held_out = prepared / "heldout.jsonl"
    nothing = Rows([], [], [], [])
    return Data(
        tokenise(config, tokenizer, prepared / "train.jsonl"),
        tokenise(config, tokenizer, held_out) if held_out.is_file() else nothing,
    )
