"""What a reward set pays genuine answers and attacks, and how well it tells one from the other."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from trivium.maths.statistics import Estimate
from trivium.rewards.attacks import FAMILIES, attacks, genuine
from trivium.rewards.compose import Composition, Table
from trivium.rewards.ranking import Bools, Floats, Ints, auc, median, variance_shares, violations
from trivium.rewards.terms import Term
from trivium.sample import Sample
from trivium.scores.completion import Tags, split

GENUINE = "genuine"


@dataclass(frozen=True)
class Trial:
    """Everything that was scored, row by row: of which question it is, and of which family."""

    samples: list[Sample]
    texts: list[str]
    questions: Ints
    families: npt.NDArray[np.str_]
    table: Table

    def grouped(self, values: Floats, *families: str) -> list[Floats]:
        """The values of some families, an array for each question."""
        rows = np.isin(self.families, families)
        return [values[rows & (self.questions == question)] for question in range(len(self.samples))]

    def of(self, values: Floats, family: str) -> Floats:
        """The values of one family."""
        return np.asarray(values[self.families == family], np.float64)


def trial_of(composition: Composition, drawn: list[Sample], samples: Sequence[Sample], tags: Tags, seed: int) -> Trial:
    """All genuine answers and attacks, scored in one batch."""
    rows: list[tuple[int, str, str]] = []
    for i, sample in enumerate(drawn):
        rng = random.Random(f"attack {seed} {i}")
        rows += [(i, GENUINE, text) for text in genuine(sample, tags)]
        rows += [(i, name, text) for name, texts in attacks(sample, samples, rng, tags).items() for text in texts]
    questions, families, texts = zip(*rows, strict=True)
    table = composition.score([split(text, tags) for text in texts], [drawn[i] for i in questions])
    return Trial(drawn, list(texts), np.array(questions), np.array(families), table)


def term_rows(trial: Trial, terms: Sequence[Term], seed: int) -> dict[str, dict[str, Any]]:
    """A row for each term by what its function gave, with its share of the total's variance and what it lets through."""
    table = trial.table
    shares = variance_shares(table.values, table.weights, trial.questions)
    rows = {}
    for term, share, raw in zip(terms, shares, table.raw.T, strict=True):
        found = row(trial, raw, seed) | {"variance_share": float(share), "passes": term.passes}
        if term.passes is not None:
            genuine_values, attacked = trial.of(raw, GENUINE), raw[trial.families != GENUINE]
            found |= {"genuine_missed": _share(genuine_values < term.passes), "attacks_missed": _share(attacked < term.passes)}
        rows[term.name] = found
    return rows


def row(trial: Trial, values: Floats, seed: int) -> dict[str, Any]:
    """How one column ranks genuine answers against all attacks, how its values lie, and which attacks it pays."""
    known = values[~np.isnan(values)]
    ours, theirs = trial.grouped(values, GENUINE), trial.grouped(values, *FAMILIES)
    low, high = (float(known.min()), float(known.max())) if len(known) else (None, None)
    typical = median(trial.of(values, GENUINE))
    return {
        "auc": _interval(auc(ours, theirs, seed)),
        "violations": violations(ours, theirs),
        "low": low,
        "high": high,
        "at_low": _share(known == low),
        "at_high": _share(known == high),
        "coverage": _share(~np.isnan(values)),
        "genuine_median": typical,
        "beaten_by": [family for family in FAMILIES if _beats(trial.of(values, family), typical)],
    }


def family_row(trial: Trial, name: str, typical: float | None, seed: int) -> dict[str, Any]:
    """How one family of attacks fares, and the term that tells it from genuine answers best."""
    total = trial.table.total
    values = trial.of(total, name)
    known = values[~np.isnan(values)]
    return {
        "texts": len(values),
        "coverage": _share(~np.isnan(values)),
        "median": median(values),
        "auc": _interval(auc(trial.grouped(total, GENUINE), trial.grouped(total, name), seed)),
        "beating": _share(known > (typical if typical is not None else -np.inf)),
        "beats": _beats(values, typical),
        "told_by": _told_by(trial, name, seed),
    }


def _told_by(trial: Trial, family: str, seed: int) -> dict[str, Any] | None:
    """The term whose own values rank genuine answers best above this family."""
    found = []
    for name, raw in zip(trial.table.names, trial.table.raw.T, strict=True):
        area = auc(trial.grouped(raw, GENUINE), trial.grouped(raw, family), seed)
        found += [(area.value, name)] if area is not None else []
    if not found:
        return None
    value, name = max(found)
    return {"term": name, "auc": value}


def _beats(values: Floats, typical: float | None) -> bool:
    """Whether the median attack is worth at least as much as the median genuine answer, or there is no such answer."""
    attacked = median(values)
    return attacked is not None and (typical is None or attacked >= typical)


def _share(held: Bools) -> float | None:
    return float(held.mean()) if len(held) else None


def _interval(found: Estimate | None) -> dict[str, float] | None:
    return None if found is None else {key: float(value) for key, value in found._asdict().items()}
