"""The full-coherence set on 64 completions at once, against the plain loop over completions, scores and questions, and against
one completion at a time through the same composition; always the same models: `python -m benchmarks.rewards`.
"""

import os
import random
import statistics
import tempfile
import time
from collections.abc import Callable, Generator
from functools import cache
from pathlib import Path

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # as trivium runs

import torch

from trivium.compose import hydra_at
from trivium.data.micro_qa import documents
from trivium.models.quiet import quiet
from trivium.overrides import checked
from trivium.rewards.compose import Composition
from trivium.rewards.terms import terms
from trivium.sample import Sample
from trivium.schema import Config
from trivium.scorers.base import Scorer
from trivium.scorers.load import NAMES, Scorers, open_scorer
from trivium.scores.ask import settle
from trivium.scores.completion import Completion, joined, split

ROUNDS, PROMPTS, GROUP = 5, 8, 8


def completions(config: Config) -> tuple[list[Completion], list[Sample]]:
    """Groups as a policy makes them: some right, some with words exchanged or left out, some alike."""
    rng = random.Random(0)
    asked = rng.sample(documents(config.dataset.logic), PROMPTS)
    answers = [s.reference or "" for s in documents(config.dataset.logic)]
    texts, samples = [], []
    for sample in asked:
        for _ in range(GROUP):
            words = (sample.reference or "").split() if rng.random() < 0.7 else rng.choice(answers).split()
            if rng.random() < 0.6:
                words[rng.randrange(len(words))] = rng.choice(rng.choice(answers).split())
            texts.append(split(joined(sample.thinking or "", " ".join(words))))
            samples.append(sample)
    return texts, samples


def seconds(config: Config, raw: Callable[[str], Scorer], size: int, read: list[Completion], samples: list[Sample]) -> float:
    """Time for all completions, `size` at a time, by scorers that know no answer yet."""
    total = 0.0
    for start in range(0, len(read), size):
        composition = Composition(terms(config.reward.terms), Scorers(raw).answer)
        started = time.perf_counter()
        composition.score(read[start : start + size], samples[start : start + size])
        total += time.perf_counter() - started
    return total


def plain_loop(config: Config, raw: Callable[[str], Scorer], read: list[Completion], samples: list[Sample]) -> float:
    """Time for all completions when every score runs by itself and puts each of its questions to the model by itself."""
    found, started = terms(config.reward.terms), time.perf_counter()
    for completion, sample in zip(read, samples, strict=True):
        for term in found:
            value = term.fn(completion, sample, **term.args)
            if isinstance(value, Generator):
                settle(value, lambda question: raw(NAMES[type(question)])([question])[0])
    return time.perf_counter() - started


def main() -> None:
    with tempfile.TemporaryDirectory() as name, hydra_at(), quiet():
        config = checked(["experiment=coherence", f"cache_dir={Path(name).as_posix()}"])
        read, samples = completions(config)
        raw = cache(lambda name: open_scorer(name, getattr(config.reward.scorers, name), Path(config.cache_dir)))
        seconds(config, raw, len(read), read, samples)
        loops, singles, fast = [], [], []
        for _ in range(ROUNDS):
            together, alone = (seconds(config, raw, size, read, samples) for size in (len(read), 1))
            loops.append(plain_loop(config, raw, read, samples) / together)
            singles.append(alone / together)
            fast.append(together)
    print(f"64 completions at once: {_spread(loops)} times as fast as the plain loop (at least 10; {ROUNDS} rounds)")
    print(f"and {_spread(singles)} times as fast as one completion at a time through the composition;")
    print(f"{64 / statistics.median(fast):.0f} completions/s on {torch.get_num_threads()} threads")


def _spread(ratios: list[float]) -> str:
    return f"{statistics.median(ratios):.1f} ({min(ratios):.1f} to {max(ratios):.1f})"


if __name__ == "__main__":
    main()
