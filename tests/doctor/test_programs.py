import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from trivium.doctor import programs
from trivium.doctor.finding import ABSENT, FAIL, OK, WARN, Finding
from trivium.models import mlx
from trivium.schema import Config

ConfigOf = Callable[..., Config]


def found(check: Callable[[Config], object], config: Config) -> dict[str, Finding]:
    return {finding.name: finding for finding in check(config)}  # type: ignore[attr-defined]


def test_embedded_scorers_need_nothing(config_of: ConfigOf) -> None:
    assert found(programs.scorers, config_of())["scorers"].status == OK


def test_scorers_that_are_named_are_looked_for(config_of: ConfigOf, tmp_path: Path) -> None:
    paths = {"syntax": "en_nosuch_sm", "embeddings": "owner/nosuch", "nli": str(tmp_path)}
    told = found(programs.scorers, config_of(*(f"reward.scorers.{name}.path={path}" for name, path in paths.items())))
    assert told["scorers.syntax"].status == FAIL and "spacy download en_nosuch_sm" in told["scorers.syntax"].remedy
    assert told["scorers.embeddings"].status == WARN and "fetched by the first run" in told["scorers.embeddings"].remedy
    assert told["scorers.nli"].status == FAIL and "has no config.json" in told["scorers.nli"].detail
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "model.safetensors").write_text("")
    assert found(programs.scorers, config_of(f"reward.scorers.nli.path={tmp_path}"))["scorers.nli"].status == OK


def test_llama_cpp_fails_only_where_something_is_exported_for_it(
    config_of: ConfigOf, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(programs, "version", lambda name: None)
    cache = f"cache_dir={tmp_path}"
    told = found(programs.llama_cpp, config_of(cache))
    assert told["llama.cpp"].status == told["llama.cpp converter"].status == ABSENT
    config = config_of(cache)
    config.export.gguf.enabled = True
    assert found(programs.llama_cpp, config)["llama.cpp"].status == FAIL


def test_a_backend_that_is_asked_for_and_missing_fails(config_of: ConfigOf, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mlx, "installed", lambda: False)
    config = config_of("backend.python=nosuch/python")
    assert found(programs.mlx, config)["MLX"].status == found(programs.unsloth, config)["Unsloth"].status == ABSENT
    config.backend.name = "mlx"
    assert found(programs.mlx, config)["MLX"].status == FAIL
    config.backend.name = "unsloth"
    assert found(programs.unsloth, config)["Unsloth"].status == FAIL
    assert "make unsloth" in found(programs.unsloth, config)["Unsloth"].remedy


def test_an_interpreter_without_unsloth_is_no_environment_of_it(config_of: ConfigOf) -> None:
    told = found(programs.unsloth, config_of(f"backend.python={sys.executable}"))["Unsloth"]
    assert told.status in (ABSENT, OK) and (told.status == OK or "has no Unsloth" in told.detail)


def test_ollama_is_told_by_its_version(config_of: ConfigOf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert found(programs.ollama, config_of())["Ollama"].status == ABSENT
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}/bin:/usr/bin")
    for script, status in (("echo ollama version is 0.9", OK), ("echo broken >&2; exit 3", WARN)):
        (tmp_path / "ollama").write_text(f"#!/bin/sh\n{script}\n")
        (tmp_path / "ollama").chmod(0o755)
        told = found(programs.ollama, config_of())["Ollama"]
        assert told.status == status and told.detail in ("ollama version is 0.9", "broken")
