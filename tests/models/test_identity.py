import os
import shutil
from pathlib import Path

import pytest

from trivium.errors import ModelError
from trivium.models import identity


@pytest.fixture
def base(random_model: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(random_model, tmp_path / "base"))


def compare(base: Path, trained_on: dict[str, str], built: bool = False) -> None:
    identity.require_same(str(base), base.parent / "cache", trained_on, base.parent / "run", built)


def test_a_copy_of_the_same_files_is_the_same_model(base: Path) -> None:
    trained_on = identity.contents(str(base), base.parent / "cache")
    assert {"config.json", "model.safetensors", "tokenizer.json"} <= trained_on.keys()
    shutil.copytree(base, base.parent / "copy")
    shutil.rmtree(base)
    (base.parent / "copy").rename(base)
    for path in base.iterdir():
        os.utime(path, (1, 1))
    (base / "README.md").write_text("# mine")
    compare(base, trained_on)


@pytest.mark.parametrize("name", ["model.safetensors", "config.json", "tokenizer_config.json", "chat_template.jinja"])
def test_other_contents_are_refused_by_name(base: Path, name: str) -> None:
    trained_on = identity.contents(str(base), base.parent / "cache")
    path = base / name
    before = path.stat() if path.exists() else None
    words = path.read_bytes() if before else b""
    path.write_bytes(words[:-1] + b" ")
    if before:  # neither the size nor the time of the change tells
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    with pytest.raises(ModelError, match=rf"{base} is not the one that .*run was trained on \({name}\): put back"):
        compare(base, trained_on)
    with pytest.raises(ModelError, match="this machine or this version of Trivium builds another; set cache_dir"):
        compare(base, trained_on, built=True)


def test_files_that_were_not_touched_are_read_once(base: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trained_on = identity.contents(str(base), base.parent / "cache")
    monkeypatch.setattr(identity, "file_hash", lambda path: pytest.fail(f"{path} is read again"))
    assert identity.contents(str(base), base.parent / "cache") == trained_on


def test_nothing_is_known_of_a_hub_id_or_of_an_older_run(base: Path) -> None:
    assert identity.contents("owner/name", base.parent / "cache") == {}
    compare(base, {})
