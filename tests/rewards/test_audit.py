import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from trivium.data.micro_qa import documents
from trivium.errors import DataError
from trivium.rewards.attacks import FAMILIES
from trivium.rewards.audit import audit, sentence, tables
from trivium.rewards.compose import Composition
from trivium.rewards.ranking import auc, variance_shares, violations
from trivium.rewards.terms import Term
from trivium.sample import Sample
from trivium.schema import LogicConfig, RewardConfig
from trivium.scores.answer import f1
from trivium.scores.completion import Completion, Tags
from trivium.scores.format import exact as think_format
from trivium.scores.honesty import fact_exactness
from trivium.scores.lexicon import load
from trivium.scores.repetition import repetition
from trivium.scores.vocabulary import terminology
from trivium.scores.words import contents, words

SAMPLES = documents(LogicConfig())[:40]


def told(completion: Completion, sample: Sample) -> float:
    """Honest on the small world: the reference or a paraphrase of it, word by word."""
    return float(
        words(completion.answer) in {words(text) for text in (sample.reference or "", *sample.metadata["paraphrases"])}
    )


def length(completion: Completion, sample: Sample) -> float:
    return float(len(words(completion.answer)))


def closing_tag(completion: Completion, sample: Sample) -> float:
    return float(completion.tags.close in completion.text)


def bag(completion: Completion, sample: Sample) -> float:
    expected = set(contents(sample.reference or "", load("general")))
    return len(expected & set(contents(completion.answer, load("general")))) / max(1, len(expected))


def constant(completion: Completion, sample: Sample) -> float:
    return 1.0


def fragile(completion: Completion, sample: Sample) -> float:
    completion.answer.encode()
    return told(completion, sample)


def report_of(*terms: Term, prompts: int = 8, search: int = 60, seed: int = 0) -> dict:
    composition = Composition(list(terms), lambda questions: [None for _ in questions])
    config = RewardConfig(name="toy", audit_prompts=prompts, audit_search=search)
    found = audit(composition, SAMPLES, config, Tags(), seed)
    assert json.loads(json.dumps(found)) == found
    return found


def test_an_honest_reward_passes():
    found = report_of(Term("told", told))
    assert found["failed"] == [] and found["verdict"] == "passed" and found["questions"] == 8
    assert found["genuine_median"] == 1.0 and found["search"]["total"] == 0.0 and not found["search"]["beats"]
    total = found["terms"]["total"]
    assert total["auc"] == {"value": 1.0, "low": 1.0, "high": 1.0} and total["violations"] == 0.0
    assert found["terms"]["told"]["beaten_by"] == [] and found["terms"]["told"]["variance_share"] == pytest.approx(1)
    assert set(found["families"]) == set(FAMILIES)
    assert all(row["auc"]["value"] == 1.0 and row["beating"] == 0.0 for row in found["families"].values())


@pytest.mark.parametrize(
    ("fn", "named", "spared"),
    [
        (length, {"padding", "very_long", "repetition", "reference_parroting", "search"}, {"empty", "bare_tags"}),
        (bag, {"word_soup", "padding", "reference_parroting", "garbage_tail", "search"}, {"empty", "off_topic_fluent"}),
        (terminology, {"very_long"}, {"empty", "other_scripts"}),
        (closing_tag, {*FAMILIES, "search"} - {"empty"}, set()),
        (think_format, {"boilerplate", "off_topic_fluent", "word_soup", "search"}, {"empty", "bare_tags"}),
        (constant, {*FAMILIES, "search"}, set()),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_a_reward_that_pays_something_else_fails_and_the_attack_is_named(fn, named, spared):
    found = report_of(Term("paid", fn))
    assert found["verdict"] == "failed"
    assert named <= set(found["failed"]) and not spared & set(found["failed"])
    assert any(family in sentence("toy", found) for family in named)
    assert set(found["terms"]["paid"]["beaten_by"]) == set(found["failed"]) - {"search"}


def test_the_sentence_tells_how_much_and_what_to_do():
    found = report_of(Term("length", length, weight=0.1), Term("told", told), search=0)
    text = sentence("toy", found)
    worst = max(found["families"].values(), key=lambda row: row["median"])["median"]
    assert "reward=toy" in text and f"{worst - found['genuine_median']:.2f} too much" in text and "very_long" in text
    assert "its term told tells this attack best (AUC 1.00)" in text


def test_the_same_seed_gives_the_same_report_and_another_one_other_questions():
    terms = Term("f1", f1), Term("bag", bag)
    assert report_of(*terms) == report_of(*terms) != report_of(*terms, seed=1)


def test_crashing_input_is_no_value_and_a_count():
    found = report_of(Term("fragile", fragile), search=0)
    assert found["failures"]["fragile"] > 0 and found["search"] is None
    assert found["families"]["crashing_input"]["coverage"] < 1 and found["terms"]["fragile"]["coverage"] < 1
    assert found["failed"] == []


def test_pure_scores_survive_every_attack():
    pure = [Term("format", think_format), Term("facts", fact_exactness), Term("repetition", repetition), Term("f1", f1)]
    found = report_of(*pure, prompts=12, search=0)
    assert found["failures"] == {}
    assert found["terms"]["facts"]["auc"]["value"] > 0.8
    assert "word_soup" in found["terms"]["repetition"]["beaten_by"] and "word_soup" not in found["failed"]
    assert sum(found["terms"][term.name]["variance_share"] for term in pure) == pytest.approx(1)


def test_missing_values_are_left_out_and_not_zero():
    def on_facts(completion: Completion, sample: Sample) -> float | None:
        return -0.5 if told(completion, sample) else None

    found = report_of(Term("rare", on_facts), search=0)
    row = found["terms"]["rare"]
    assert row["coverage"] < 0.2 and row["genuine_median"] == -0.5 and row["auc"] is None and row["beaten_by"] == []
    assert found["families"]["empty"]["median"] is None and found["failed"] == []


def test_a_set_without_any_genuine_value_fails_and_says_why():
    found = report_of(Term("never", lambda completion, sample: None if told(completion, sample) else 0.0))
    assert found["verdict"] == "failed" and "no genuine answer has any value" in sentence("toy", found)


def test_thresholds_tell_what_they_let_through():
    found = report_of(Term("told", told, passes=0.5, layer=0), Term("length", length, weight=0.001, layer=1))
    row = found["terms"]["told"]
    assert row["genuine_missed"] == 0.0 and row["attacks_missed"] == 1.0
    assert found["failed"] == []


def test_questions_without_references_cannot_be_audited():
    bare = [Sample(id=str(i), messages=[{"role": "user", "content": "Why?"}]) for i in range(9)]
    composition = Composition([Term("told", constant)], lambda questions: [])
    with pytest.raises(DataError, match="0 of 9 have one"):
        audit(composition, bare, RewardConfig(), Tags(), 0)


def test_tables_fit_a_terminal():
    found = report_of(Term("format_of_the_thinking", think_format), Term("facts", fact_exactness))
    (_, columns, terms), (title, heads, families) = tables(found)
    assert [row[0] for row in terms] == ["format_of_the_thinking", "facts", "total"]
    assert [row[0] for row in families] == [*FAMILIES, "best nonsense found"]
    assert f"{found['genuine_median']:.2f}" in title
    for header, rows in ((columns, terms), (heads, families)):
        cells = list(zip(*([header, *rows]), strict=True))
        widths = [max(len(line) for cell in column for line in cell.split("\n")) for column in cells]
        assert sum(widths) + 2 * len(widths) <= 80
    assert {row[-1] for row in families} == {"ok", "BEATS IT"}


@given(arrays(np.float64, (4, 3), elements=st.sampled_from([0.0, 0.5, 1.0])), st.integers(0, 3))
def test_area_and_violations_agree_with_counting(values, seed):
    genuine, attacked = [row[:1] for row in values], [row[1:] for row in values]
    pooled = [(g > a) + 0.5 * (g == a) for g in values[:, 0] for a in values[:, 1:].ravel()]
    found = auc(genuine, attacked, seed)
    assert found is not None and found.value == pytest.approx(np.mean(pooled))
    assert found.low <= found.value <= found.high
    assert violations(genuine, attacked) == pytest.approx(np.mean(values[:, 1:] >= values[:, :1]))


@given(arrays(np.float64, (8, 3), elements=st.floats(-2, 2)))
def test_shares_of_variance_add_up(values):
    shares = variance_shares(values, np.array([1.0, 2.0, 0.5]), np.repeat([0, 1], 4))
    assert shares.sum() == pytest.approx(1) or not shares.any()
