"""The tracker that always works: one JSON line per record."""

import json
import math
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from trivium.tracking.told import RECORDS, mend, table_name
from trivium.tracking.tracker import Tracker

FORCED = 1.0
"""Seconds of lines that a power cut may cost."""


class JsonlTracker:
    """One JSON line per record in `<out>/metrics.jsonl`, flushed at once so that a crash loses nothing.

    The file goes on where an earlier process left it; a line that this one was killed in is cut off.
    """

    run_id: str | None = None

    def __init__(self, out: Path) -> None:
        out.mkdir(parents=True, exist_ok=True)
        self._out = out
        mend(out)
        self._file = (out / RECORDS).open("a", encoding="utf-8")
        self._forced = 0.0

    def _write(self, record: dict[str, Any]) -> None:
        self._file.write(json.dumps({"time": round(time.time(), 3), **record}) + "\n")
        self._file.flush()
        if time.monotonic() - self._forced > FORCED:
            os.fsync(self._file.fileno())
            self._forced = time.monotonic()

    def params(self, values: Mapping[str, Any]) -> None:
        """Nothing: the resolved configuration lies beside the file."""

    def tag(self, name: str, value: str) -> None:
        """One line."""
        self._write({"tag": name, "value": value})

    def metrics(self, values: Mapping[str, float], step: int | None = None) -> None:
        """One line; a number that is not finite is null."""
        self._write({"step": step, "metrics": {k: v if math.isfinite(v) else None for k, v in values.items()}})

    def table(self, name: str, columns: Mapping[str, list[Any]], step: int) -> None:
        """`<out>/<name>/<name>_<step>.parquet`, and one line that says so."""
        import pyarrow  # type: ignore[import-untyped]
        import pyarrow.parquet  # type: ignore[import-untyped]

        path = self._out / name / f"{table_name(name, step)}.parquet"
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_suffix(".tmp")
        pyarrow.parquet.write_table(pyarrow.table(dict(columns)), temporary)
        os.replace(temporary, path)
        self._write({"step": step, "table": str(path.relative_to(self._out))})

    def dataset(self, name: str, digest: str, source: str, context: str) -> None:
        """One line."""
        self._write({"dataset": name, "digest": digest, "source": source, "context": context})

    def artifact(self, path: Path) -> None:
        """Nothing: the file lies in the run directory already."""

    def child(self, name: str, out: Path) -> "Tracker":
        """A JSONL of the arm's own."""
        return JsonlTracker(out)

    def finish(self, status: str) -> None:
        """Close the file."""
        self._write({"status": status})
        self._file.close()
