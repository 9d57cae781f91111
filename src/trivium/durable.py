"""What is to survive a kill at any instant, also of the machine: written, forced to disk, and only then given its name.

A file or folder under way has a name of its own beside its place, `.<name>.<8 hex digits>.tmp`; a folder that gives way to
another is `.<name>.<8 hex digits>.old` meanwhile. `recover` clears up what a kill left of them.
"""

import contextlib
import errno
import os
import re
import shutil
import uuid
from pathlib import Path

_LEFT = re.compile(r"\.(?P<name>.+)\.[0-9a-f]{8}\.(?P<kind>tmp|old)")
_UNABLE = (errno.EINVAL, errno.ENOTSUP, errno.EBADF)


def under_way(place: Path, kind: str = "tmp") -> Path:
    """A name of its own for something that is not in its place yet (`tmp`) or not any more (`old`)."""
    return place.with_name(f".{place.name}.{uuid.uuid4().hex[:8]}.{kind}")


def force(path: Path) -> None:
    """Return when a file's bytes, or the names in a folder, are on the disk; a folder's where the file system can do that."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno not in _UNABLE or not path.is_dir():
            raise
    finally:
        os.close(handle)


def force_tree(folder: Path) -> None:
    """`force` for a folder and all that is below it."""
    for path in [*folder.rglob("*"), folder]:
        force(path)


def write_text(path: Path, text: str) -> None:
    """Write a file in one step: a reader, also after a power cut, sees the old file or the whole new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = under_way(path)
    try:
        temporary.write_text(text, encoding="utf-8")
        force(temporary)
        os.replace(temporary, path)
        force(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


def put(made: Path, place: Path) -> None:
    """Move a folder, whose files are forced to disk first, into its place; one already there is removed last."""
    force_tree(made)
    aside = under_way(place, "old")
    if place.exists():
        os.replace(place, aside)
    os.replace(made, place)
    force(place.parent)
    shutil.rmtree(aside, ignore_errors=True)


def recover(folder: Path) -> None:
    """Clear up after a kill: what was half written goes, what was moved aside and has no successor comes back.

    Only for a folder that no other process writes into.
    """
    left = [(path, match) for path in folder.glob(".*") if (match := _LEFT.fullmatch(path.name))]
    for path, match in left:
        place = folder / match["name"]
        if match["kind"] == "old" and not place.exists():
            with contextlib.suppress(FileNotFoundError):
                os.replace(path, place)
        elif path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
