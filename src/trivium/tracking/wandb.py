"""Weights & Biases."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from trivium.errors import TrackingError
from trivium.schema import WandbTracking
from trivium.tracking.tracker import Tracker


class WandbTracker:
    """A Weights & Biases run; in offline mode nothing leaves the machine."""

    def __init__(self, tracking: WandbTracking, name: str, out: Path, group: str | None = None) -> None:
        import wandb

        self._wandb, self._tracking, self._name = wandb, tracking, name
        settings = wandb.Settings(silent=True, disable_git=True, console="off")
        out.mkdir(parents=True, exist_ok=True)
        mode: Any = tracking.mode
        self._run: Any = wandb.init(
            project=tracking.project,
            name=name,
            group=group or name,
            dir=str(out),
            mode=mode,
            settings=settings,
            reinit="create_new",
        )
        self.run_id: str | None = None

    def params(self, values: Mapping[str, Any]) -> None:
        """The run's configuration."""
        self._run.config.update(dict(values), allow_val_change=True)

    def tag(self, name: str, value: str) -> None:
        """A tag of the run, and a summary entry."""
        self._run.tags = (*(self._run.tags or ()), name)
        self._run.summary[name] = value

    def metrics(self, values: Mapping[str, float], step: int | None = None) -> None:
        """At a step, a line of the history; without one, summary entries."""
        if step is None:
            self._run.summary.update(dict(values))
        else:
            self._run.log({**values, "step": step})

    def table(self, name: str, columns: Mapping[str, list[Any]], step: int) -> None:
        """A W&B table."""
        rows = [list(row) for row in zip(*columns.values(), strict=True)]
        self._run.log({name: self._wandb.Table(columns=list(columns), data=rows), "step": step})

    def dataset(self, name: str, digest: str, source: str, context: str) -> None:
        """A configuration entry with the digest."""
        self._run.config.update({f"dataset/{name}": {"digest": digest, "source": source, "context": context}})

    def artifact(self, path: Path) -> None:
        """Nothing: files stay in the run directory."""

    def child(self, name: str, out: Path) -> "Tracker":
        """A run of its own in the same group."""
        return WandbTracker(self._tracking, name, out, group=self._name)

    def finish(self, status: str) -> None:
        """End the run."""
        self._run.summary["status"] = status
        self._run.finish(exit_code=0 if status == "ok" else 1)


def open_wandb(tracking: WandbTracking, name: str, out: Path, group: str | None = None) -> WandbTracker:
    """A run of W&B; raises `TrackingError` if the package or the account is missing."""
    try:
        import wandb
    except ImportError as error:
        raise TrackingError("tracking=wandb needs the package wandb: pip install wandb; or choose tracking=mlflow.") from error
    try:
        return WandbTracker(tracking, name, out, group)
    except (wandb.Error, OSError) as error:
        raise TrackingError(
            f"W&B cannot be used ({str(error).splitlines()[0][:200]}); log in with `wandb login`, or set tracking.mode=offline."
        ) from error
