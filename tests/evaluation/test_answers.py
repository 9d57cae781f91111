"""What held-out answers are measured by: gold and proxy in whole, scores by name, length; what is missing stays missing."""

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from trivium.evaluation import EvalItems, Scores, compare, evaluate, load_items, verdicts
from trivium.evaluation.answers import measure
from trivium.sample import Sample
from trivium.schema import CoherenceEvaluation, Config, ContaminationConfig, DatasetConfig, RewardConfig


def sample(name: str, reference: str | None, **metadata: object) -> Sample:
    messages = [{"role": "user", "content": f"What of {name}?"}]
    if reference is not None:
        messages.append({"role": "assistant", "content": reference})
    return Sample(id=name, messages=messages, metadata=dict(metadata))


SAMPLES = [sample("ice", "ice melts in spring"), sample("tin", "tin bends"), sample("fog", None)]


def configured(**reward: object) -> Config:
    settings = {
        "terms": {"format": {"fn": "format.exact", "weight": 0.5}, "overlap": {"fn": "answer.f1", "weight": 2}},
        "gold": {"fn": "answer.f1"},
        **reward,
    }
    scores = {"compliance": {"fn": "format.exact"}, "repetition": {"fn": "repetition.repetition"}}
    evaluation = CoherenceEvaluation(scores=scores, bootstrap_samples=200)
    return Config(reward=RewardConfig(**settings), evaluation=evaluation)  # type: ignore[arg-type]


def test_gold_and_proxy_are_totals_and_scores_go_by_their_names() -> None:
    texts = ["<think>well</think>ice melts in spring", "gold bends", "<think>never closed"]
    found = measure(configured())(SAMPLES, texts)
    assert list(found) == ["gold_reward", "proxy_reward", "compliance", "repetition", "answer_words"]
    assert found["gold_reward"] == pytest.approx([1.0, 0.5, None])
    assert found["proxy_reward"] == pytest.approx([0.5 + 2, 2 * 0.5, 0.0])
    assert found["compliance"] == [1.0, 0.0, 0.0]
    assert found["repetition"] == [0.0, 0.0, None]
    assert found["answer_words"] == [4.0, 2.0, 0.0]


def test_thinking_is_told_by_the_configured_tags() -> None:
    config = configured()
    config.dataset.chat.think_open, config.dataset.chat.think_close = "[[", "]]"
    found = measure(config)(SAMPLES[:1], ["[[hm]]ice melts in spring"])
    assert (found["gold_reward"], found["compliance"], found["answer_words"]) == ([1.0], [1.0], [4.0])


@pytest.mark.parametrize(("left_out", "metric"), [("terms", "proxy_reward"), ("gold", "gold_reward")])
def test_a_set_without_terms_or_gold_leaves_the_metric_out(left_out: str, metric: str) -> None:
    found = measure(configured(**{left_out: {}}))(SAMPLES, ["a", "b", "c"])
    assert metric not in found and len(found) == 4


class Says:
    """Gives the same completions whatever is asked."""

    def __init__(self, *texts: str) -> None:
        self.texts = texts

    def complete(self, samples: Sequence[Sample], max_new_tokens: int) -> list[str]:
        return [self.texts[i % len(self.texts)] for i in range(len(samples))]


def scored(*texts: str) -> Scores:
    config = configured()
    return evaluate(Says(*texts), EvalItems([], {}, SAMPLES), config.evaluation, measure(config))  # type: ignore[arg-type]


def test_a_value_that_is_missing_is_no_zero() -> None:
    found = scored("ice melts in spring")
    assert found.items["gold_reward"].keys() == {"ice", "tin"}
    assert found.items["answer_words"].keys() == {"ice", "tin", "fog"}


def test_every_answer_is_kept_with_its_values(tmp_path: Path) -> None:
    scored("ice melts in spring", "tin").save(tmp_path)
    rows = json.loads((tmp_path / "questions.json").read_text())
    assert [row["id"] for row in rows] == ["ice", "tin", "fog"]
    assert rows[0] | {"proxy_reward": 0} == {
        "id": "ice",
        "question": "What of ice?",
        "reference": "ice melts in spring",
        "completion": "ice melts in spring",
        "gold_reward": 1.0,
        "proxy_reward": 0,
        "compliance": 0.0,
        "repetition": 0.0,
        "answer_words": 4.0,
    }
    assert rows[2]["gold_reward"] is None and rows[2]["reference"] is None
    assert Scores.load(tmp_path).items["gold_reward"]["ice"] == 1.0


def test_figures_stand_beside_the_base_models_on_the_items_that_both_have() -> None:
    config = configured()
    base, tuned = scored(""), scored(*(f"<think>well</think>{text}" for text in ("ice melts in spring", "tin bends", "fog")))
    metrics = compare(tuned, base, [], config.evaluation)
    assert (metrics["eval/gold_reward"], metrics["eval/gold_reward_base"], metrics["eval/gold_reward_delta"]) == (1.0, 0.0, 1.0)
    for end in ("_ci_low", "_ci_high", "_delta_ci_low", "_delta_ci_high"):
        assert f"eval/gold_reward{end}" in metrics
    assert "eval/repetition" not in metrics  # an empty answer of the base has none, so there is nothing to compare
    found = verdicts(metrics, EvalItems([], {}, SAMPLES))
    assert found["eval/gold_reward"] == "excellent"
    assert found["eval/proxy_reward"] == "better"
    assert "eval/answer_words" not in found


@pytest.mark.parametrize(("low", "verdict"), [(0.29, "failed"), (0.3, "marginal"), (0.6, "good"), (0.85, "excellent")])
def test_the_gold_verdict_goes_by_the_lower_end_of_the_interval(low: float, verdict: str) -> None:
    found = verdicts({"eval/gold_reward": 0.99, "eval/gold_reward_ci_low": low}, EvalItems([], {}))
    assert found["eval/gold_reward"] == verdict


def prepared(folder: Path, train: list[Sample], heldout: list[Sample]) -> Path:
    for name, rows in (("train", train), ("heldout", heldout)):
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(row.to_dict()) + "\n" for row in rows))
    return folder


def test_at_most_so_many_held_out_questions_are_asked(tmp_path: Path) -> None:
    folder = prepared(tmp_path, [], [sample(f"thing{i}", "yes") for i in range(9)])
    items = load_items(CoherenceEvaluation(questions=4), DatasetConfig(kind="questions"), folder)
    assert [question.id for question in items.questions] == ["thing0", "thing1", "thing2", "thing3"]
    assert items.count == 4 and items.parts == [] and items.documents == {}


def test_held_out_questions_that_training_has_seen_are_taken_out_and_named(tmp_path: Path) -> None:
    seen = sample("a", "It is.")
    seen.messages[0]["content"] = "Which of the two rivers in the valley reaches the lake first in a wet spring?"  # type: ignore[index]
    copy = Sample.from_dict(seen.to_dict() | {"id": "copy"})
    folder = prepared(tmp_path, [copy], [seen, sample("b", "yes")])
    items = load_items(CoherenceEvaluation(), DatasetConfig(contamination=ContaminationConfig(mode="warn")), folder)
    assert ([question.id for question in items.questions], items.seen) == (["b"], ["a"])
    kept = load_items(CoherenceEvaluation(), DatasetConfig(contamination=ContaminationConfig(mode="off")), folder)
    assert len(kept.questions) == 2


def test_a_held_out_question_that_training_repeats_in_other_words_is_left_out(tmp_path: Path) -> None:
    def asked(name: str, question: str, answer: str) -> Sample:
        turns = [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]
        return Sample(name, answer, turns)

    seen = "Which river flows through the old town of Linden in spring?"
    train = asked("t", "In spring, which river flows through the old town of Linden?", "The Quill does. " * 20)
    held_out = [asked("seen", seen, "The Quill."), asked("new", "Who built the mole at Carrick?", "Nobody knows.")]
    for name, samples in (("train", [train]), ("heldout", held_out)):
        (tmp_path / f"{name}.jsonl").write_text("".join(json.dumps(s.to_dict()) + "\n" for s in samples))
    items = load_items(CoherenceEvaluation(), DatasetConfig(kind="questions", path="."), tmp_path)
    assert items.seen == ["seen"]
    assert [sample.id for sample in items.questions] == ["new"]
