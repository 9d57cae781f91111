"""Where llama.cpp's converter is: a checkout that is named, or a copy unpacked once from its bindings' source release."""

import os
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from trivium.artifact import cached, key_of
from trivium.errors import ConfigError, ModelError
from trivium.export.llama_driver import CONVERTER, LORA_CONVERTER

VARIABLE = "LLAMA_CPP_DIR"
VERSION = "0.3.36"
SHA256 = "832db0699007f1be95a7e41ef12e88926b02ba836461e36a36372db2760c1a2e"
"""Of the source release of llama-cpp-python that carries the converter; the built package does not."""
_INSIDE = ("vendor", "llama.cpp")
_NEEDED = (CONVERTER, LORA_CONVERTER, "conversion", "gguf-py")


def find(cache_dir: Path) -> Path:
    """The folder that holds the converter.

    Raises `ConfigError` when LLAMA_CPP_DIR names another kind of folder, and `ModelError` when the release can neither be
    found in the cache nor fetched.
    """
    named = os.environ.get(VARIABLE)
    if named:
        folder = Path(named).expanduser().resolve()
        if not (folder / CONVERTER).is_file():
            raise ConfigError(
                f"{VARIABLE}={named} holds no {CONVERTER}; set it to the top folder of a checkout of llama.cpp, or leave it "
                "unset: the converter is then fetched once."
            )
        return folder
    folder = (cache_dir / f"llama.cpp-{VERSION}").resolve()
    cached(folder, "llama.cpp", key_of(SHA256, _NEEDED), _fetch)
    return folder


def name() -> str:
    """Which converter is used, without the place it lies in."""
    return VARIABLE if os.environ.get(VARIABLE) else f"llama-cpp-python {VERSION}"


def _fetch(out: Path) -> Mapping[str, Any]:
    downloads = out / "download"
    downloads.mkdir()
    unpack(_download(downloads), out)
    shutil.rmtree(downloads)
    return {"version": VERSION, "sha256": SHA256}


def _download(into: Path) -> Path:
    """The source release, by pip with its own settings (index, proxy, certificates), which checks the hash."""
    wanted = into / "wanted.txt"
    wanted.write_text(f"llama-cpp-python=={VERSION} --hash=sha256:{SHA256}\n", encoding="utf-8")
    choice = ["--no-deps", "--no-binary", "llama-cpp-python", "--require-hashes", "--requirement", str(wanted)]
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", *choice, "--dest", str(into)]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    found = list(into.glob("*.tar.gz"))
    if done.returncode or not found:
        said = [line for line in done.stderr.splitlines() if "error" in line.lower()] or done.stderr.splitlines() or ["-"]
        raise ModelError(
            f"llama.cpp's converter is not here yet and could not be fetched ({said[-1].strip()[:200]}); run once with a "
            f"network and pip, or set {VARIABLE} to a checkout of llama.cpp."
        )
    return found[0]


def unpack(archive: Path, out: Path) -> None:
    """Write the converter's files, and nothing else of the release, into a folder.

    Raises `ModelError` when the archive is damaged or holds no converter.
    """
    try:
        with tarfile.open(archive) as tar:
            for member in tar:
                place = _place(member.name)
                if place is not None and member.isreg():
                    _write(tar, member, out / place)
    except (tarfile.TarError, EOFError) as error:
        raise ModelError(f"{archive.name} is damaged ({error}); remove it from pip's cache and try again.") from error
    if not (out / CONVERTER).is_file():
        raise ModelError(f"{archive.name} holds no {CONVERTER}; set {VARIABLE} to a checkout of llama.cpp.")


def _place(member: str) -> Path | None:
    """Where a member of the archive goes, below the folder; None for one that is not needed or points elsewhere."""
    _, *parts = member.split("/")
    inside = tuple(parts[: len(_INSIDE)]) == _INSIDE
    rest = parts[len(_INSIDE) :]
    if not inside or not rest or rest[0] not in _NEEDED or any(part in ("", ".", "..") for part in rest):
        return None
    return Path(*rest)


def _write(tar: tarfile.TarFile, member: tarfile.TarInfo, target: Path) -> None:
    source = tar.extractfile(member)
    if source is not None:
        target.parent.mkdir(parents=True, exist_ok=True)
        with source, target.open("wb") as file:
            shutil.copyfileobj(source, file)
