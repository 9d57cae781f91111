"""What failed is not exported by mistake."""

from collections.abc import Callable
from pathlib import Path

import pytest

from trivium.errors import ConfigError, GateError
from trivium.evaluation import suites
from trivium.evaluation.compare import LESS_IS_BETTER
from trivium.export.card_words import MEANINGS
from trivium.export.release import failed_checks, judge
from trivium.rewards.rehearse import GOLD, PROXY
from trivium.schema import Config, ExportConfig

METRICS = {"eval/gold_reward": 0.2, "eval/gold_reward_ci_low": 0.1, "eval/gold_reward_ci_high": 0.3}


@pytest.mark.parametrize("verdict", ["failed", "missed", "worse"])
def test_a_critical_figure_with_such_a_verdict_refuses(verdict: str) -> None:
    (sentence,) = failed_checks(ExportConfig(), {"eval/gold_reward": verdict}, METRICS)
    assert "eval/gold_reward = 0.20 [0.10, 0.30]" in sentence
    with pytest.raises(GateError, match=r"export\.force=true"):
        judge(ExportConfig(), [sentence])


@pytest.mark.parametrize("verdict", ["marginal", "good", "reached", "unchanged", "better"])
def test_others_do_not(verdict: str) -> None:
    assert not failed_checks(ExportConfig(), {"eval/gold_reward": verdict}, METRICS)


def test_only_critical_figures_count() -> None:
    settings = ExportConfig(critical=["eval/discernment"])
    assert not failed_checks(settings, {"eval/gold_reward": "failed", "eval/discernment": "good"}, METRICS)
    assert failed_checks(settings, {"eval/discernment": "failed"}, {"eval/discernment": 0.1})


def test_a_critical_figure_that_was_not_judged_is_refused_and_not_passed_over() -> None:
    settings = ExportConfig(critical=["eval/discernment"])
    with pytest.raises(ConfigError, match=r"export\.critical: eval/discernment has no verdict .* here: eval/gold_reward\."):
        failed_checks(settings, {"eval/gold_reward": "good"}, METRICS)
    assert not failed_checks(settings, {}, {})  # a run without an evaluation
    assert not failed_checks(ExportConfig(critical=["eval/discernment"], force=True), {"eval/gold_reward": "good"}, METRICS)
    assert not failed_checks(ExportConfig(), {"eval/harbour": "good"}, METRICS)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            ["export.critical=[eval/source_preferense]"],
            "eval/source_preferense is no figure; did you mean `eval/source_preference`?",
        ),
        (["export.critical=[eval/discernment,band/low/pp]"], "band/low/pp is no figure; did you mean `band/low/ppl`?"),
        (["experiment=coherence", "export.critical=[eval/fact_exactnes]"], "did you mean `eval/fact_exactness`?"),
    ],
)
def test_a_misspelt_figure_is_told_before_anything_is_trained(
    config_of: Callable[..., Config], words: list[str], said: str
) -> None:
    with pytest.raises(ConfigError) as found:
        config_of("arms=null", "export=adapter", *words)
    assert said in str(found.value)


def test_figures_of_ones_own_are_known(config_of: Callable[..., Config], tmp_path: Path) -> None:
    shipped = Path(suites.__file__).parent / "suites" / "source_reliability.yaml"
    (tmp_path / "own.yaml").write_text(shipped.read_text().replace("metric: source_reliability", "metric: harbour"))
    words = ("arms=null", "export=adapter", f"evaluation.suites=[{tmp_path}/own.yaml]")
    assert config_of(*words, "export.critical=[eval/harbour]").export.critical == ["eval/harbour"]
    with pytest.raises(ConfigError, match="did you mean `eval/harbour`"):
        config_of(*words, "export.critical=[eval/harbur]")
    scores = "+evaluation.scores.brief={fn: format.exact}"
    assert config_of("experiment=coherence", "arms=null", "export=adapter", scores, "export.critical=[eval/brief]")


def test_every_verdict_of_a_shipped_evaluation_is_known() -> None:
    """The names that are known before training are those of the evaluations."""
    for name in (*LESS_IS_BETTER, *ExportConfig().critical, f"eval/{GOLD}", f"eval/{PROXY}"):
        assert name in MEANINGS


def test_force_lets_it_pass() -> None:
    judge(ExportConfig(force=True), ["eval/gold_reward is failed"])
