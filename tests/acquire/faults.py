"""Every kind of source against every fault: `python tests/acquire/faults.py` prints the matrix."""

import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))
import server
from local import config_for, half_written, tree
from server import Archive, Reply, Request, status

from trivium.acquire.run import acquire
from trivium.schema import AcquireConfig

Change = Callable[[Request, Reply], Reply | None]


@dataclass(frozen=True)
class Case:
    """A fault: what happens, how often (0 for always), and the reason that is counted where the item is lost."""

    change: Change
    times: int
    reason: str


SLOW = "no answer in time"
"""Where this is the reason, patience is short."""

FAULTS: dict[str, Case] = {
    "429 twice": Case(status(429, Retry_After="0"), 2, ""),
    "500 twice": Case(status(500), 2, ""),
    "500 always": Case(status(500), 0, "server error 500"),
    "404": Case(status(404), 0, "not there (404)"),
    "410": Case(status(410), 0, "not there (410)"),
    "403": Case(status(403), 0, "refused (403)"),
    "body cut, once": Case(server.truncated, 1, ""),
    "body cut, always": Case(server.truncated, 0, "connection failed or cut"),
    "no answer, once": Case(server.cut, 1, ""),
    "no answer, always": Case(server.cut, 0, "connection failed or cut"),
    "silence": Case(server.silent, 0, SLOW),
    "dripping": Case(server.dripping, 0, SLOW),
    "error page": Case(server.error_page, 0, "wrong content type"),
    "redirect in a circle": Case(server.circle, 0, "too many redirects"),
    "redirect to file://": Case(server.to_disk, 0, "not a web address"),
    "expands without end": Case(server.bomb, 0, "too large"),
}

ITEMS = {
    "gutenberg": ("texts/source/12.txt", r"/pg12\.txt|^/pg/1/12/"),
    "internet_archive": ("texts/source/item2.txt", "/node/7/item2/"),
    "newspapers": ("", "/tile/3$"),
    "hub": ("", "/train/1.parquet"),
}
"""For each kind the file of the item that suffers, and the paths of its requests."""

SEARCHES = {"internet_archive": "advancedsearch", "newspapers": "chronicling-america", "gutenberg": "/feeds/", "hub": "/train$"}
"""The paths of the lists."""


def world(archive: Archive) -> None:
    books = {n: (f"The Bell of Harbour {n}", "Keeper, Anna", 1901) for n in (11, 12, 13, 14)}
    server.gutenberg(archive, books)
    server.internet_archive(archive, [f"item{i}" for i in range(9)])
    server.newspapers(archive, 9)
    server.hub(archive, 20)


def sources(kind: str, folder: Path) -> dict[str, Any]:
    """A source of the kind, and beside it one that never fails."""
    headings = folder / "headings.yaml"
    headings.write_text("version: 1\nsource: made here\nsubjects: [Bells, Orchards]\n", encoding="utf-8")
    own = folder / "own"
    own.mkdir(exist_ok=True)
    (own / "letter.txt").write_text("A letter of our own.\n", encoding="utf-8")
    chosen: dict[str, dict[str, Any]] = {
        "gutenberg": {"subjects": str(headings), "max_year": 1920},
        "internet_archive": {"n": 9, "max_year": 1920},
        "newspapers": {"n": 9},
        "hub": {"repo": "me/letters", "n": 12, "text": ["body"], "buffer": 4},
    }
    return {"source": {"kind": kind, **chosen[kind]}, "own": {"kind": "files", "path": str(own)}}


@dataclass
class Outcome:
    """The report of a run with the fault, what it left, and what another run left after the fault was gone."""

    report: dict[str, Any]
    faulty: dict[str, bytes]
    later: dict[str, bytes]
    left: list[str]

    @property
    def skipped(self) -> str:
        source = self.report["sources"]["source"]
        return source["problem"] or "; ".join(source["skipped"])


class Trials:
    """A source of one kind at a local archive; `clean` is what it gives when nothing goes wrong."""

    def __init__(self, kind: str, folder: Path) -> None:
        self.kind, self._folder = kind, folder
        self._archive = Archive()
        world(self._archive)
        acquire(self._config(), folder / "clean", first_wait=0.01)
        self.clean = tree(folder / "clean")

    def _config(self, **settings: Any) -> AcquireConfig:
        return config_for(self._archive.url, sources(self.kind, self._folder), **settings)

    def close(self) -> None:
        self._archive.close()

    def run(self, fault: Case, path: str) -> Outcome:
        out = Path(tempfile.mkdtemp(dir=self._folder))
        self._archive.fault(path, fault.change, fault.times or 10**9)
        report = acquire(self._config(timeout=0.3) if fault.reason == SLOW else self._config(), out, first_wait=0.01)
        faulty, left = tree(out), half_written(out / "texts" / "own")
        self._archive.faults.clear()
        acquire(self._config(), out, first_wait=0.01)
        return Outcome(report, faulty, tree(out), left)


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        trials = []
        for kind in ITEMS:
            (Path(folder) / kind).mkdir()
            trials.append(Trials(kind, Path(folder) / kind))
        print(f"| {'fault':<20} | {' | '.join(f'{kind:<16}' for kind in ITEMS)} |")
        print(f"| {'-' * 20} | {' | '.join('-' * 16 for _ in ITEMS)} |")
        for name, fault in FAULTS.items():
            cells = [f"{_cell(one, fault):<16}" for one in trials]
            print(f"| {name:<20} | {' | '.join(cells)} |", flush=True)
        for one in trials:
            one.close()


def _cell(trials: Trials, fault: Case) -> str:
    """How many items the fault cost, and whether the next run made them good."""
    outcome = trials.run(fault, ITEMS[trials.kind][1])
    lost = len(rows_of(trials.clean, trials.kind)) - len(rows_of(outcome.faulty, trials.kind))
    whole = "" if outcome.later == trials.clean else ", NOT RESUMED"
    return (f"{lost} of {len(rows_of(trials.clean, trials.kind))} lost" if lost else "none lost") + whole


def rows_of(files: dict[str, bytes], kind: str) -> list[bytes]:
    """The rows of the source that suffers."""
    name = "texts/source/catalogue.jsonl" if kind in ("gutenberg", "internet_archive") else "texts/source/source.jsonl"
    return files.get(name, b"").splitlines()


if __name__ == "__main__":
    main()
