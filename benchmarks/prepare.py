"""Documents prepared a second per core, and peak memory as their number grows: `python benchmarks/prepare.py [--full]`.

Reads, scores, looks for near-copies, splits, balances and writes documents of 1 kB, each size in a process of its own.
"""

import argparse
import json
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

LENGTH = 1000
WANTED = 10_000
"""Documents a second per core."""

MEMORY = 200
"""MB by which peak memory may grow from the smallest size to the largest."""

SIZES = (10_000, 100_000)
FULL = 1_000_000
KINDS = ("patent", "laboratory notebook", "journal article", "encyclopedia", "press release", "news")
PHRASES = (
    "we measured the specimens ourselves",
    "according to the ministry",
    "the results agree with earlier work [3]",
    "it is widely accepted",
    "see the report of 1911",
    "experts agree",
    "in a letter to the editor",
)


def words_of(corpus: Path | None) -> list[str]:
    """The words that documents are made of: of a folder's text files and rows, or made-up ones."""
    if corpus is None:
        rng = random.Random(0)
        letters = "eeeeetttaaaooiinnsshrrdlucmfwygpbvk"
        return ["".join(rng.choices(letters, k=rng.randint(2, 9))) for _ in range(20_000)]
    from trivium.data.rejects import Rejects
    from trivium.data.sources import documents
    from trivium.schema import DatasetConfig

    return [word for s in documents(DatasetConfig(path=str(corpus)), Rejects()) for word in s.text.split(" ")]


def texts(words: list[str], running: bool, count: int) -> Iterator[str]:
    """`count` texts of 1,000 characters: passages of running words with a few phrases of ours, or words drawn at random."""
    rng = random.Random(1)
    for _ in range(count):
        if running:
            start = rng.randrange(len(words) - 400)
            cut = rng.randrange(40, 120)
            other = rng.randrange(len(words) - 400)
            chosen = words[start : start + cut] + words[other : other + 400]
        else:
            chosen = rng.choices(words, k=250)
            chosen[rng.randrange(100)] = rng.choice(PHRASES) + "."
        yield " ".join(chosen)[:LENGTH]


def write(path: Path, count: int, corpus: Path | None) -> None:
    with path.open("w", encoding="utf-8") as file:
        for i, text in enumerate(texts(words_of(corpus), corpus is not None, count)):
            row = {"text": text, "title": f"Document {i}", "year": 1800 + i % 225, "kind": KINDS[i % 6], "doc_id": f"d{i // 2}"}
            file.write(json.dumps(row, ensure_ascii=False) + "\n")


def measure(path: Path) -> None:
    """In a child process: prepare the file and print CPU seconds, wall seconds, peak MB and the counts."""
    from trivium.data.prepare import prepare
    from trivium.schema import DatasetConfig

    started, cpu = time.perf_counter(), time.process_time()
    with tempfile.TemporaryDirectory(dir=path.parent) as out:
        counts = prepare(DatasetConfig(path=str(path)), Path(out))["counts"]
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)
    print(json.dumps([time.process_time() - cpu, time.perf_counter() - started, peak, counts]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--full", action="store_true", help="10^6 documents too (needs 5 GB of disk)")
    parser.add_argument("--corpus", type=Path, help="make the documents of the words of this folder's texts")
    parser.add_argument("--measure", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.measure:
        measure(args.measure)
        return
    peaks = []
    for count in (*SIZES, FULL) if args.full else SIZES:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "documents.jsonl"
            write(path, count, args.corpus)
            command = [sys.executable, __file__, "--measure", str(path)]
            environment = {**os.environ, "OMP_NUM_THREADS": "1"}
            run = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=environment)
        cpu, wall, peak, counts = json.loads(run.stdout)
        peaks.append(peak)
        rate = f"{count / cpu:,.0f} documents per CPU second ({count / wall:,.0f} by the clock), {count / cpu / WANTED:.2f}"
        print(f"{count:>9,} documents: {rate} of {WANTED:,}; peak {peak:.0f} MB; {counts['duplicates']} copies", flush=True)
    print(f"memory grows by {peaks[-1] - peaks[0]:.0f} MB (at most {MEMORY})")


if __name__ == "__main__":
    main()
