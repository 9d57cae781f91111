"""Documents of 1 kB scored per second on one core: `python -m benchmarks.score [--corpus DIR]`.

Without a corpus the documents are plain prose with three of the micro-archive's sentences in each, undated: several times
denser in markers than real abstracts, news and novels.
"""

import argparse
import json
import statistics
import time
from collections.abc import Iterator
from pathlib import Path

from trivium.data.micro_archive import documents
from trivium.data.provenance import Scorer
from trivium.sample import Sample
from trivium.schema import ProvenanceConfig, WorldConfig

SIZE = 1000
COUNT = 4000
REPEATS = 7
TARGET = 10_000


PROSE = (
    "The valley runs north for some forty miles before the river turns, and most of its villages lie on the eastern side.",
    "Rain had fallen since morning (it seldom did in that month), so the road was empty but for two carts and a dog.",
    "Engines of this kind were built until 1952 in three sizes, of which the smallest sold best and lasted longest.",
    "She asked him twice where he had been; he would not say, and the lamp was put out before the others came in.",
)


def generated() -> list[Sample]:
    told = [sample.text for sample in documents(WorldConfig())]
    made = []
    for i in range(COUNT):
        sentences = [PROSE[k % len(PROSE)] for k in range(i, i + 6)]
        sentences[1::2] = [f"{told[(3 * i + k) % len(told)]} {sentences[2 * k + 1]}" for k in range(3)]
        made.append(Sample(id=str(i), text=" ".join(sentences * 2)[:SIZE], metadata={"publisher": "Daily"}))
    return made


def read(folder: Path) -> list[Sample]:
    found = list(_of_files(folder))
    if not found:
        raise SystemExit(f"{folder} holds no .jsonl or .txt file with a text of {SIZE} characters")
    return [found[i % len(found)] for i in range(max(COUNT, len(found)))]


def _of_files(folder: Path) -> Iterator[Sample]:
    for path in sorted(folder.rglob("*.jsonl")):
        for line in path.read_bytes().splitlines():
            row = json.loads(line)
            text = row.pop("text", "")
            for start in range(0, len(text) - SIZE + 1, SIZE):
                yield Sample(id=path.name, text=text[start : start + SIZE], year=row.get("year"), metadata=row)
    for path in sorted(folder.rglob("*.txt")):
        text = path.read_text(encoding="utf-8", errors="replace")
        for start in range(0, min(len(text) - SIZE, 200 * SIZE), SIZE):
            yield Sample(id=path.name, text=text[start : start + SIZE])


def documents_per_second(scorer: Scorer, samples: list[Sample]) -> float:
    seconds = []
    for _ in range(REPEATS):
        started = time.process_time()
        for sample in samples:
            scorer.score(sample)
        seconds.append(time.process_time() - started)
    return len(samples) / statistics.median(seconds)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--corpus", type=Path, help="folder of .jsonl (with a `text`) and .txt files")
    corpus = parser.parse_args().corpus
    samples = generated() if corpus is None else read(corpus)
    for mode in ("blend", "dynamic"):
        speed = documents_per_second(Scorer(ProvenanceConfig(mode=mode)), samples)
        print(f"{mode}: {speed:,.0f} documents of 1 kB per second and core, {speed / TARGET:.1f} times the {TARGET:,} wanted")


if __name__ == "__main__":
    main()
