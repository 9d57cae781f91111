"""Log-likelihoods batched by length against the plain loop over one pair at a time: `python -m benchmarks.loglik`."""

import os
import random
import statistics
import time
from typing import Any

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # as the command line sets it

import torch
from transformers import LlamaConfig, LlamaForCausalLM

from trivium.evaluation.loglik import Pair, score_pairs
from trivium.schema import HardwareConfig

COUNT, ROUNDS = 1000, 5


def pairs() -> list[Pair]:
    """Questions with an answer of five tokens, as long as those of the small world."""
    rng = random.Random(0)
    lengths = [rng.randint(12, 48) for _ in range(COUNT)]
    return [Pair([rng.randrange(5, 896) for _ in range(n)], [0] * (n - 5) + [1] * 5) for n in lengths]


@torch.inference_mode()
def one_at_a_time(model: Any, items: list[Pair]) -> list[float]:
    found = []
    for pair in items:
        ids = torch.tensor([pair.input_ids])
        log_probs = model(input_ids=ids, use_cache=False).logits[0, :-1].log_softmax(-1)
        chosen = log_probs.gather(1, ids[0, 1:, None])[:, 0]
        found.append(-float((chosen * torch.tensor(pair.mask[1:])).sum()))
    return found


def main() -> None:
    torch.manual_seed(0)
    shape = {"hidden_size": 128, "intermediate_size": 256, "num_hidden_layers": 2, "num_attention_heads": 4}
    model = LlamaForCausalLM(LlamaConfig(vocab_size=896, **shape)).eval()
    items, ratios, budget = pairs(), [], HardwareConfig().eval_batch_tokens
    score_pairs(model, items, 0, budget)
    for _ in range(ROUNDS):
        started = time.perf_counter()
        alone = one_at_a_time(model, items)
        between = time.perf_counter()
        together = score_pairs(model, items, 0, budget)
        ratios.append((between - started) / (time.perf_counter() - between))
        assert max(abs(a - b) for a, b in zip(alone, together, strict=True)) < 1e-3
    policy = os.environ["OMP_WAIT_POLICY"].lower()
    print(f"log-likelihood of {COUNT} pairs, {policy} threads: {statistics.median(ratios):.1f} times the loop (at least 5)")


if __name__ == "__main__":
    main()
