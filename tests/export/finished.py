"""A finished run to write papers about: its settings, some figures, prepared data."""

from pathlib import Path
from typing import Any

from trivium import stages
from trivium.console import Screen
from trivium.export.job import Job
from trivium.schema import Config

SMALL_WORLD = tuple(f"dataset.world.{key}=8" for key in ("disputed", "coordinated_only", "corrected"))


def figure(name: str, value: float, base: float, half: float = 0.05) -> dict[str, float]:
    """A metric as an evaluation reports it, with its intervals."""
    change = value - base
    return {
        name: value,
        f"{name}_ci_low": value - half,
        f"{name}_ci_high": value + half,
        f"{name}_base": base,
        f"{name}_delta": change,
        f"{name}_delta_ci_low": change - half,
        f"{name}_delta_ci_high": change + half,
    }


METRICS = figure("eval/source_preference", 0.71, 0.12) | figure("eval/coordinated_recall", 0.9375, 0.5)
VERDICTS = {"eval/source_preference": "good", "eval/coordinated_recall": "excellent"}


def job_of(config: Config, folder: Path, **changes: Any) -> Job:
    """A run in `folder` with data prepared for it."""
    prepared = stages.prepare(config, Screen()).folder
    told = {"metrics": METRICS, "verdicts": VERDICTS, "run_id": "a1b2c3", "prepared": prepared, **changes}
    return Job(config, "the/base", folder / "run", folder / "run" / "export", Screen(), **told)
