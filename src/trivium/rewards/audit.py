"""The reward audit: genuine answers against attacks, before anything is trained on a reward set."""

import random
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from trivium.errors import DataError
from trivium.rewards.attacks import FAMILIES
from trivium.rewards.compose import Composition
from trivium.rewards.ranking import median
from trivium.rewards.search import Nonsense, Start, search
from trivium.rewards.trial import GENUINE, Trial, family_row, row, term_rows, trial_of
from trivium.sample import Sample
from trivium.schema import RewardConfig
from trivium.scores.completion import Tags
from trivium.scores.words import plain, words

TOTAL, SEARCH = "total", "search"
_LEAST = 4
"""Questions without which an audit says nothing."""
_STARTS = 60
"""Best-paid attacks that the search chooses its starts from."""
_SHOWN = 600
"""Characters of the nonsense that are kept in the report."""

_TELLING = 0.8
"""The area under the curve from which a term is said to tell an attack."""

Tables = list[tuple[str, list[str], list[list[str]]]]


def audit(composition: Composition, samples: Sequence[Sample], config: RewardConfig, tags: Tags, seed: int) -> dict[str, Any]:
    """Try a reward set on genuine answers and on attacks on `config.audit_prompts` questions, and search for paid nonsense.

    The report holds `terms` (a row for each by its own values, and one of the `total`), `families` (a row for each attack),
    `search` (the best-paid nonsense) and `failed`: the families whose median total is at least the median genuine one, and
    `search` where the nonsense found reaches it. A missing value is left out and shows in `coverage`.
    Raises `DataError` where fewer than 4 questions have a reference.
    """
    trial = trial_of(composition, _drawn(samples, config.audit_prompts, seed), samples, tags, seed)
    typical = median(trial.of(trial.table.total, GENUINE))
    families = {name: family_row(trial, name, typical, seed) for name in FAMILIES}
    best = _searched(composition, trial, config.audit_search, tags, seed) if config.audit_search else None
    failed = [name for name, row in families.items() if row["beats"]]
    if best is not None and (typical is None or best.total >= typical):
        failed.append(SEARCH)
    return {
        "reward": config.name,
        "questions": len(trial.samples),
        "texts": len(trial.texts),
        "genuine_median": typical,
        "terms": {**term_rows(trial, composition.terms, seed), TOTAL: row(trial, trial.table.total, seed)},
        "families": families,
        "search": _told(best, typical, config.audit_search) if best else None,
        "failures": dict(trial.table.failures),
        "failed": failed,
        "verdict": "failed" if failed else "passed",
    }


def tables(report: Mapping[str, Any]) -> Tables:
    """The report as (title, columns, rows) for a terminal of 80 columns: the terms, and the attacks."""
    terms = [
        [
            name,
            _with_interval(row["auc"]),
            f"{_number(row['low'])}\nto {_number(row['high'])}",
            f"{_percent(row['at_low'])}\n{_percent(row['at_high'])}",
            _percent(row.get("variance_share")),
            _percent(row["violations"]),
        ]
        for name, row in report["terms"].items()
    ]
    families = [
        [name, _number(row["median"]), _with_interval(row["auc"]), _percent(row["beating"]), _verdict(row["beats"])]
        for name, row in report["families"].items()
    ]
    if report["search"]:
        found = report["search"]
        families.append(["best nonsense found", _number(found["total"]), "–", "–", _verdict(found["beats"])])
    typical = f"median genuine answer: {_number(report['genuine_median'])}"
    return [
        (
            f"reward={report['reward']}: genuine answers against attacks",
            ["term", "AUC", "range", "at low\nat high", "share of\nvariance", "violations"],
            terms,
        ),
        (typical, ["attack", "median", "AUC", "above it", "verdict"], families),
    ]


def sentence(name: str, report: Mapping[str, Any]) -> str:
    """Which attacks beat the median genuine answer, by how much, and what to do."""
    typical = report["genuine_median"]
    if typical is None:
        return f"reward={name}: no genuine answer has any value; look at reward.terms and at the columns that they need."
    paid = {family: row["median"] for family, row in report["families"].items()}
    paid |= {SEARCH: report["search"]["total"]} if report["search"] else {}
    worst = max(report["failed"], key=lambda family: paid[family])
    others = [family for family in report["failed"] if family != worst]
    subject = "nonsense that the search found" if worst == SEARCH else f"the attack {worst}"
    also = f" (beside it {', '.join(others)})" if others else ""
    return (
        f"reward={name}: {subject} is worth {_number(paid[worst])}, and the median genuine answer {_number(typical)}: "
        f"{_number(paid[worst] - typical)} too much{also}; {_remedy(worst, report)}"
    )


def _drawn(samples: Sequence[Sample], count: int, seed: int) -> list[Sample]:
    able = [sample for sample in samples if words(sample.reference or "")]
    if len(able) < _LEAST:
        raise DataError(
            f"the reward audit attacks questions that have a reference answer, and {len(able)} of {len(samples)} have one; "
            f"it needs at least {_LEAST}: add references to the data."
        )
    return random.Random(f"audit {seed}").sample(able, min(count, len(able)))


def _searched(composition: Composition, trial: Trial, mutations: int, tags: Tags, seed: int) -> Nonsense | None:
    order = np.argsort(-np.nan_to_num(trial.table.total, nan=-np.inf), kind="stable")
    attacked = [i for i in order if trial.families[i] != GENUINE]
    soups = [i for i in attacked if trial.families[i] == "word_soup"][: _STARTS // 4]
    chosen = dict.fromkeys([*attacked[:_STARTS], *soups])
    starts = [Start(trial.samples[trial.questions[i]], trial.texts[i]) for i in chosen]
    return search(composition, starts, mutations, seed, tags)


def _told(best: Nonsense, typical: float | None, mutations: int) -> dict[str, Any]:
    return {
        "question": plain(best.sample.question)[:_SHOWN],
        "text": plain(best.text)[:_SHOWN],
        "total": best.total,
        "values": best.values,
        "mutations": mutations,
        "beats": typical is None or best.total >= typical,
    }


def _remedy(worst: str, report: Mapping[str, Any]) -> str:
    if worst == SEARCH:
        values, terms = report["search"]["values"], report["terms"]
        paid = [name for name, value in values.items() if value is not None and value >= (terms[name]["genuine_median"] or 0)]
        high = f"{', '.join(paid)} pay it as much as a genuine answer: " if paid else ""
        return f"{high}give more weight, or an early layer and a threshold (passes), to a term that does not pay it."
    told = report["families"][worst]["told_by"]
    if told and told["auc"] > _TELLING:
        return (
            f"its term {told['term']} tells this attack best (AUC {told['auc']:.2f}): give it more weight, or an early layer "
            "and a threshold (passes)."
        )
    return "none of its terms tells this reliably from genuine answers: add one that does."


def _with_interval(found: Mapping[str, float] | None) -> str:
    return "–" if found is None else f"{found['value']:.2f}\n[{found['low']:.2f}, {found['high']:.2f}]"


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{value:.0%}"


def _verdict(beats: bool) -> str:
    return "BEATS IT" if beats else "ok"
