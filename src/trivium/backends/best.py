"""The weights of the step at which a held-out metric was lowest."""

import json
import math
import shutil
from collections.abc import Callable
from pathlib import Path

from trivium.backends.checkpoints import new_folder

NOTE = "best.json"


class Best:
    """A folder that takes the weights whenever the held-out `metric` falls below its lowest value so far."""

    def __init__(self, folder: Path, metric: str) -> None:
        self.folder, self.metric = folder, metric

    def best(self) -> tuple[float, int]:
        """Lowest value and its step; (inf, -1) before the first."""
        try:
            note = json.loads((self.folder / NOTE).read_text(encoding="utf-8"))
        except FileNotFoundError:
            return math.inf, -1
        return float(note["value"]), int(note["step"])

    def forget(self) -> None:
        """Drop what an earlier, unrelated training kept here."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def copy_to(self, place: Path) -> None:
        """Copy the best weights."""
        shutil.copytree(self.folder, place, dirs_exist_ok=True, ignore=shutil.ignore_patterns(NOTE))

    def offer(self, value: float, step: int, write: Callable[[Path], object]) -> None:
        """Keep what `write` puts into a folder, if the value is lower than all before."""
        if value < self.best()[0]:
            with new_folder(self.folder) as temporary:
                write(temporary)
                note = {"metric": self.metric, "value": value, "step": step}
                (temporary / NOTE).write_text(json.dumps(note), encoding="utf-8")
