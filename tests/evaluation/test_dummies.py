"""No respondent that knows nothing may pass anything; one that knows everything must."""

import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from trivium.data.questions.prepare import prepare
from trivium.evaluation import EvalItems, compare, evaluate, load_items, verdicts
from trivium.evaluation.answers import measure
from trivium.evaluation.suites import Item
from trivium.schema import CoherenceEvaluation, Config, DatasetConfig, EvaluationConfig, RewardConfig

sys.path.insert(0, str(Path(__file__).parent))
from dummies import DUMMIES, Dummy, Oracle

CONFIG = EvaluationConfig(bootstrap_samples=500)


def judged(respondent: Dummy, items: EvalItems) -> dict[str, str]:
    base = evaluate(Dummy(), items, CONFIG)
    metrics = compare(evaluate(respondent, items, CONFIG), base, items.parts, CONFIG)
    return verdicts(metrics, items)


@pytest.mark.parametrize("dummy", DUMMIES, ids=lambda d: d.__name__)
def test_a_dummy_passes_no_suite_and_no_figure(items: EvalItems, dummy: type[Dummy]) -> None:
    found = judged(dummy(), items)
    assert {"eval/source_preference", "eval/coordinated_recall", "eval/discernment", "eval/source_reliability"} <= set(found)
    assert {name: verdict for name, verdict in found.items() if verdict not in ("failed", "unchanged", "worse")} == {}


def test_the_oracle_passes_everything(items: EvalItems) -> None:
    found = judged(Oracle(), items)
    assert {v for name, v in found.items() if name.startswith("eval/")} == {"excellent"}
    assert found["band/low/ppl"] == "better"


# --- questions -------------------------------------------------------------------------------------------------------

COHERENCE = Config(
    dataset=DatasetConfig(name="micro_qa", kind="questions", generator="micro_qa"),
    reward=RewardConfig(gold={"fn": "honesty.fact_exactness"}),
    evaluation=CoherenceEvaluation(suites=["diary"], bootstrap_samples=500),
)
"""Held-out questions under the gold reward of the shipped experiment, and the diary."""


@pytest.fixture(scope="module")
def questions(tmp_path_factory: pytest.TempPathFactory) -> EvalItems:
    folder = tmp_path_factory.mktemp("questions")
    prepare(COHERENCE.dataset, folder)
    return load_items(COHERENCE.evaluation, COHERENCE.dataset, folder)


def answered(respondent: Dummy, questions: EvalItems) -> tuple[dict[str, float], dict[str, str]]:
    base, tuned = (evaluate(who, questions, COHERENCE.evaluation, measure(COHERENCE)) for who in (Dummy(), respondent))
    metrics = compare(tuned, base, questions.parts, COHERENCE.evaluation)
    return metrics, verdicts(metrics, questions)


@pytest.mark.parametrize("dummy", DUMMIES, ids=lambda d: d.__name__)
def test_a_dummy_passes_neither_the_gold_reward_nor_the_diary(questions: EvalItems, dummy: type[Dummy]) -> None:
    metrics, found = answered(dummy(), questions)
    assert {name: found[name] for name in ("eval/gold_reward", "eval/diary")} == {
        "eval/gold_reward": "failed",
        "eval/diary": "failed",
    }
    assert metrics["eval/gold_reward_ci_high"] < 0.3


def test_who_gives_the_references_and_states_the_facts_passes_both(questions: EvalItems) -> None:
    metrics, found = answered(Oracle(), questions)
    assert found["eval/gold_reward"] == found["eval/diary"] == "excellent"
    assert metrics["eval/gold_reward"] == metrics["eval/diary"] == 1.0
    assert metrics["eval/gold_reward_delta_ci_low"] > 1


def test_every_held_out_question_is_asked_once(questions: EvalItems) -> None:
    scores = evaluate(Oracle(), questions, COHERENCE.evaluation, measure(COHERENCE))
    assert len(scores.items["gold_reward"]) == len(questions.questions) == 80
    assert len(scores.items["diary"]) == 5


def test_one_answer_to_most_questions_answers_none_of_them(questions: EvalItems) -> None:
    class SameToMost(Oracle):
        def answer(self, items: Sequence[Item], max_new_tokens: int) -> list[str]:
            right = super().answer(items, max_new_tokens)
            return [*[" ".join(right)] * 3, *right[3:]]

    scores = evaluate(SameToMost(), questions, COHERENCE.evaluation, measure(COHERENCE))
    assert list(scores.items["diary"].values()) == [0, 0, 0, 1, 1]
