"""What a notebook carries: Trivium itself, the user's files that the settings name, and the versions of all that is needed."""

import importlib.util
import io
import re
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path, PurePosixPath
from typing import Any

from trivium.compose import conf_dir
from trivium.errors import TriviumError

LIMIT = 20 << 20
"""Bytes of the user's own files that are carried at most; what is beyond is to be uploaded by hand."""
SOURCE = "trivium_source"
"""Folder of the program in the parcel."""
FILES = "files"
"""Folder of those of the user's files that did not lie below the folder of the run."""
_EPOCH = (1980, 1, 1, 0, 0, 0)
_PROGRAMS = ("backend.python",)
"""Settings that name a program of this machine, which no parcel can carry."""
_LEFT_OUT = ("__pycache__", ".pyc")


@dataclass
class Parcel:
    """Contents by their path in the parcel; `moved` are the paths of the settings that have other names there; `wanted` are the
    files and folders that were too large, by their path there, and their size in bytes.
    """

    contents: dict[str, bytes] = field(default_factory=dict)
    moved: dict[str, str] = field(default_factory=dict)
    wanted: dict[str, int] = field(default_factory=dict)

    def rewritten(self, text: str) -> str:
        """A text with the paths that files have in the parcel."""
        for old in sorted(self.moved, key=len, reverse=True):
            text = re.sub(rf"(?<![\w./-]){re.escape(old)}(?![\w-])", lambda _, new=self.moved[old]: new, text)  # type: ignore[misc]
        return text

    def zipped(self) -> bytes:
        """The contents as an archive; the same contents give the same bytes."""
        file = io.BytesIO()
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
            for name in sorted(self.contents):
                about = zipfile.ZipInfo(name, _EPOCH)
                about.compress_type = zipfile.ZIP_DEFLATED
                archive.writestr(about, self.contents[name])
        return file.getvalue()


def pack(settings: Mapping[str, Any]) -> Parcel:
    """Trivium's own source, and the files and folders that settings name."""
    parcel = Parcel(dict(_program()))
    left = LIMIT
    for written, path in named_files(settings).items():
        files = dict(_walk(path))
        size, place = sum(one.stat().st_size for one in files.values()), _place(written, parcel)
        if place != written:
            parcel.moved[written] = place
        if size > left:
            parcel.wanted[place] = size
            continue
        left -= size
        parcel.contents |= {str(PurePosixPath(place) / name): one.read_bytes() for name, one in files.items()}
    return parcel


def named_files(settings: Mapping[str, Any]) -> dict[str, Path]:
    """The files and folders of the user's that stand anywhere in settings, as they are written there."""
    from trivium.summary import flatten

    found: dict[str, Path] = {}
    for key, value in flatten(settings).items():
        for text in _texts(value):
            path = Path(text).expanduser()
            if (key.endswith("path") or re.search(r"[/\\.]", text)) and key not in _PROGRAMS and _exists(path):
                found[text] = path
    return found


def requirements(extra: str) -> list[str]:
    """What Trivium needs, with that extra if there is such a one, each pinned to the version that is installed here."""
    from packaging.requirements import Requirement
    from packaging.version import Version

    try:
        wanted = [Requirement(text) for text in metadata.requires("trivium") or ()]
    except metadata.PackageNotFoundError:
        raise TriviumError("export.notebook: Trivium is not installed as a package; install it with pip first.") from None
    needed = [one.name for one in wanted if one.marker is None or any(one.marker.evaluate({"extra": e}) for e in ("", extra))]
    return [f"{name}=={Version(metadata.version(name)).public}" for name in dict.fromkeys(needed)]


def _program() -> Iterator[tuple[str, bytes]]:
    """The package, its vocabulary and its plug-in for Hydra, as they lie in a checkout."""
    package = Path(__file__).resolve().parents[1]
    plugin = importlib.util.find_spec("hydra_plugins.trivium_sweeper")
    roots = {"src/trivium": package, "conf": conf_dir()}
    if plugin is not None and plugin.submodule_search_locations:
        roots["src/hydra_plugins/trivium_sweeper"] = Path(plugin.submodule_search_locations[0])
    for place, root in roots.items():
        for name, path in _walk(root):
            if not (place == "src/trivium" and name.startswith("conf/")):
                yield f"{SOURCE}/{place}/{name}", path.read_bytes()
    for licence in metadata.files("trivium") or ():
        if licence.name == "LICENSE":
            yield f"{SOURCE}/LICENSE", licence.read_binary()


def _walk(root: Path) -> Iterator[tuple[str, Path]]:
    """Files below a folder, or the file itself under an empty name."""
    if root.is_file():
        yield "", root
        return
    for path in sorted(root.rglob("*")):
        name = path.relative_to(root).as_posix()
        if path.is_file() and not any(part in name for part in _LEFT_OUT):
            yield name, path


def _place(written: str, parcel: Parcel) -> str:
    """Where a file lies in the parcel: as before where that is below the run's folder, else below `files`."""
    plain = PurePosixPath(Path(written).as_posix())
    if not plain.is_absolute() and not plain.parts[0].startswith("~") and ".." not in plain.parts:
        return written
    taken = {*parcel.moved.values()}
    name = plain.name or "folder"
    return next(
        place for i in range(len(taken) + 1) if (place := f"{FILES}/{i}_{name}" if i else f"{FILES}/{name}") not in taken
    )


def _texts(value: Any) -> Iterator[str]:
    """The texts in a setting; words of an arm count by their values."""
    if isinstance(value, str):
        yield value
        if "=" in value:
            yield from (part.strip("'\" ") for part in value.split("=", 1)[1].strip("[]").split(","))
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item)


def _exists(path: Path) -> bool:
    """Whether it is a file, or a folder that does not hold the one that we are in."""
    try:
        return path.is_file() or (path.is_dir() and not Path.cwd().is_relative_to(path.resolve()))
    except OSError:  # a text that is too long for a name
        return False
