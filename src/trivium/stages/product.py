"""What a stage returns, and what the keys of several stages are made of."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trivium.artifact import Manifest, code_hash, file_hash
from trivium.schema import Config


@dataclass(frozen=True)
class Product:
    """What a stage made: a folder, its manifest, and whether it was there already."""

    folder: Path
    manifest: Manifest
    reused: bool

    @property
    def key(self) -> str:
        """The hash of everything that it depends on."""
        return self.manifest.key


def reward_facts(config: Config) -> tuple[Any, ...]:
    """What the values of rewards depend on: terms, models, lexicons, and the code of all of them."""
    reward = config.reward
    named = [value for term in (*reward.terms.values(), reward.gold) for value in term.get("args", {}).values()]
    files = own_files(*(value for value in named if isinstance(value, str)))
    return (
        reward.terms,
        reward.gold,
        reward.shuffle,
        reward.scorers,
        reward.gold_scorers,
        files,
        code_hash("rewards", "scores", "scorers"),
    )


def model_facts(config: Config) -> tuple[Any, ...]:
    """What a model's answers depend on beside its weights."""
    return config.model, own_files(config.model.chat_template or "")


def own_files(*names: str) -> dict[str, str]:
    """Hashes of the files among the names; the others are shipped and part of the code."""
    paths = {name: Path(name).expanduser() for name in names}
    return {name: file_hash(path) for name, path in paths.items() if path.is_file()}
