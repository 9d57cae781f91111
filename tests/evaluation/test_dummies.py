"""No respondent that knows nothing may pass anything; one that knows everything must."""

import sys
from pathlib import Path

import pytest

from trivium.evaluation import EvalItems, compare, evaluate, verdicts
from trivium.schema import EvaluationConfig

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
