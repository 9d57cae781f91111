"""What a person sees of a study in MLflow's pages: its description, and a saved view of its trials beside each other."""

import json
import time
from collections.abc import Mapping
from typing import Any

from trivium.tracking.store import Store

VIEW = "mlflow.sharedViewState."
"""Tags of an experiment in which MLflow's pages keep views by name."""
OBJECTIVE = "objective"
"""Metric of a trial's value."""


def objective_names(count: int) -> list[str]:
    """The metrics that so many objectives are logged as.

    >>> objective_names(1), objective_names(2)
    (['objective'], ['objective_0', 'objective_1'])
    """
    return [OBJECTIVE] if count == 1 else [f"{OBJECTIVE}_{i}" for i in range(count)]


def description(store: Store, run_id: str, study: str, spec: Mapping[str, Any]) -> str:
    """Markdown: what is searched for, where the trials stand beside each other, and the search space."""
    names = objective_names(len(spec["objectives"]))
    goals = " and ".join(
        f"{way} `{metric}` (`{name}`)" for name, (way, metric) in zip(names, map(str.split, spec["objectives"]), strict=True)
    )
    kept = "".join(f", keeping `{text}`" for text in spec.get("constraints", ()))
    space = {key: text.replace("|", "\\|") for key, text in spec["params"].items()}
    rows = "".join(f"| `{key}` | `{text}` |\n" for key, text in space.items())
    trials = f"{spec['n_trials']} trials, " if spec["n_trials"] else ""
    view = f"#/experiments/{store.experiment_id}/runs?viewStateShareKey={run_id}&compareRunsMode="
    return (
        f"**{study}**: a search to {goals}{kept}; {trials}sampler {spec['sampler']}, pruner {spec['pruner']}. "
        f"The trials beside each other: [table]({view}TABLE), [charts]({view}CHART).\n\n"
        f"| setting | values |\n| --- | --- |\n{rows}"
    )


def save_view(store: Store, run_id: str, study: str, spec: Mapping[str, Any]) -> None:
    """The study's trials as a view of the experiment: best first, with the columns and charts that tell them apart."""
    now = int(time.time() * 1000)
    envelope = {"name": f"study {study}", "createdAt": now, "updatedAt": now, "state": json.dumps(_state(run_id, spec))}
    store.client.set_experiment_tag(store.experiment_id, f"{VIEW}{run_id}", json.dumps(envelope))


def _state(run_id: str, spec: Mapping[str, Any]) -> dict[str, Any]:
    names, params = objective_names(len(spec["objectives"])), list(spec["params"])
    sought = [text.split()[1] for text in spec["objectives"]]
    shown = [*names, *sought]
    metrics = [*names, *(f"{metric}{end}" for metric in sought for end in ("_ci_low", "_ci_high"))]
    return {
        "searchFilter": f"tags.`mlflow.parentRunId` = '{run_id}' and tags.`trivium.kind` = 'trial'",
        "orderByKey": f"metrics.`{names[0]}`",
        "orderByAsc": spec["objectives"][0].startswith("minimize"),
        "selectedColumns": [
            *("attributes.`Duration`", "tags.`state`"),
            *(f"metrics.`{name}`" for name in metrics),
            *(f"params.`{key}`" for key in params),
        ],
        "isAccordionReordered": True,
        "compareRunSections": [{"uuid": "study", "name": "Study", "display": True, "isReordered": True}],
        "compareRunCharts": [
            _parallel(params, names),
            *(_bars(name) for name in shown),
            *map(_line, ("trial/estimate", "loss")),
        ],
    }


def _chart(kind: str, name: str, **settings: Any) -> dict[str, Any]:
    place = {"uuid": f"{kind}-{name}", "metricSectionId": "study", "deleted": False, "isGenerated": False}
    return {"type": kind, "runsCountToCompare": 20, **place, **settings}


def _parallel(params: list[str], metrics: list[str]) -> dict[str, Any]:
    return _chart("PARALLEL", "space", selectedParams=params, selectedMetrics=metrics, showAllRuns=False)


def _bars(metric: str) -> dict[str, Any]:
    return _chart("BAR", metric, metricKey=metric)


def _line(metric: str) -> dict[str, Any]:
    look = {"lineSmoothness": 0, "scaleType": "linear", "xAxisKey": "step", "xAxisScaleType": "linear"}
    return _chart("LINE", metric, metricKey=metric, selectedMetricKeys=[metric], **look)
