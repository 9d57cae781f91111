"""Where YAML files lie."""

import os
from pathlib import Path

import pytest

from trivium.data.yamlfile import located, shipped
from trivium.scores.lexicon import SHIPPED


def test_a_shipped_name_is_the_file_that_comes_along(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "general").write_text("own")
    assert "general" in shipped(SHIPPED)
    assert located("general", SHIPPED) == (SHIPPED / "general.yaml", 0)


def test_a_changed_file_of_ones_own_is_told_by_its_time(tmp_path: Path) -> None:
    own = tmp_path / "own.yaml"
    assert located(str(own), SHIPPED) == (own, 0)
    own.write_text("name: own")
    os.utime(own, ns=(5, 5))
    assert located(str(own), SHIPPED) == (own, 5)


def test_the_home_folder_may_be_written_short(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert located("~/own.yaml", SHIPPED)[0] == tmp_path / "own.yaml"
