"""Books cut and filtered a second per core, beside a loop of regular expressions, and peak memory as they become more.

`python benchmarks/library.py [--full] [--corpus FOLDER]`. The books are made of the sentences of the shipped ordinary prose
and of the themes' anchors, wrapped as books are; with `--corpus` of the paragraphs of the text files of a folder. Each size
runs in a process of its own.
"""

import argparse
import json
import os
import random
import re
import resource
import subprocess
import sys
import tempfile
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path

WANTED = 20.0
"""MB of text a second per core."""

MEMORY = 100
"""MB by which peak memory may grow from the smallest size to the largest."""

SIZES = (10_000, 100_000)
FULL = 1_000_000
PASSAGE = 1000
"""Characters of a passage, about."""

BOOK = 1000
"""Passages of a book."""

PEER_PASSAGES = 400


def sentences() -> list[str]:
    from trivium.data.library import lift, themes

    anchors = [anchor for theme in themes.load("period").anchors.values() for anchor in theme]
    return anchors + re.split(r"(?<=\.)\s+", lift.SHIPPED.read_text(encoding="utf-8"))


def paragraphs(corpus: Path | None, rng: random.Random) -> Iterator[str]:
    """Paragraphs without end."""
    if corpus is not None:
        from trivium.data import textfile

        books = ["".join(textfile.body(textfile.lines(p, textfile.encoding_of(p)))) for p in sorted(corpus.rglob("*.txt"))]
        told = [paragraph for book in books for paragraph in book.split("\n\n")]
        while True:
            yield rng.choice(told)
    told = sentences()
    while True:
        yield textwrap.fill(" ".join(rng.choices(told, k=rng.randint(1, 9))), 72)


def write(folder: Path, count: int, corpus: Path | None) -> None:
    """Books of about `count` passages in all."""
    rng = random.Random(0)
    stream = paragraphs(corpus, rng)
    for number in range(-(-count // BOOK)):
        left = min(BOOK, count - number * BOOK) * PASSAGE
        with (folder / f"{number:05d}.txt").open("w", encoding="utf-8") as file:
            while left > 0:
                left -= file.write(next(stream) + "\n\n")


def measure(folder: Path) -> None:
    """In a child process: print MB, CPU seconds of cutting and filtering and of all there is, peak MB, counts."""
    from trivium.data.library import chunk, lift, passages, themes, works
    from trivium.data.library.units import unit_of
    from trivium.data.rejects import Rejects
    from trivium.schema import DatasetConfig

    config = DatasetConfig(kind="library", generator=None, path=str(folder))
    size = sum(path.stat().st_size for path in folder.glob("*.txt")) / 1e6
    finder, unit = themes.Themes(themes.load("period")), unit_of(config.library.chunk)
    started = time.process_time()
    for work in works.read(config, Rejects()):
        for cut in chunk.cuts(work.lines, config.library.chunk, unit):
            lift.passes(finder.find(cut.text), config.library.themes)
    filtered = time.process_time() - started
    started = time.process_time()
    with tempfile.TemporaryDirectory(dir=folder.parent) as out:
        report = passages.select(config, works.read(config, Rejects()), Path(out), Rejects(), lambda *_: None)
    whole = time.process_time() - started
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)
    print(json.dumps([size, filtered, whole, peak, report["passages"]]))


def peer(folder: Path) -> tuple[float, float]:
    """MB a second of a loop over one regular expression a word, and of ours, on the same passages; the counts must agree."""
    from trivium.data.library import chunk, themes
    from trivium.data.library.units import unit_of
    from trivium.data.library.wordfinder import forms
    from trivium.schema.library import ChunkConfig

    config = ChunkConfig()
    with next(iter(sorted(folder.glob("*.txt")))).open(encoding="utf-8") as lines:
        texts = [cut.text for cut in chunk.cuts(lines, config, unit_of(config))][:PEER_PASSAGES]
    lexicon = themes.load("period")
    finder = themes.Themes(lexicon)
    words = {forms(word)[0]: "|".join(map(re.escape, forms(word))) for held in lexicon.words.values() for word in held}
    patterns = [re.compile(rf"(?<![^\W_])(?:{word})s?(?![^\W_])", re.IGNORECASE) for word in words.values()]
    size = sum(map(len, texts)) / 1e6
    started = time.process_time()
    theirs = [sum(pattern.search(text) is not None for pattern in patterns) for text in texts]
    middle = time.process_time()
    ours = [finder.find(text).total for text in texts]
    ended = time.process_time()
    if ours != theirs:
        raise SystemExit("the two filters count differently")
    return size / (middle - started), size / (ended - middle)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--full", action="store_true", help="10^6 passages too (needs 3 GB of disk)")
    parser.add_argument("--corpus", type=Path, help="make the books of the paragraphs of this folder's text files")
    parser.add_argument("--measure", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.measure:
        measure(args.measure)
        return
    peaks = []
    for count in (*SIZES, FULL) if args.full else SIZES:
        with tempfile.TemporaryDirectory() as folder:
            books = Path(folder) / "books"
            books.mkdir()
            write(books, count, args.corpus)
            if not peaks:
                loop, ours = peer(books)
                print(
                    f"keywords alone: {ours:.0f} MB/s, {ours / loop:.0f} times a loop of regular expressions ({loop:.2f} MB/s)"
                )
            command = [sys.executable, __file__, "--measure", str(books)]
            environment = {**os.environ, "OMP_NUM_THREADS": "1"}
            run = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=environment)
        size, filtered, whole, peak, counts = json.loads(run.stdout)
        peaks.append(peak)
        rate = f"cut and filtered at {size / filtered:.1f} MB per CPU second, {size / filtered / WANTED:.2f} of {WANTED:.0f}"
        tail = f"with copies left out and written {size / whole:.1f}; peak {peak:.0f} MB"
        print(f"{counts['cut']:>9,} passages ({counts['kept']:,} kept): {rate}; {tail}", flush=True)
    print(f"memory grows by {peaks[-1] - peaks[0]:.0f} MB (at most {MEMORY})")


if __name__ == "__main__":
    main()
