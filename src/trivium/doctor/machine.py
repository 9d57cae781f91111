"""The machine: accelerator, driver and PyTorch's view of them, memory, disk, and where files may be written."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from trivium import tiers
from trivium.doctor.finding import ABSENT, FAIL, OK, WARN, Finding
from trivium.hardware import GB, detect
from trivium.schema import Config

ENOUGH_DISK, LEAST_DISK = 10, 1
"""GB of free disk below which a run may end for want of it, and below which it will."""
LEAST_MEMORY = 2
"""GB of free memory below which even the embedded default is at risk."""
_BUILDS = {"nvidia": "CUDA", "amd": "ROCm", "apple": "macOS on arm64"}


def accelerator(config: Config) -> Iterator[Finding]:
    """What is there, which tier suits it, and whether it is what the configuration is for."""
    machine = tiers.machine_for(config)
    driver = f", driver {machine.driver}" if machine.driver else ""
    yield Finding(
        "accelerator",
        OK if machine.vendor else ABSENT,
        f"{machine}{driver}; it suits hardware={tiers.choose(machine).tier}",
    )
    for problem in tiers.problems_on(machine, config):
        found, _, remedy = problem.partition("; ")
        yield Finding("hardware", FAIL, found, remedy)


def pytorch(config: Config) -> Iterator[Finding]:
    """Which build it is, and whether it sees what the system has."""
    import torch

    built_for = f"CUDA {torch.version.cuda}" if torch.version.cuda else f"ROCm {torch.version.hip}" if torch.version.hip else ""
    seen = [name for name, there in (("cuda", torch.cuda.is_available()), ("mps", torch.backends.mps.is_available())) if there]
    machine, device = detect(), config.hardware.device
    detail = f"{torch.__version__}{f' for {built_for}' if built_for else ''}, sees {', '.join([*seen, 'cpu'])}"
    wanted = {machine.device, device} - {"cpu", *seen}
    if not wanted:
        yield Finding("PyTorch", OK, detail)
        return
    build = _BUILDS.get(machine.vendor or config.hardware.vendor or "", "the device")
    unseen = f"{detail}; hardware.device={device}" if device in wanted else f"{detail}; not the {machine.name}"
    remedy = f"install the build of PyTorch for {build} and its driver, or set hardware=cpu."
    yield Finding("PyTorch", FAIL if device in wanted else WARN, unseen, remedy)


def precision(config: Config) -> Iterator[Finding]:
    """Whether the card computes in the type that is asked for, or only imitates it."""
    import torch

    if config.hardware.device == "cuda" and config.hardware.dtype == "bfloat16" and torch.cuda.is_available():
        native = torch.cuda.is_bf16_supported(including_emulation=False)
        detail = "bfloat16 is computed natively" if native else "bfloat16 is only imitated by this card"
        remedy = "" if native else "set hardware.dtype=float16 with an adapter, or float32."
        yield Finding("precision", OK if native else WARN, detail, remedy)


def memory(config: Config) -> Iterator[Finding]:
    """Main memory, all and free."""
    machine, free = detect(), _free_memory()
    told = f", {free:.1f} GB free" if free is not None else ""
    short = free is not None and free < LEAST_MEMORY
    remedy = "close what holds it; with less, trainings are killed without a word." if short else ""
    yield Finding("memory", WARN if short else OK, f"{machine.ram_bytes / GB:.1f} GB{told}, {machine.cores} cores", remedy)


def _free_memory() -> float | None:
    """GB that Linux could give; None where it cannot be told."""
    try:
        lines = Path("/proc/meminfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return None
    found = next((line.split()[1] for line in lines if line.startswith("MemAvailable:")), None)
    return int(found) * 1024 / GB if found else None


def disk(config: Config) -> Iterator[Finding]:
    """Room for what runs write, each file system once."""
    told = set()
    for place in _written(config):
        there = _existing(place)
        device = there.stat().st_dev
        if device not in told:
            told.add(device)
            yield _room(place, shutil.disk_usage(there).free / GB)


def _room(place: Path, free: float) -> Finding:
    status = OK if free >= ENOUGH_DISK else WARN if free >= LEAST_DISK else FAIL
    remedy = "" if status == OK else "free some space, or write elsewhere (hydra.run.dir=…, cache_dir=…)."
    return Finding("disk", status, f"{free:.1f} GB free for {place}", remedy)


def write_access(config: Config) -> Iterator[Finding]:
    """Whether files can be made where runs write; nothing is left there."""
    places = _written(config)
    failures = [(place, error) for place in places if (error := _cannot_write(place))]
    for place, error in failures:
        remedy = "make it writable, or write elsewhere (hydra.run.dir=…, cache_dir=…, tracking.uri=…)."
        yield Finding("write access", FAIL, f"{place}: {error}", remedy)
    if not failures:
        yield Finding("write access", OK, ", ".join(str(place) for place in places))


def _cannot_write(place: Path) -> str | None:
    """Why no file can be made in a folder, or in the one that it would be made in."""
    there = _existing(place)
    try:
        with tempfile.TemporaryFile(dir=there):
            return None
    except OSError as error:
        return (error.strerror or str(error)).lower()


def _written(config: Config) -> list[Path]:
    """Folders that runs write into."""
    from trivium.tracking.store import database

    places = [Path("outputs"), Path(config.cache_dir).expanduser()]
    file = database(config.tracking.uri) if config.tracking.name == "mlflow" else None
    if file is not None and file.parent not in places:
        places.append(file.parent)
    return places


def _existing(place: Path) -> Path:
    """A folder, or the nearest one above it that is there."""
    return next(p for p in (place.absolute(), *place.absolute().parents) if os.path.lexists(p))
