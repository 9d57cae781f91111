"""Log-likelihoods batched by length against the one-at-a-time loop: `python -m benchmarks.loglik`."""

import random
import statistics
import time

import torch
from transformers import LlamaConfig, LlamaForCausalLM

from trivium.evaluation.loglik import Pair, score_pairs

COUNT, ROUNDS, BATCH_TOKENS = 1000, 3, 32768


def pairs() -> list[Pair]:
    rng = random.Random(0)
    lengths = [rng.randint(12, 48) for _ in range(COUNT)]
    return [Pair([rng.randrange(5, 896) for _ in range(n)], [0] * (n - 5) + [1] * 5) for n in lengths]


def main() -> None:
    torch.manual_seed(0)
    model = LlamaForCausalLM(
        LlamaConfig(vocab_size=896, hidden_size=128, intermediate_size=256, num_hidden_layers=2, num_attention_heads=4)
    ).eval()
    items = pairs()
    ratios = []
    for _ in range(ROUNDS):
        started = time.perf_counter()
        alone = [score_pairs(model, [item], 0, 1)[0] for item in items]
        between = time.perf_counter()
        together = score_pairs(model, items, 0, BATCH_TOKENS)
        ratios.append((between - started) / (time.perf_counter() - between))
        assert max(abs(a - b) for a, b in zip(alone, together, strict=True)) < 1e-3
    print(f"log-likelihood of {COUNT} pairs: {statistics.median(ratios):.1f} times the one-at-a-time loop (at least 5)")


if __name__ == "__main__":
    main()
