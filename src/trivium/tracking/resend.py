"""What a run's folder knows, sent to an MLflow run that has missed it."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from trivium.tracking import outbox
from trivium.tracking.told import records


def of_trial(params: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters of a trial: all but those of the search, which its parent has."""
    return {key: value for key, value in params.items() if not key.startswith("sweep.")}


def resend(client: Any, run_id: str, folder: Path) -> int:
    """Send what `run_id` lacks of the folder's parameters, metrics, tags and data sets; how many rows that were."""
    run = client.get_run(run_id)
    lines = list(records(folder))
    rows = {
        "params": _missing(outbox.param_rows(of_trial(_settings(folder))), run.data.params),
        "metrics": _new_metrics(client, run, _metrics(lines, folder)),
        "tags": _missing(outbox.tag_rows({r["tag"]: r["value"] for r in lines if "tag" in r}), run.data.tags),
    }
    for batch in outbox.batches(rows):
        client.log_batch(run_id, synchronous=True, **batch)
    datasets = _new_datasets(run, lines)
    if datasets:
        client.log_inputs(run_id, datasets)
    return sum(map(len, rows.values())) + len(datasets)


def started_at(folder: Path) -> int | None:
    """When the folder's run began, in milliseconds since 1970; None where it has no record."""
    first = next(records(folder), None)
    return int(first["time"] * 1000) if first else None


def _settings(folder: Path) -> dict[str, Any]:
    import yaml

    from trivium.summary import flatten

    path = folder / "config.resolved.yaml"
    try:
        return flatten(yaml.safe_load(path.read_text(encoding="utf-8")) or {}) if path.is_file() else {}
    except yaml.YAMLError:  # cut off by the crash
        return {}


def _metrics(lines: list[dict[str, Any]], folder: Path) -> list[Any]:
    """The history, and what only `result.json` has. What has no step repeats what a step has told, as in `MlflowTracker`."""
    rows: list[Any] = []
    newest: dict[str, float] = {}
    for record in lines:
        values = {name: value for name, value in record.get("metrics", {}).items() if value is not None}
        made = outbox.metric_rows(values, record.get("step"), record["time"])
        rows += [row for row in made if record.get("step") is not None or newest.get(row.key) != row.value]
        newest.update({row.key: row.value for row in made})
    known = {row.key for row in rows}
    return rows + [row for row in outbox.metric_rows(_results(folder)) if row.key not in known]


def _results(folder: Path) -> dict[str, float]:
    path = folder / "result.json"
    found = json.loads(path.read_text(encoding="utf-8"))["metrics"] if path.is_file() else {}
    return {name: value for name, value in found.items() if isinstance(value, int | float)}


def _missing(rows: list[Any], known: Mapping[str, str]) -> list[Any]:
    return [row for row in rows if row.key not in known]


def _new_metrics(client: Any, run: Any, rows: list[Any]) -> list[Any]:
    """The rows whose step and value the run does not have under that name."""
    by_name: dict[str, list[Any]] = {}
    for row in rows:
        by_name.setdefault(row.key, []).append(row)
    new = []
    for name, named in by_name.items():
        if len(named) == 1 and run.data.metrics.get(name) == named[0].value:
            continue
        history = client.get_metric_history(run.info.run_id, name) if name in run.data.metrics else []
        known = {(metric.step, metric.value) for metric in history}
        new += [row for row in named if (row.step, row.value) not in known]
    return new


def _new_datasets(run: Any, lines: list[dict[str, Any]]) -> list[Any]:
    known = {(entry.dataset.name, entry.dataset.digest) for entry in run.inputs.dataset_inputs} if run.inputs else set()
    found = {r["dataset"]: r for r in lines if "dataset" in r}.values()
    rows = [outbox.dataset_row(r["dataset"], r["digest"], r["source"], r["context"]) for r in found]
    return [row for row in rows if (row.dataset.name, row.dataset.digest) not in known]
