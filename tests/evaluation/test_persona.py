"""The persona's evaluation as a whole: dummies fail, the oracle passes, every figure stands beside the base model's."""

import math
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from trivium.evaluation import EvalItems, Scores, TorchRespondent, compare, evaluate, load_items, missed, verdicts
from trivium.models.load import load_base, load_tokenizer
from trivium.schema import ChatConfig, HardwareConfig, ModelConfig

sys.path.insert(0, str(Path(__file__).parent))
from small_library import CONFIG, DATASET, DUMMIES, NO_PERIOD, NOT_IN_STYLE, VOICE, Oracle, Plain, written

Metrics = dict[str, float]


@pytest.fixture(scope="module")
def items(tmp_path_factory: pytest.TempPathFactory) -> EvalItems:
    return load_items(CONFIG, DATASET, written(tmp_path_factory.mktemp("library")), VOICE)


def judged(respondent: Plain, items: EvalItems) -> Metrics:
    base, tuned = (evaluate(who, items, CONFIG) for who in (Plain(), respondent))
    return compare(tuned, base, items.parts, CONFIG)


@pytest.fixture(scope="module")
def oracle(items: EvalItems) -> Metrics:
    return judged(Oracle(), items)


def test_the_oracle_reaches_every_target(items: EvalItems, oracle: Metrics) -> None:
    assert missed(oracle, CONFIG) == []
    found = verdicts(oracle, items)
    targets = ("style_consistency", "temporal_compliance", "general_ppl_ratio")
    assert [found[f"eval/{name}"] for name in targets] == ["reached"] * 3
    assert oracle["eval/multi_turn_consistency"] == 1.0
    assert oracle["eval/false_refusal"] == 0.0
    assert oracle["eval/retained"] == oracle["eval/unlearned"] == 1.0
    assert oracle["eval/trick_dates"] == oracle["eval/paraphrases"] == 1.0


@pytest.mark.parametrize("dummy", DUMMIES, ids=lambda d: d.__name__)
def test_a_dummy_misses_a_target(items: EvalItems, dummy: type[Plain]) -> None:
    metrics = judged(dummy(), items)
    assert missed(metrics, CONFIG)
    assert "missed" in verdicts(metrics, items).values()


@pytest.mark.parametrize("dummy", NOT_IN_STYLE, ids=lambda d: d.__name__)
def test_a_dummy_has_next_to_no_style(items: EvalItems, dummy: type[Plain]) -> None:
    metrics = judged(dummy(), items)
    assert metrics["eval/style_consistency"] <= 0.1
    assert metrics["eval/multi_turn_consistency"] == 0.0


@pytest.mark.parametrize("dummy", NO_PERIOD, ids=lambda d: d.__name__)
def test_a_dummy_keeps_to_no_period(items: EvalItems, dummy: type[Plain]) -> None:
    assert judged(dummy(), items)["eval/temporal_compliance"] == 0.0


def test_every_figure_comes_with_base_difference_and_intervals(oracle: Metrics) -> None:
    figures = [name for name in oracle if f"{name}_base" in oracle]
    assert {
        f"eval/{name}" for name in ("style_consistency", "keyword_share", "general_ppl", "general_ppl_ratio", "style_drift")
    } <= {*figures}
    for name in figures:
        for end in ("_delta", "_ci_low", "_ci_high", "_delta_ci_low", "_delta_ci_high"):
            assert f"{name}{end}" in oracle
        assert oracle[f"{name}_ci_low"] <= oracle[name] <= oracle[f"{name}_ci_high"]


def test_the_judge_is_measured_and_has_no_base(oracle: Metrics) -> None:
    assert oracle["eval/style_judge_accuracy"] > 0.9
    assert "eval/style_judge_accuracy_base" not in oracle
    assert oracle["eval/style_judge_accuracy_ci_low"] <= oracle["eval/style_judge_accuracy"]


def test_answers_and_values_outlive_a_save(items: EvalItems, tmp_path: Path) -> None:
    scores = evaluate(Oracle(), items, CONFIG)
    scores.save(tmp_path)
    again = Scores.load(tmp_path)
    assert (again.items, again.readings, again.answers) == (scores.items, scores.readings, scores.answers)
    assert {path.stem for path in tmp_path.glob("*.json")} == {
        "scores",
        "questions",
        "temporal_compliance",
        "multi_turn_consistency",
    }


def test_a_real_model_is_asked_the_same_and_an_untrained_one_has_nothing(tmp_path: Path, random_model: Path) -> None:
    few = replace(CONFIG, questions=16, facts=6, dialogues=3, turns=2, max_perplexity_samples=6, max_new_tokens=6)
    items = load_items(few, DATASET, written(tmp_path / "library"), VOICE)
    model = load_base(ModelConfig(), HardwareConfig(), str(random_model))
    respondent = TorchRespondent(model, load_tokenizer(ModelConfig(), str(random_model)), ChatConfig(), 4096, 256)
    scores = evaluate(respondent, items, few)
    metrics = compare(scores, scores, items.parts, few)
    assert len(scores.answers["questions"]) == 16 and len(scores.answers["temporal_compliance"]) == 18
    assert len(scores.answers["multi_turn_consistency"]) == 3 and len(scores.readings["general"]) == 6
    assert metrics["eval/style_consistency"] == metrics["eval/temporal_compliance"] == metrics["eval/retained"] == 0.0
    assert metrics["eval/general_ppl_ratio"] == metrics["eval/general_ppl_ratio_ci_high"] == 1.0
    assert all(map(math.isfinite, metrics.values()))


def test_what_cannot_be_measured_is_named(tmp_path: Path) -> None:
    written(tmp_path)
    for name in ("judge", "general", "heldout"):
        (tmp_path / f"{name}.jsonl").write_text("")
    (tmp_path / "period.json").unlink()
    items = load_items(CONFIG, DATASET, tmp_path, VOICE)
    assert [sentence.partition(" (")[0] for sentence in items.left_out] == [
        "style",
        "temporal compliance",
        "conversations",
        "perplexity on general text",
    ]
    scores = evaluate(Oracle(), items, CONFIG)
    assert compare(scores, scores, items.parts, CONFIG) == {}
    assert len(missed({}, CONFIG)) == 3


def test_rows_of_the_judge_are_not_asked(items: EvalItems) -> None:
    assert items.persona is not None
    asked = {sample.id for sample in items.questions}
    assert asked and not asked & {row.id for row in items.persona.judged}
    assert {row.metadata["passage"] for row in items.persona.judged} == set(items.persona.passages)
    assert items.persona.systems == ["Speak as the ferryman.", ""]
