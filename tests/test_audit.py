import json
from pathlib import Path

import pytest

from trivium.audit import audit
from trivium.schema import (
    Config,
    DistrustLoss,
    DistrustPublishedLoss,
    DistrustSampledLoss,
    FullAdapter,
    LoraAdapter,
    UniformLoss,
)


def report(loss: object, base: Path, prepared: Path, micro: int = 8, packing: bool = False, adapter=None) -> dict:
    config = Config(loss=loss, adapter=adapter or LoraAdapter(r=4))
    config.method.total_batch_size, config.method.packing = 24, packing
    config.hardware.per_device_train_batch_size = micro
    found = audit(config, str(base), prepared)
    assert json.loads(json.dumps(found)) == found
    return found


@pytest.mark.parametrize("adapter", [LoraAdapter(r=4), FullAdapter()], ids=["lora", "full"])
@pytest.mark.parametrize("packing", [False, True])
def test_the_published_term_moves_nothing_and_fails(random_model, prepared, adapter, packing):
    found = report(DistrustPublishedLoss(), random_model, prepared, adapter=adapter, packing=packing)
    plain, added = found["terms"]
    assert (plain["name"], added["name"]) == ("cross_entropy", "distrust")
    assert added["norm"] == 0.0 and added["norm_ratio"] == 0.0 and added["value"] > 1
    assert plain["norm_ratio"] == pytest.approx(1) and plain["cosine"] == pytest.approx(1)
    assert found["failed"] == ["distrust"] and "gradient is zero" in found["notice"]


def test_plain_cross_entropy_is_its_own_reference(random_model, prepared):
    found = report(UniformLoss(), random_model, prepared)
    assert [t["name"] for t in found["terms"]] == ["cross_entropy"] and found["failed"] == []
    assert found["terms"][0]["norm_ratio"] == pytest.approx(1) and found["terms"][0]["cosine"] == pytest.approx(1)
    assert found["bands"]["low"]["ess_fraction"] == 1.0
    for share in ("weight_share", "gradient_share"):
        assert sum(band[share] for band in found["bands"].values()) == pytest.approx(1)


@pytest.mark.parametrize(
    ("loss", "name"),
    [(DistrustLoss(), "weighted_cross_entropy"), (DistrustSampledLoss(), "sampled_cross_entropy")],
)
def test_distrust_turns_the_gradient_towards_low_authority(random_model, prepared, loss, name):
    found = report(loss, random_model, prepared)
    (term,) = found["terms"]
    assert term["name"] == name and found["failed"] == []
    assert 0 < term["cosine"] < 0.999 and term["norm_ratio"] > 0.1
    plain = report(UniformLoss(), random_model, prepared)["bands"]
    assert found["bands"]["low"]["weight_share"] > plain["low"]["weight_share"] + 0.2
    assert found["bands"]["low"]["gradient_share"] > plain["low"]["gradient_share"] + 0.1


def test_alpha_zero_is_plain_cross_entropy(random_model, prepared):
    (term,) = report(DistrustLoss(alpha=0), random_model, prepared)["terms"]
    assert term["norm_ratio"] == pytest.approx(1) and term["cosine"] == pytest.approx(1)


def test_micro_batches_do_not_change_the_measurement(random_model, prepared):
    whole = report(DistrustLoss(), random_model, prepared, micro=24)["terms"][0]
    parts = report(DistrustLoss(), random_model, prepared, micro=2)["terms"][0]
    assert parts.pop("name") == whole.pop("name")
    assert parts == pytest.approx(whole, rel=1e-4)
