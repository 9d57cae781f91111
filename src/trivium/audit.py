"""The loss audit: does each term of the loss move the weights, and where does the gradient come from?"""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from trivium.maths.weights import Ints, draw, order, weight_report
from trivium.sample import band
from trivium.schema import BANDS, Config, UniformLoss

REFERENCE = "cross_entropy"


def audit(config: Config, base: str, prepared: Path) -> dict[str, Any]:
    """Measure the gradient of every loss term on one real batch of `total_batch_size` samples, before the first step.

    The report holds, per term, `value` (nats per supervised token), `norm`, `norm_ratio` and `cosine` to plain
    cross-entropy on the same batch (for `distrust_sampled`: the batch redrawn by weight, against the batch itself); per
    band, `gradient_share` (its samples' gradient along the whole one; the shares add up to 1), `weight_share` and the
    effective sample size as a fraction; and `failed`, the terms whose gradient is exactly zero.
    Raises what training raises on unusable data or models.
    """
    from trivium.backends.torch.gradients import Gradients, term_gradients
    from trivium.backends.torch.sft import build, packed
    from trivium.models.quiet import quiet

    with TemporaryDirectory() as scratch, quiet():
        trainer, corpus = build(config, base, prepared, Path(scratch))
        indices = order(len(corpus.rows), min(config.method.total_batch_size, len(corpus.rows)), config.seed)
        trained = _trained_indices(corpus, indices, config.seed)
        plain = term_gradients(trainer, packed(config, corpus.rows, corpus.policy, indices), UniformLoss())
        parts = {
            name: term_gradients(trainer, packed(config, corpus.rows, corpus.policy, rows), config.loss)
            for name, rows in _by_band(corpus, trained).items()
        }
        found = Gradients.total(list(parts.values()))
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
        "bands": {
            name: {"gradient_share": part.share_of(found), **weights}
            for (name, part), weights in zip(parts.items(), _weights(corpus, indices, list(parts)), strict=True)
        },
        "notice": corpus.policy.notice,
        "failed": [term["name"] for term in terms if term["norm"] == 0.0],
    }


def _trained_indices(corpus: Any, indices: Ints, seed: int) -> Ints:
    """The samples that the loss would train on in place of these."""
    probabilities = corpus.policy.probabilities
    if probabilities is None:
        return indices
    return indices[draw(probabilities[indices], len(indices), seed)]


def _by_band(corpus: Any, indices: Ints) -> dict[str, Ints]:
    """The indices of each authority band that has any."""
    bands = np.array([band(corpus.rows.authority[i]) for i in indices])
    return {name: indices[bands == name] for name in BANDS if (bands == name).any()}


def _weights(corpus: Any, indices: Ints, bands: list[str]) -> list[dict[str, float]]:
    """Share of the loss weight and effective sample size (a fraction) of each band's part of the batch."""
    authority = np.asarray(corpus.rows.authority, np.float64)[indices]
    report = weight_report(corpus.sample_weights()[indices], authority, corpus.rows.supervised[indices])
    return [{"weight_share": report[f"weights/share_{b}"], "ess_fraction": report[f"weights/ess_{b}"]} for b in bands]


def _ratio(norm: float, reference: float) -> float:
    return norm / reference if reference > 0 else 0.0
