"""A base model without a chat template is found out before anything is prepared for it."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from trivium.errors import ConfigError
from trivium.models.load import load_tokenizer, require_chat_template
from trivium.schema import Config, ModelConfig


@pytest.fixture
def bare(random_model: Path, tmp_path: Path) -> Path:
    """A model's folder without its template."""
    folder = shutil.copytree(random_model, tmp_path / "bare")
    (folder / "chat_template.jinja").unlink()
    return folder


def test_it_is_told_with_the_other_problems(bare: Path, config_of: Callable[..., Config]) -> None:
    with pytest.raises(ConfigError, match=r"model\.path: .*bare: the tokenizer has no chat template; .*model\.chat_template="):
        config_of("model=hf", f"model.path={bare}")
    (bare.parent / "own.jinja").write_text("{{ messages }}")
    config_of("model=hf", f"model.path={bare}", f"model.chat_template={bare.parent}/own.jinja")


def in_settings(folder: Path, template: object) -> None:
    path = folder / "tokenizer_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"chat_template": template}))


PLACES: dict[str, Callable[[Path], object]] = {
    "a file": lambda folder: (folder / "chat_template.jinja").write_text("{{ messages }}"),
    "the settings": lambda folder: in_settings(folder, "{{ messages }}"),
    "several in the settings": lambda folder: in_settings(folder, [{"name": "default", "template": "{{ messages }}"}]),
}


@pytest.mark.parametrize("place", PLACES)
def test_it_is_found_wherever_transformers_finds_it(place: str, bare: Path) -> None:
    PLACES[place](bare)
    require_chat_template(str(bare))
    assert load_tokenizer(ModelConfig(), str(bare)).chat_template
