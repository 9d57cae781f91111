"""What failed is not exported by mistake."""

import pytest

from trivium.errors import GateError
from trivium.export.release import failed_checks, judge
from trivium.schema import ExportConfig

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
    assert not failed_checks(settings, {"eval/gold_reward": "failed"}, METRICS)
    assert failed_checks(settings, {"eval/discernment": "failed"}, {"eval/discernment": 0.1})


def test_force_lets_it_pass() -> None:
    judge(ExportConfig(force=True), ["eval/gold_reward is failed"])
