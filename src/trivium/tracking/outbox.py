"""Numbers, parameters and tags on their way to an MLflow run."""

import json
import logging
import math
import re
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from trivium.tracking.store import failures, reason

logger = logging.getLogger(__name__)

GATHERED = 0.5
"""Seconds for which records gather before they are sent together."""


class Outbox:
    """Sends to one run, in order, from a thread of its own; what gathers meanwhile goes out together.

    When MLflow stops answering, that is logged once, `broken` is set, and nothing more is sent until it is unset.
    """

    def __init__(self, client: Any, run_id: str) -> None:
        self._client, self._run_id = client, run_id
        self._rows: dict[str, list[Any]] = {}
        self._lock, self._hurry = threading.Lock(), threading.Event()
        self._thread = ThreadPoolExecutor(1, "mlflow")
        self._sending: Future[None] | None = None
        self.broken = self._told = False

    def put(self, kind: str, rows: list[Any]) -> None:
        """Rows of a kind: `metrics`, `params` or `tags`; returns at once."""
        if self.broken:
            return
        with self._lock:
            self._rows.setdefault(kind, []).extend(rows)
            if self._sending is None:
                self._sending = self._thread.submit(self._send_gathered)

    def call(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """The function's value; None where MLflow does not answer."""
        if self.broken:
            return None
        try:
            return function(*args, **kwargs)
        except failures() as error:
            self.broken = True
            if not self._told:
                logger.warning("MLflow stopped answering (%s); metrics.jsonl goes on alone.", reason(error))
            self._told = True
            return None

    def flush(self) -> None:
        """Wait until everything is sent, or MLflow does not answer."""
        self._hurry.set()
        while (sending := self._sending) is not None:
            sending.result()
        self._hurry.clear()

    def close(self) -> None:
        """Wait for what is on its way and end the thread."""
        self.flush()
        self._thread.shutdown()

    def _send_gathered(self) -> None:
        self._hurry.wait(GATHERED)
        while True:
            with self._lock:
                rows, self._rows = self._rows, {}
                if not rows:
                    self._sending = None
                    return
            for batch in batches(rows):
                self.call(self._client.log_batch, self._run_id, synchronous=True, **batch)


LIMITS = {"metrics": 800, "params": 100, "tags": 100}
"""Rows of a kind in one request: together at most MLflow's 1000."""


def batches(rows: Mapping[str, list[Any]]) -> Iterable[dict[str, list[Any]]]:
    """Rows by kind, cut into requests that MLflow accepts."""
    count = max((math.ceil(len(rows[kind]) / LIMITS[kind]) for kind in rows), default=0)
    for i in range(count):
        yield {kind: part for kind, size in LIMITS.items() if (part := rows.get(kind, [])[i * size : (i + 1) * size])}


def param_rows(values: Mapping[str, Any]) -> list[Any]:
    """Flat parameters, cut at MLflow's 250 and 6000 characters."""
    from mlflow.entities import Param

    return [Param(key[:250], str(value)[:6000]) for key, value in values.items()]


def tag_rows(values: Mapping[str, str]) -> list[Any]:
    """Tags, cut at MLflow's 8000 characters."""
    from mlflow.entities import RunTag

    return [RunTag(key, value[:8000]) for key, value in values.items()]


def metric_rows(values: Mapping[str, float], step: int | None = None, seconds: float | None = None) -> list[Any]:
    """Finite numbers, at a step and a time (seconds since 1970; now)."""
    from mlflow.entities import Metric

    at = int((seconds or time.time()) * 1000)
    return [Metric(metric_name(k), float(v), at, step or 0) for k, v in values.items() if math.isfinite(v)]


def unknown_rows(names: Iterable[str]) -> list[Any]:
    """Metrics that have no value yet."""
    from mlflow.entities import Metric

    return [Metric(metric_name(name), math.nan, int(time.time() * 1000), 0) for name in names]


def metric_name(name: str) -> str:
    """The name as MLflow accepts it."""
    return re.sub(r"[^\w\-. /:]", "_", name)


def dataset_row(name: str, digest: str, source: str, context: str) -> Any:
    """A data set as an input of a run."""
    from mlflow.entities import Dataset, DatasetInput, InputTag

    entry = Dataset(name=name, digest=digest[:36], source_type="local", source=json.dumps({"path": source}))
    return DatasetInput(entry, [InputTag("mlflow.data.context", context)])
