"""The verdict on a distribution: the worst finding decides."""

from typing import Any

import pytest

from trivium.data.gate import judge
from trivium.schema import GateConfig, RebalanceConfig

GOOD: dict[str, Any] = {
    "bands": {"low": 0.28, "mid": 0.34, "high": 0.38},
    "trivium": {"grammar": 0.33, "logic": 0.33, "rhetoric": 0.34, "unknown": 0.0},
    "entropy": {"mean": 1.2, "min": 0.2, "max": 2.4},
}


@pytest.mark.parametrize(
    ("change", "verdict", "reason"),
    [
        ({}, "good", ""),
        ({"bands": {"low": 0.22, "mid": 0.35, "high": 0.40}}, "acceptable", "low authority is 22.0%"),
        ({"bands": {"low": 0.10, "mid": 0.45, "high": 0.45}}, "poor", "low authority is 10.0%"),
        ({"trivium": {"grammar": 0.15, "logic": 0.45, "rhetoric": 0.40}}, "acceptable", "grammar is 15.0%"),
        ({"trivium": {"grammar": 0.10, "logic": 0.60, "rhetoric": 0.30}}, "poor", "logic is 60.0%"),
        ({"entropy": {"mean": 0.1, "min": 0.0, "max": 2.4}}, "acceptable", "mean provenance entropy is 0.10 bits"),
        ({"entropy": {"mean": 1.2, "min": 0.0, "max": 1.3}}, "poor", "1.5 bits or more"),
        ({"entropy": {"mean": 1.6, "min": 1.2, "max": 2.3}}, "acceptable", "1.0 bits or less"),
    ],
)
def test_verdicts(change: dict[str, Any], verdict: str, reason: str) -> None:
    found = judge(GOOD | change, 100, GateConfig(), RebalanceConfig())
    assert found["verdict"] == verdict and any(reason in r for r in found["reasons"]) == bool(reason)


def test_too_few_samples_are_poor() -> None:
    found = judge(GOOD, 19, GateConfig(), RebalanceConfig())
    assert found == {"verdict": "poor", "reasons": ["19 training samples, at least 20 wanted"]}
