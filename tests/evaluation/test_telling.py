"""What a run says of a persona: missed targets warn or end it, lost effects are named, answers stand side by side."""

import io

import pytest
from rich.console import Console

from trivium.console import Screen
from trivium.errors import GateError
from trivium.evaluation import Scores, telling
from trivium.schema import PersonaEvaluation, PersonaTargets

GOOD = {"style_consistency": 0.95, "temporal_compliance": 0.99, "general_ppl_ratio": 0.8, "style_judge_accuracy": 0.99}


class Heard(Screen):
    """A screen that keeps what it shows."""

    def __init__(self) -> None:
        self.file = io.StringIO()
        super().__init__(Console(file=self.file, width=200))

    @property
    def text(self) -> str:
        return self.file.getvalue()


def figures(**changes: float) -> dict[str, float]:
    named = {f"eval/{name}": value for name, value in (GOOD | changes).items()}
    return named | {f"{name}_ci_{end}": value for name, value in named.items() for end in ("low", "high")}


def config(gate: str) -> PersonaEvaluation:
    return PersonaEvaluation(gate=gate, bootstrap_samples=200)


def scored(hits: int, metric: str = "temporal_compliance") -> Scores:
    return Scores({metric: {f"{i:03d}": float(i < hits) for i in range(100)}})


def test_a_strict_gate_ends_the_run_with_every_missed_target() -> None:
    with pytest.raises(GateError) as caught:
        telling.judge(figures(style_consistency=0.5, general_ppl_ratio=1.2), config("strict"), Heard())
    said = str(caught.value)
    assert caught.value.exit_code == 3
    assert "eval/style_consistency is 0.500" in said and "eval/general_ppl_ratio is 1.200" in said
    assert "temporal" not in said and said.endswith("set evaluation.gate=warn.")


@pytest.mark.parametrize(("gate", "lines"), [("warn", 1), ("off", 0)])
def test_a_mild_gate_warns_or_is_silent(gate: str, lines: int) -> None:
    screen = Heard()
    telling.judge(figures(temporal_compliance=0.6), config(gate), screen)
    assert screen.text.count("warning: eval/temporal_compliance is 0.600") == lines


@pytest.mark.parametrize("gate", ["strict", "warn", "off"])
def test_what_reaches_its_targets_passes_without_a_word(gate: str) -> None:
    screen = Heard()
    telling.judge(figures(), config(gate), screen)
    assert screen.text == ""


def test_no_targets_no_gate() -> None:
    lenient = config("strict")
    lenient.targets = PersonaTargets(None, None, None)
    telling.judge({}, lenient, Heard())


def test_a_weak_judge_is_doubted_whatever_the_gate() -> None:
    screen = Heard()
    telling.judge(figures(style_judge_accuracy=0.7), config("off"), screen)
    assert "warning: the style judge tells 70% of held-out answers rightly" in screen.text


def test_a_lost_effect_is_named_with_its_interval_and_a_kept_one_is_not() -> None:
    screen = Heard()
    found = telling.kept(scored(60), scored(95), "period", config("warn"), screen)
    assert found["eval/temporal_compliance_kept"] == pytest.approx(-0.35)
    assert found["eval/temporal_compliance_survived"] == 0.0
    assert "temporal_compliance of period has not surely survived: it changed by -0.35 [" in screen.text
    silent = Heard()
    assert telling.kept(scored(95), scored(95), "period", config("warn"), silent)["eval/temporal_compliance_survived"] == 1.0
    assert silent.text == ""


def test_what_was_not_measured_before_is_not_compared() -> None:
    assert telling.kept(scored(95), scored(95, "retained"), "period", config("warn"), Heard()) == {}
