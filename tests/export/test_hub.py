"""The push, against a server that speaks the Hub's part of it: one commit or none, no token in any word, and the way out."""

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.export.finished import METRICS, SMALL_WORLD, job_of
from tests.export.local_hub import TOKEN, LocalHub, Repo

from trivium.artifact import MANIFEST, cached, write_json
from trivium.errors import ConfigError, GateError, TriviumError
from trivium.export import card, hub
from trivium.export.job import Job
from trivium.export.kinds import hub as kind
from trivium.schema import Config

WEIGHTS = b"weights" * 1000


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[LocalHub]:
    from huggingface_hub import constants

    local = LocalHub()
    monkeypatch.setattr(constants, "ENDPOINT", local.url)
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "no_token"))
    monkeypatch.delenv("HUGGING_FACE_HUB_TOKEN", raising=False)
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    yield local
    local.close()


@pytest.fixture
def job(config_of: Callable[..., Config], tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Job]:
    cache = tmp_path_factory.getbasetemp() / "prepared_once"

    def make(*overrides: str, **changes: Any) -> Job:
        push = ("export=[hub]", "export.hub.push=true", "export.hub.repo=me/it", "export.hub.license_name=mine-1.0")
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("HF_TOKEN", TOKEN)  # without one the configuration is refused already
            config = config_of("arms=null", f"cache_dir={cache}", *SMALL_WORLD, *push, *overrides)
        return job_of(config, tmp_path, **changes)

    return make


def pushed(job: Job) -> str:
    """Make the cards and an adapter, and push them."""
    made = {"adapter": job.folder / "adapter", "hub": job.folder / "hub"}
    made["adapter"].mkdir(parents=True, exist_ok=True)
    (made["adapter"] / "adapter_model.safetensors").write_bytes(WEIGHTS)
    (made["adapter"] / "adapter_config.json").write_text(json.dumps({"base_model_name_or_path": "tiny", "r": 4}))
    (made["adapter"] / "README.md").write_text("a card that a library wrote")
    write_json(made["adapter"] / MANIFEST, {})
    write_json(job.folder / "parity.json", {"passed": True, "base": "/home/me/base"})
    cached(made["hub"], "export", "key", lambda out: kind.make(job, out, made))
    return hub.push(job, made["hub"], made)


def test_cards_weights_and_certificate_go_in_one_commit(server: LocalHub, job: Callable[..., Job]) -> None:
    assert pushed(job()) == f"{server.url}/me/it/commit/1"
    repo = server.repos["me/it"]
    assert repo.private and len(repo.commits) == 1
    files = repo.commits[0]
    assert set(files) == {"README.md", "dataset/README.md", "adapter_model.safetensors", "adapter_config.json", "parity.json"}
    assert files["adapter_model.safetensors"] == WEIGHTS
    assert b"eval/source_preference" in files["README.md"]
    assert b"license: other\n" in files["README.md"] and b"license_name: mine-1.0\n" in files["README.md"]


def test_no_folder_of_this_machine_is_uploaded(server: LocalHub, job: Callable[..., Job], tmp_path: Path) -> None:
    pushed(job())
    files = server.repos["me/it"].commits[0]
    assert json.loads(files["parity.json"])["base"] == "tiny"
    assert not [name for name, data in files.items() if b"/home" in data or str(tmp_path).encode() in data]
    assert not [name for name, data in files.items() if TOKEN.encode() in data]


def test_a_second_push_sends_no_weights_again(server: LocalHub, job: Callable[..., Job]) -> None:
    server.refuse["/commit/"] = 500
    with pytest.raises(TriviumError, match="answered 500"):
        pushed(job())
    assert not server.repos["me/it"].commits
    assert len([asked for asked in server.asked if asked.startswith("PUT")]) == 1
    server.refuse.clear()
    pushed(job())
    assert len(server.repos["me/it"].commits) == 1
    assert len([asked for asked in server.asked if asked.startswith("PUT")]) == 1


@pytest.mark.parametrize(
    ("where", "status", "words"),
    [
        ("/repos/create", 401, "HF_TOKEN"),
        ("/repos/create", 403, "may not write to me/it"),
        ("/preupload/", 403, "may not write to me/it"),
        ("/preupload/", 404, "knows no me/it"),
        ("/blob/", 403, "may not write to me/it"),
        ("/commit/", 401, "HF_TOKEN"),
        ("/commit/", 412, "changed at the same time"),
        ("/commit/", 429, "asks to wait"),
        ("/commit/", 400, "front matter"),
    ],
)
def test_what_the_hub_refuses_is_one_sentence(
    server: LocalHub, job: Callable[..., Job], where: str, status: int, words: str
) -> None:
    server.refuse[where] = status
    if where == "/repos/create":
        server.refuse["/api/models/"] = status
    with pytest.raises(TriviumError, match=words) as caught:
        pushed(job())
    assert "\n" not in str(caught.value) and TOKEN not in str(caught.value) and "is kept in" in str(caught.value)
    assert not any(repo.commits for repo in server.repos.values())


@pytest.mark.parametrize(("status", "words"), [(401, "does not accept the token"), (403, "may not write to me/it")])
def test_a_refusal_by_the_other_way_of_uploading(
    server: LocalHub, job: Callable[..., Job], monkeypatch: pytest.MonkeyPatch, status: int, words: str
) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", False)
    server.refuse["xet-write-token"] = status
    with pytest.raises(TriviumError, match=words) as caught:
        pushed(job())
    assert TOKEN not in str(caught.value) and not server.repos["me/it"].commits


def test_a_wrong_token_is_not_shown(server: LocalHub, job: Callable[..., Job], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_wrongOne")
    with pytest.raises(TriviumError, match="does not accept the token") as caught:
        pushed(job())
    assert "hf_wrongOne" not in str(caught.value)


def test_a_hub_that_is_not_there(server: LocalHub, job: Callable[..., Job], monkeypatch: pytest.MonkeyPatch) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(TriviumError, match="cannot be reached"):
        pushed(job())
    monkeypatch.setattr(constants, "ENDPOINT", server.url)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(TriviumError, match="HF_HUB_OFFLINE"):
        pushed(job())


def test_without_a_token_nothing_is_asked(server: LocalHub, job: Callable[..., Job], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HF_TOKEN")
    with pytest.raises(ConfigError, match="hf auth login"):
        pushed(job())
    assert not list(hub.problems(replace(job().config.export.hub, push=False, repo=None)))
    assert not server.asked


def test_an_unevaluated_model_is_not_pushed_unless_forced(server: LocalHub, job: Callable[..., Job]) -> None:
    with pytest.raises(GateError, match=r"export\.force=true"):
        pushed(job(metrics={}, verdicts={}))
    assert not server.asked
    pushed(job("export.force=true", metrics={}, verdicts={}))
    assert b"was not evaluated" in server.repos["me/it"].commits[0]["README.md"]


def test_a_public_repository_gets_nothing_private(server: LocalHub, job: Callable[..., Job]) -> None:
    server.repos["me/it"] = Repo(private=False)
    with pytest.raises(ConfigError, match=r"export\.hub\.private=false"):
        pushed(job())
    assert not server.repos["me/it"].commits
    pushed(job("export.hub.private=false"))
    assert server.repos["me/it"].commits


@pytest.mark.parametrize("repo", ["null", "it", "a/b/c", "me/..", "me/a--b", "'me/with space'", "'me/'", "me/x.git"])
def test_a_bad_repository_is_told_before_anything_is_made(server: LocalHub, job: Callable[..., Job], repo: str) -> None:
    with pytest.raises(ConfigError, match=r"export\.hub\.repo"):
        kind.needs(job(f"export.hub.repo={repo}").config.export)


def test_what_is_pushed_is_made_and_cards_alone_need_nothing(
    server: LocalHub, job: Callable[..., Job], monkeypatch: pytest.MonkeyPatch
) -> None:
    made = job("export.hub.content=merged")
    assert kind.needs(made.config.export) == ("merged",)
    monkeypatch.delenv("HF_TOKEN")
    with pytest.raises(ConfigError, match="HF_TOKEN"):
        kind.needs(made.config.export)
    settings = replace(made.config.export, hub=replace(made.config.export.hub, push=False, repo=None))
    assert kind.needs(settings) == ()


def test_metrics_without_a_base_are_no_evaluation(job: Callable[..., Job]) -> None:
    assert card.evaluated(job(metrics=METRICS)) and not card.evaluated(job(metrics={"train/loss": 1.0}))
