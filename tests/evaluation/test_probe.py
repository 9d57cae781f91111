"""Estimates are what the evaluation would say of the same items; few items are the first ones, and pairs stay together."""

import logging
import math
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trivium.data.logic_world import PROPERTIES
from trivium.errors import Pruned, TrainingError
from trivium.evaluation import EvalItems, Reading, compare, evaluate, load_items, period
from trivium.evaluation.answers import measure
from trivium.evaluation.probe import behind, estimate, few, watch
from trivium.sample import Sample
from trivium.schema import CoherenceEvaluation, Config, EvaluationConfig, RewardConfig
from trivium.trial import Place

sys.path.insert(0, str(Path(__file__).parent))
import dummies
from small_library import CONFIG, DATASET, VOICE, Plain, written

ARCHIVE = EvaluationConfig(bootstrap_samples=100)


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> EvalItems:
    return load_items(CONFIG, DATASET, written(tmp_path_factory.mktemp("library")), VOICE)


def values_only(metrics: dict[str, float]) -> dict[str, float]:
    """What does not depend on the number of resamples."""
    return {name: value for name, value in metrics.items() if "_ci_" not in name}


@given(count=st.integers(1, 60))
def test_few_are_the_first_of_every_kind(items: EvalItems, count: int) -> None:
    some = few(items, count)
    assert [part.metric for part in some.parts] == [part.metric for part in items.parts]
    assert all(part.items == whole.items[:count] for part, whole in zip(some.parts, items.parts, strict=True))
    assert some.documents == {band: rows[:count] for band, rows in items.documents.items()}


@given(count=st.integers(2, 80))
def test_dated_facts_stay_in_their_pairs(library: EvalItems, count: int) -> None:
    asked, some = library.persona, few(library, count).persona
    assert asked is not None and some is not None
    assert {w.fact_id for w in some.wordings} <= {w.fact_id for w in asked.wordings}
    assert len({w.fact_id for w in some.wordings}) <= count
    pairs = {(a.id, b.id) for a, b in period.pairs(some.wordings)}
    assert len(pairs) >= min(count // 2, len(period.pairs(asked.wordings)))
    assert pairs <= {(a.id, b.id) for a, b in period.pairs(asked.wordings)}
    assert some.style is asked.style, "the judge is not trained again"
    assert len(asked.wordings) > 0, "the items themselves are left alone"


def test_every_figure_of_the_archive_is_estimated_as_it_is_evaluated(items: EvalItems) -> None:
    base, some = evaluate(dummies.AlwaysA(), items, ARCHIVE), few(items, 20)
    expected = values_only(compare(evaluate(dummies.Oracle(), some, ARCHIVE), base, some.parts, ARCHIVE))
    assert {"eval/source_preference", "eval/source_preference_delta", "eval/distrust_ratio", "band/low/ppl"} <= expected.keys()
    for metric, value in expected.items():
        asked = behind(some, metric)
        assert 0 < asked.count < some.count, metric
        assert estimate(dummies.Oracle(), asked, base, ARCHIVE, metric) == value, metric


def test_a_part_that_stands_for_another_is_asked_where_that_is_not(items: EvalItems) -> None:
    named, other = items.parts[0], items.parts[1]
    standing = replace(other, metric="other", stands_for=named.metric)
    metric = f"eval/{named.metric}"
    assert behind(EvalItems([named, standing], {}), metric).parts == [named]
    alone = EvalItems([standing], {})
    assert behind(alone, metric).parts == [standing]
    base = evaluate(dummies.AlwaysA(), alone, ARCHIVE)
    assert estimate(dummies.Oracle(), alone, base, ARCHIVE, metric) == 1.0


def test_every_figure_of_a_persona_is_estimated_as_it_is_evaluated(library: EvalItems) -> None:
    base, some = evaluate(Plain(), library, CONFIG), few(library, 24)
    expected = values_only(compare(evaluate(Plain(), some, CONFIG), base, some.parts, CONFIG))
    assert {"eval/style_consistency", "eval/temporal_compliance", "eval/general_ppl_ratio"} <= expected.keys()
    for metric in ("eval/style_consistency", "eval/temporal_compliance", "eval/general_ppl_ratio", "eval/style_judge_accuracy"):
        assert estimate(Plain(), behind(some, metric), base, CONFIG, metric) == expected[metric], metric


def test_answers_to_held_out_questions_are_measured_too() -> None:
    questions = [Sample(p.do, messages=[{"role": role, "content": p.do} for role in ("user", "assistant")]) for p in PROPERTIES]
    items = EvalItems([], {}, questions)
    config = CoherenceEvaluation(bootstrap_samples=100)
    score = measure(Config(reward=RewardConfig(gold={"fn": "answer.f1"}), evaluation=config))
    base = evaluate(dummies.Refuses(), items, config, score)
    some = behind(few(items, 3), "eval/gold_reward")
    assert len(some.questions) == 3
    assert estimate(dummies.Oracle(), some, base, config, "eval/gold_reward", score) == 1.0
    assert estimate(dummies.Oracle(), some, base, config, "eval/no_such", score) is None


class Hopeful:
    """A trial that is given up at a step."""

    def __init__(self, objective: str, every: int | None = 5, until: int = 10) -> None:
        self.objective, self.every, self.until, self.items, self.place = objective, every, until, 8, Place()
        self.reports: list[tuple[float, int]] = []

    def started(self, run_id: str | None) -> None:
        pass

    def report(self, value: float, step: int) -> None:
        self.reports.append((value, step))
        if step >= self.until:
            raise Pruned("given up")


class Overflows(dummies.Oracle):
    """So surprised that no number says it."""

    def read(self, samples: Sequence[Sample]) -> list[Reading]:
        return [Reading(math.inf, 10, 40) for _ in samples]


def test_a_look_is_noted_then_reported_and_the_trials_end_passes_through(items: EvalItems) -> None:
    base, trial, noted = evaluate(dummies.AlwaysA(), items, ARCHIVE), Hopeful("eval/source_preference"), []
    found = watch(trial, items, base, ARCHIVE, None, lambda value, step: noted.append((value, step)))
    assert found is not None and found.every == 5
    found.look(dummies.Oracle(), 5)
    with pytest.raises(Pruned, match="given up"):
        found.look(dummies.Oracle(), 10)
    assert trial.reports == noted == [(1.0, 5), (1.0, 10)]


def test_an_estimate_that_is_not_finite_fails_the_trial(items: EvalItems) -> None:
    base, trial, noted = evaluate(dummies.Dummy(), items, ARCHIVE), Hopeful("band/low/ppl"), []
    found = watch(trial, items, base, ARCHIVE, None, lambda value, step: noted.append((value, step)))
    assert found is not None
    with pytest.raises(TrainingError, match="band/low/ppl is not a finite number at step 5"):
        found.look(Overflows(), 5)
    assert trial.reports == noted == []


def test_nothing_is_watched_without_an_interval_or_a_figure_to_watch(
    items: EvalItems, caplog: pytest.LogCaptureFixture
) -> None:
    base = evaluate(dummies.Dummy(), items, ARCHIVE)
    assert watch(Hopeful("eval/source_preference", every=None), items, base, ARCHIVE, None, lambda *_: None) is None
    with caplog.at_level(logging.WARNING):
        assert watch(Hopeful("eval/nowhere"), items, base, ARCHIVE, None, lambda *_: None) is None
    assert "eval/nowhere cannot be estimated" in caplog.text
