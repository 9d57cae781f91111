"""Whether a local base model still is the one that something was trained on, by the contents of its files."""

from collections.abc import Mapping
from fnmatch import fnmatch
from pathlib import Path

from trivium.artifact import cached, file_hash, key_of
from trivium.errors import ModelError


def contents(path: str, cache: Path) -> dict[str, str]:
    """sha256 (hex) of the files that a model directory consists of, by name; none of a hub id.

    Files that have neither been changed nor moved since are hashed once; what was found is kept below `cache`.
    """
    from trivium.models.merge import TAKEN

    folder = Path(path).expanduser()
    names = sorted(p for p in folder.glob("*") if p.is_file() and any(fnmatch(p.name, pattern) for pattern in TAKEN))
    stats = {p.name: p.stat() for p in names}
    key = key_of(folder.resolve(), {name: (s.st_size, s.st_mtime_ns, s.st_ctime_ns) for name, s in stats.items()})
    found, _ = cached(cache / "bases" / key, "base", key, lambda _: {p.name: file_hash(p) for p in names})
    return found.metrics


def require_same(path: str, cache: Path, trained_on: Mapping[str, str], run: Path, built: bool) -> None:
    """Raise `ModelError` unless the model in `path` has the `contents` that a run was trained on, as far as they are known.

    `built` tells that the model is not the user's own.
    """
    now = contents(path, cache) if trained_on else {}
    if not (other := sorted(name for name in {*trained_on, *now} if trained_on.get(name) != now.get(name))):
        return
    way = (
        "this machine or this version of Trivium builds another; set cache_dir to that of the run, or train again"
        if built
        else "put back what was there, or train again"
    )
    raise ModelError(f"the base model in {path} is not the one that {run} was trained on ({', '.join(other)}): {way}.")
