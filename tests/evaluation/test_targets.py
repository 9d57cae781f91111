import pytest

from trivium.evaluation import Scores, missed, samples_shown, survived
from trivium.schema import PersonaEvaluation, PersonaTargets

CONFIG = PersonaEvaluation(bootstrap_samples=300)


def figures(style: float = 0.9, period: float = 0.97, ppl: float = 0.9, width: float = 0.01) -> dict[str, float]:
    named = {"eval/style_consistency": style, "eval/temporal_compliance": period, "eval/general_ppl_ratio": ppl}
    low = {f"{name}_ci_low": value - width for name, value in named.items()}
    return named | low | {f"{name}_ci_high": value + width for name, value in named.items()}


def test_all_targets_are_reached() -> None:
    assert missed(figures(), CONFIG) == []


@pytest.mark.parametrize(
    ("change", "named"), [({"style": 0.805}, "style"), ({"period": 0.955}, "temporal"), ({"ppl": 0.995}, "upper end")]
)
def test_the_worse_end_of_the_interval_decides(change: dict[str, float], named: str) -> None:
    (sentence,) = missed(figures(**change), CONFIG)
    assert named in sentence and "evaluation.targets." in sentence


def test_what_was_not_measured_is_not_reached() -> None:
    assert [("was not measured" in sentence) for sentence in missed({}, CONFIG)] == [True] * 3


def test_targets_are_settings() -> None:
    lenient = PersonaEvaluation(targets=PersonaTargets(0.5, 0.5, 2.0))
    assert missed(figures(0.6, 0.6, 1.5), lenient) == []
    assert missed({}, PersonaEvaluation(targets=PersonaTargets(None, None, None))) == []


def scored(hits: int, count: int = 200) -> Scores:
    return Scores({"temporal_compliance": {f"{i:03d}": float(i < hits) for i in range(count)}})


def test_an_effect_survives_when_little_is_lost_at_the_worse_end() -> None:
    kept = survived(scored(190), scored(190), ["eval/temporal_compliance"], CONFIG)
    assert kept["temporal_compliance_survived"] is True and kept["temporal_compliance_kept"] == 0.0
    lost = survived(scored(150), scored(190), ["temporal_compliance"], CONFIG)
    assert lost["temporal_compliance_survived"] is False
    assert lost["temporal_compliance_kept"] == pytest.approx(-0.2)
    assert survived(scored(184), scored(190), ["temporal_compliance"], CONFIG)["temporal_compliance_survived"] is False
    assert survived(scored(184), scored(190), ["temporal_compliance"], CONFIG, margin=0.1)["temporal_compliance_survived"]


def test_only_items_that_both_answered_are_compared() -> None:
    other = Scores({"temporal_compliance": {"other": 1.0}})
    assert survived(other, scored(5), ["temporal_compliance", "unheard_of"], CONFIG) == {}


def answers(word: str) -> Scores:
    asked = [
        {"id": f"w#{i}/{part}/0", "question": f"{part}{i}", "completion": word} for part in ("core", "style") for i in range(5)
    ]
    dated = [
        {"id": f"fact-{i}/{kind}", "kind": kind, "question": f"{kind}{i}", "completion": word, "later": i % 2 == 1}
        for i in range(4)
        for kind in ("question", "trick-0")
    ]
    for row in dated:
        row["kind"] = str(row["kind"]).partition("-")[0]
    return Scores(answers={"questions": asked, "temporal_compliance": dated})


def test_what_is_shown_is_spread_over_components_and_the_period() -> None:
    shown = samples_shown(answers("tuned"), answers("base"), 4)
    assert [row.question for row in shown] == ["core0", "style0", "question1", "question0"]
    assert {(row.base, row.tuned) for row in shown} == {("base", "tuned")}
    assert len(samples_shown(answers("a"), answers("b"), 6)) == 6
    assert samples_shown(answers("a"), answers("b"), 0) == samples_shown(Scores(), answers("b"), 4) == []
