"""What a run's folder has on record already, so that a run which goes on says nothing twice."""

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

RECORDS = "metrics.jsonl"


def records(folder: Path) -> Iterator[dict[str, Any]]:
    """The lines of `metrics.jsonl`; one that was cut off by a crash is left out."""
    path = folder / RECORDS
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines() if path.is_file() else ():
        try:
            yield json.loads(line)
        except ValueError:
            continue


def mend(folder: Path) -> None:
    """Cut off the end of `metrics.jsonl` that a crash left of a line, so that the next one begins on its own."""
    path = folder / RECORDS
    if not path.is_file():
        return
    with path.open("rb+") as file:
        end = file.seek(0, os.SEEK_END)
        while end > 0:
            begin = max(0, end - 65536)
            file.seek(begin)
            if (found := file.read(end - begin).rfind(b"\n")) >= 0:
                end = begin + found + 1
                break
            end = begin
        file.truncate(end)


class Told:
    """What earlier processes recorded of the run in a folder, step by step."""

    def __init__(self, folder: Path) -> None:
        self._metrics: dict[int, frozenset[str]] = {}
        self._tables: set[str] = set()
        for record in records(folder):
            if (step := record.get("step")) is not None and "metrics" in record:
                self._metrics[step] = self._metrics.get(step, frozenset()) | record["metrics"].keys()
            if "table" in record:
                self._tables.add(Path(record["table"]).stem)

    def news(self, values: Mapping[str, float], step: int | None) -> dict[str, float]:
        """Those of some metrics that are not on record for that step; all that have no step."""
        known = self._metrics.get(step, frozenset()) if step is not None else frozenset()
        return {name: value for name, value in values.items() if name not in known}

    def table(self, name: str, step: int) -> bool:
        """Whether a table of that step is on record."""
        return table_name(name, step) in self._tables


def table_name(name: str, step: int) -> str:
    """What the table of a step is called."""
    return f"{name}_{step:05d}"
