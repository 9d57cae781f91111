"""The loss audit: does each term of the loss move the weights, and where does the gradient come from?"""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from trivium.maths.weights import Ints, draw, order, weight_report
from trivium.schema import BANDS, Config, UniformLoss

REFERENCE = "cross_entropy"


def audit(config: Config, base: str, prepared: Path) -> dict[str, Any]:
    """Measure the gradient of every loss term on one real batch of `total_batch_size` samples, before the first step.

    The report holds, per term, `value` (nats per supervised token), `norm`, `norm_ratio` and `cosine` to plain
    cross-entropy on the same batch (for `distrust_sampled`: the batch redrawn by weight, against the batch itself); per
    band, the share of the loss mass and the effective sample size; and `failed`, the terms whose gradient is exactly zero.
    Raises what training raises on unusable data or models.
    """
    from trivium.backends.torch.gradients import term_gradients
    from trivium.backends.torch.sft import build, packed
    from trivium.models.quiet import quiet

    with TemporaryDirectory() as scratch, quiet():
        trainer, corpus = build(config, base, prepared, Path(scratch))
        indices = order(len(corpus.rows), min(config.method.total_batch_size, len(corpus.rows)), config.seed)
        trained = _trained_indices(corpus, indices, config.seed)
        plain = term_gradients(trainer, packed(config, corpus.rows, corpus.policy, indices), UniformLoss())
        found = term_gradients(trainer, packed(config, corpus.rows, corpus.policy, trained), config.loss)
    terms = [
        {
            "name": name,
            "value": found.value(name),
            "norm": found.norm(name),
            "norm_ratio": _ratio(found.norm(name), plain.norm(REFERENCE)),
            "cosine": found.cosine(name, plain, REFERENCE),
        }
        for name in found.sums
    ]
    return {
        "loss": config.loss.name,
        "samples": len(indices),
        "supervised_tokens": found.tokens,
        "terms": terms,
        "bands": _bands(corpus, indices),
        "notice": corpus.policy.notice,
        "failed": [term["name"] for term in terms if term["norm"] == 0.0],
    }


def _trained_indices(corpus: Any, indices: Ints, seed: int) -> Ints:
    """The samples that the loss would train on in place of these."""
    probabilities = corpus.policy.probabilities
    if probabilities is None:
        return indices
    return indices[draw(probabilities[indices], len(indices), seed)]


def _bands(corpus: Any, indices: Ints) -> dict[str, dict[str, float]]:
    """Share of the loss mass and effective sample size (a fraction) of each band's part of the batch."""
    authority = np.asarray(corpus.rows.authority, np.float64)[indices]
    report = weight_report(corpus.sample_weights()[indices], authority, corpus.rows.supervised[indices])
    return {band: {"share": report[f"weights/share_{band}"], "ess_fraction": report[f"weights/ess_{band}"]} for band in BANDS}


def _ratio(norm: float, reference: float) -> float:
    return norm / reference if reference > 0 else 0.0
