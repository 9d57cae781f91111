"""The full-coherence set on 64 completions at once against one at a time, same models: `python -m benchmarks.rewards`."""

import random
import statistics
import tempfile
import time
from pathlib import Path

import torch

from trivium.compose import hydra_at
from trivium.data.micro_qa import documents
from trivium.models.quiet import quiet
from trivium.overrides import checked
from trivium.rewards.compose import Composition
from trivium.rewards.terms import terms
from trivium.sample import Sample
from trivium.schema import Config
from trivium.scorers.load import NAMES, load_scorers
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


def seconds(config: Config, size: int, read: list[Completion], samples: list[Sample]) -> float:
    """Time for all completions, `size` at a time, by scorers that know no answer yet."""
    total = 0.0
    shared = load_scorers(config.reward.scorers, config.cache_dir, set(NAMES.values()))
    for start in range(0, len(read), size):
        shared.forget()
        composition = Composition(terms(config.reward.terms), shared.answer)
        started = time.perf_counter()
        composition.score(read[start : start + size], samples[start : start + size])
        total += time.perf_counter() - started
    return total


def main() -> None:
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as name, hydra_at(), quiet():
        config = checked(["experiment=coherence", f"cache_dir={Path(name).as_posix()}"])
        read, samples = completions(config)
        seconds(config, len(read), read, samples)
        ratios, fast = [], []
        for _ in range(ROUNDS):
            together, alone = seconds(config, len(read), read, samples), seconds(config, 1, read, samples)
            ratios.append(alone / together)
            fast.append(together)
    print(
        f"64 completions at once: {statistics.median(ratios):.1f} times as fast as one at a time (at least 10; {ROUNDS} rounds, "
        f"{min(ratios):.1f} to {max(ratios):.1f}); {64 / statistics.median(fast):.0f} completions/s on one thread"
    )


if __name__ == "__main__":
    main()
