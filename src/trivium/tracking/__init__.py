"""Trackers: where metrics, parameters and files of a run go. A local JSONL is always written; MLflow is beside it."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from trivium.result import status_of
from trivium.schema import Config, MlflowTracking, WandbTracking
from trivium.tracking.jsonl import JsonlTracker
from trivium.tracking.mlflow import MlflowTracker, open_mlflow, open_trial
from trivium.tracking.told import Told
from trivium.tracking.tracker import Recorder, Tracker, Trackers
from trivium.tracking.wandb import WandbTracker, open_wandb
from trivium.trial import Place

__all__ = ["JsonlTracker", "MlflowTracker", "Recorder", "Tracker", "Trackers", "WandbTracker", "open_tracker"]


@contextmanager
def open_tracker(
    config: Config,
    out: Path,
    name: str,
    place: Place | None = None,
    run_id: str | None = None,
    kept: str | None = None,
) -> Iterator[Tracker]:
    """The run's trackers; the run is marked failed if an error passes through, pruned after `Pruned`, or as `kept` says.

    A run that goes on in its folder goes on in its run of MLflow, and says nothing twice. With a place, the run is a trial's:
    in MLflow it stands below its study, is left open at the end, and does without MLflow when that does not answer. Without
    one, `TrackingError` is raised if MLflow cannot be reached at the start; `run_id` names a run of MLflow to be added to.
    """
    told = Told(out)
    tracker = Trackers(JsonlTracker(out), *_beside(config, out, name, place, run_id), told=told)
    try:
        yield tracker
    except BaseException as error:
        tracker.finish(kept or status_of(error))
        raise
    tracker.finish(kept or "ok")


def _beside(config: Config, out: Path, name: str, place: Place | None, run_id: str | None) -> Iterator[Tracker]:
    tracking = config.tracking
    if isinstance(tracking, WandbTracking):
        yield open_wandb(tracking, name, out, place.tags.get("study") if place else None)
    if isinstance(tracking, MlflowTracking):
        tracker = open_trial(tracking, name, out, place) if place else open_mlflow(tracking, name, out, run_id)
        yield from [tracker] if tracker else []
