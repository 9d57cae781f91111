"""The push to the Hugging Face Hub: cards and weights in one commit, or nothing."""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import orjson

from trivium.artifact import MANIFEST
from trivium.errors import ConfigError, GateError, TriviumError
from trivium.export.card import CARD, evaluated
from trivium.export.card_words import hub_id
from trivium.export.job import Job
from trivium.schema.export import HubExport

if TYPE_CHECKING:
    from huggingface_hub import CommitOperationAdd, HfApi

REPORT = "parity.json"
OTHER = "other"
"""The Hub's identifier of a licence that it does not list."""
_IDENTIFIER = re.compile(r"[a-z0-9][a-z0-9.-]*")


def problems_of_licence(settings: HubExport) -> Iterator[str]:
    """Sentences for a licence that the Hub cannot know, or that is not named."""
    shape = "small letters, digits, . and -"
    if not _IDENTIFIER.fullmatch(settings.license):
        yield (
            f"export.hub.license: set to {settings.license!r}; an identifier of the Hub's has only {shape}, for example "
            "apache-2.0; for a licence that the Hub does not list: other, with export.hub.license_name=…."
        )
    if settings.license_name is not None and settings.license != OTHER:
        yield f"export.hub.license_name goes with export.hub.license={OTHER}; set that, or leave the name out."
    elif settings.license_name is not None and not _IDENTIFIER.fullmatch(settings.license_name):
        yield f"export.hub.license_name: set to {settings.license_name!r}; allowed: {shape}, for example my-licence-1.0."
    elif settings.push and settings.license == OTHER and settings.license_name is None:
        yield (
            f"export.hub.license={OTHER} needs a name for a push: export.hub.license_name=…, or set the weights' licence, for "
            "example export.hub.license=apache-2.0."
        )


def problems(settings: HubExport) -> Iterator[str]:
    """Sentences for cards and a push that cannot be: no licence of the Hub's, no repository, a name that the Hub does not
    allow, no token. Nothing is asked.
    """
    yield from problems_of_licence(settings)
    if not settings.push:
        return
    from huggingface_hub import get_token
    from huggingface_hub.errors import HFValidationError
    from huggingface_hub.utils import validate_repo_id  # type: ignore[attr-defined]

    example = "write owner/name, for example export.hub.repo=my-name/my-model"
    if settings.repo is None or settings.repo.count("/") != 1:
        yield f"export.hub.repo: set to {settings.repo!r}; export.hub.push=true needs a repository: {example}."
    else:
        try:
            validate_repo_id(settings.repo)
        except HFValidationError:
            allowed = "up to 96 letters, digits and - _ . without -- and .."
            yield f"export.hub.repo: set to {settings.repo!r}; allowed are {allowed}: {example}."
    if get_token() is None:
        yield (
            "export.hub.push: there is no token; put one that may write into the environment variable HF_TOKEN, or run "
            "`hf auth login`."
        )


def require_ready(job: Job) -> None:
    """What must hold before a push, found out without asking the Hub.

    Raises `ConfigError` with the `problems`, `GateError` for a model that was not evaluated.
    """
    if found := list(problems(job.config.export.hub)):
        raise ConfigError(found)
    if not evaluated(job) and not job.config.export.force:
        raise GateError(
            "not pushed: the model was not evaluated; run the stage evaluate, or set export.force=true; the card then says so."
        )


def push(job: Job, cards: Path, made: Mapping[str, Path]) -> str:
    """Upload the cards, `export.hub.content` and the parity certificate in one commit; returns the commit's address.

    `cards` is the finished folder of the kind `hub`, `made` holds the one of the content. Parts that the Hub has already are
    not sent again, so that the same call goes on after a failure. Raises `TriviumError` with the way out, and what
    `require_ready` raises.
    """
    from huggingface_hub import HfApi

    require_ready(job)
    settings = job.config.export.hub
    repo, api = str(settings.repo), HfApi(library_name="trivium")
    operations = list(_operations(job, cards, made[settings.content]))
    with _explained(repo, job.folder):
        api.create_repo(repo, private=settings.private, exist_ok=True)
        _require_private(api, repo, settings)
        commit = api.create_commit(
            repo, operations, commit_message=f"{job.config.name}: {settings.content}, exported by Trivium"
        )
    return str(commit.commit_url)


def _require_private(api: "HfApi", repo: str, settings: HubExport) -> None:
    if settings.private and not api.model_info(repo).private:
        raise ConfigError(
            f"export.hub.private: set to true, but {repo} is there already and is public; make it private in its "
            "settings on the Hub, set export.hub.private=false, or give another export.hub.repo."
        )


def _operations(job: Job, cards: Path, content: Path) -> "Iterator[CommitOperationAdd]":
    """One addition for every file, without our manifests and without a card that a library wrote."""
    from huggingface_hub import CommitOperationAdd

    for path in (cards / CARD, cards / "dataset" / CARD):
        yield CommitOperationAdd(path.relative_to(cards).as_posix(), str(path))
    for path in sorted(path for path in content.rglob("*") if path.is_file() and path.name not in (MANIFEST, CARD)):
        yield CommitOperationAdd(path.relative_to(content).as_posix(), str(path))
    if (report := job.folder / REPORT).is_file():
        told = orjson.loads(report.read_bytes()) | {"base": hub_id(job.config) or job.config.model.name}
        yield CommitOperationAdd(REPORT, orjson.dumps(told, option=orjson.OPT_INDENT_2))


@contextmanager
def _explained(repo: str, folder: Path) -> Iterator[None]:
    """Turn what the Hub or the network refuses into one sentence; nothing of the request, and so no token, is in it."""
    from huggingface_hub.errors import HTTPError as TransportError  # type: ignore[attr-defined]

    try:
        yield
    except TriviumError:
        raise
    except (TransportError, OSError, RuntimeError, ValueError) as error:
        if getattr(error, "filename", None):  # this machine's disk
            raise
        kept = f"The export is kept in {folder}; the same command goes on from there."
        raise TriviumError(f"{_reason(error, repo)} {kept}") from error


def _reason(error: Exception, repo: str) -> str:
    from huggingface_hub.errors import OfflineModeIsEnabled

    if isinstance(error, OfflineModeIsEnabled):
        return f"not pushed: HF_HUB_OFFLINE is set; unset it to push to {repo}."
    if (status := _status(error)) is not None:
        return _refusal(status, repo)
    if isinstance(error, RuntimeError | ValueError):
        return f"not pushed to {repo}: {(str(error).splitlines() or [''])[0].rstrip('.')}; push again."
    return "not pushed: the Hub cannot be reached; look at the network and push again."


def _status(error: Exception) -> int | None:
    """The HTTP status behind an error, whichever part of the library raised it; None where there was no answer."""
    from huggingface_hub.errors import HfHubHTTPError

    for one in (error, error.__cause__):  # uploads wrap what the Hub answered
        if isinstance(one, HfHubHTTPError):
            return int(one.response.status_code)
    if isinstance(error, PermissionError):
        return 403
    found = re.search(r"\((\d{3}) [A-Z]", str(error))  # Xet tells it in words
    return int(found[1]) if found else None


def _refusal(status: int, repo: str) -> str:
    owner = repo.split("/")[0]
    sentences = {
        400: f"not pushed: the Hub does not take the files for {repo} (400); look at the front matter of {CARD}.",
        401: "not pushed: the Hub does not accept the token (401); put a valid one into HF_TOKEN, or run `hf auth login`.",
        403: f"not pushed: the token may not write to {repo} (403); give one with write access to {owner}, or another "
        "export.hub.repo.",
        404: f"not pushed: the Hub knows no {repo} that this token may see (404); look at export.hub.repo and at the token.",
        412: f"not pushed: {repo} was changed at the same time (412); push again.",
        429: "not pushed: the Hub asks to wait (429); push again later.",
    }
    return sentences.get(status, f"not pushed: the Hub answered {status}; push again later.")
