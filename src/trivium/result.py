"""`result.json`: what others script against. Rewritten whole after every stage, so a crash loses nothing."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from trivium.artifact import write_json
from trivium.errors import GateError, Pruned

FINISHED = ("ok", "gate_failed")
"""Statuses of a run that has been through what it was to do."""


def status_of(error: BaseException) -> str:
    """What a run that ends with this error is called."""
    return "pruned" if isinstance(error, Pruned) else "gate_failed" if isinstance(error, GateError) else "failed"


def words_of(error: BaseException) -> str:
    """An error in a sentence, as far as it has one."""
    return "interrupted" if isinstance(error, KeyboardInterrupt) else str(error) or type(error).__name__


@dataclass
class Result:
    """A run's outcome: `status` is ok, failed, pruned or gate_failed (running while it lasts); `metrics` is flat."""

    task: str
    name: str
    status: str = "running"
    mlflow_run_id: str | None = None
    error: str | None = None
    stages: dict[str, dict[str, Any]] = field(default_factory=dict)
    metrics: dict[str, float] = field(default_factory=dict)
    verdicts: dict[str, str] = field(default_factory=dict)

    @classmethod
    def taken_up(cls, out: Path) -> "Result":
        """The result of a finished run in `out`, to be added to; how it ended stays, unless its export was what failed."""
        found = cls(**json.loads((out / "result.json").read_text(encoding="utf-8")))
        if found.status != "ok" and (found.status not in FINISHED or found._failed_export()):
            found.status, found.error = "running", None
        return found

    def _failed_export(self) -> bool:
        return self.stages.get("export", {}).get("status") == "failed"

    def stage(self, name: str, status: str, seconds: float, manifest: Path | None = None, error: str | None = None) -> None:
        """Note a stage: `status` is done, reused, skipped, pruned or failed, the last two with what ended it."""
        self.stages[name] = {
            "status": status,
            "seconds": round(seconds, 3),
            "manifest": str(manifest) if manifest else None,
            **({"error": error} if error else {}),
        }

    def add(self, metrics: Mapping[str, float], prefix: str = "") -> None:
        """Add metrics under a prefix."""
        self.metrics.update({prefix + key: value for key, value in metrics.items()})

    def made_in(self, stage: str) -> Path | None:
        """The folder that a stage made, as far as it is still there."""
        manifest = self.stages.get(stage, {}).get("manifest")
        return Path(manifest).parent if manifest and Path(manifest).is_file() else None

    def of_arm(self, name: str) -> dict[str, float]:
        """The metrics of one arm, without their prefix."""
        prefix = f"arms/{name}/"
        return {key.removeprefix(prefix): value for key, value in self.metrics.items() if key.startswith(prefix)}

    def of_run(self) -> dict[str, float]:
        """The metrics that are no arm's."""
        return {key: value for key, value in self.metrics.items() if not key.startswith("arms/")}

    def write(self, out: Path) -> None:
        """Write `<out>/result.json` in one step."""
        write_json(out / "result.json", asdict(self))
