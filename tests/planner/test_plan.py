"""Verdicts, and what would help: every remedy is composed again and then fits."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trivium.planner import memory, plan, telling
from trivium.planner.anatomy import anatomy
from trivium.planner.batch import batch
from trivium.planner.plan import FITS, TIGHT, TOO_BIG, forecast, judged, need
from trivium.schema import Config, FullAdapter, LoraAdapter, ModelConfig, ModelShape, SftMethod, UniformLoss

BIG = ("experiment=none", "model=llama3_1_8b", "hardware=cuda_24gb", "loss=uniform", "dataset=micro_archive", "tracking=none")
ONE_PLAIN = ("hardware.per_device_train_batch_size=1", "hardware.gradient_checkpointing=false", "evaluation=none")
SHAPE = ModelShape("llama", 512, 1024, 8, 8, 2, vocab_size=8000)


def small(**hardware) -> Config:
    model = ModelConfig(path="a/b", init="random", shape=SHAPE, max_length=512)
    config = Config(model=model, loss=UniformLoss(), method=SftMethod(max_steps=3))
    config.hardware = replace(config.hardware, **{"per_device_train_batch_size": 8, **hardware})
    return config


def test_verdicts() -> None:
    assert [judged(needed, 100, 0.9) for needed in (89.9, 90, 100, 100.1)] == [FITS, TIGHT, TIGHT, TOO_BIG]


def test_a_tier_or_a_limit_bounds_what_there_is() -> None:
    assert plan.capacity_of(small(memory_gb=24, device="cuda")).bytes == 24e9
    assert plan.capacity_of(small(memory_gb=24, device="cuda", memory_limit_gb=8)).bytes == 8e9
    here = plan.capacity_of(small())
    assert here.bytes > 1e9 and "this machine" in here.source


@pytest.mark.parametrize(
    "words",
    [
        ("adapter=full",),
        ("adapter=lora", "hardware.per_device_train_batch_size=16", "hardware.gradient_checkpointing=false"),
        ("adapter=lora", "hardware=cuda_12gb"),
        ("adapter=lora", "hardware=rocm", "model.max_length=8192"),
    ],
    ids=["full", "large batches", "small card", "long rows"],
)
def test_remedies_are_overrides_that_compose_and_fit(config_of, words: tuple[str, ...]) -> None:
    found = forecast(config_of(*BIG, *words))
    assert found.verdict == TOO_BIG and found.remedies
    for remedy in found.remedies:
        again = forecast(config_of(*BIG, *words, *remedy.overrides))
        assert again.verdict != TOO_BIG, remedy
        assert again.peak.total == pytest.approx(remedy.need, rel=1e-6)


def test_remedies_are_ranked_and_what_loses_data_says_so(config_of) -> None:
    long = config_of(*BIG, "adapter=lora", "model.max_length=4096", *ONE_PLAIN)
    costs = [remedy.cost for remedy in forecast(long).remedies]
    assert costs[0].startswith("about a third more time")
    assert any("data: what is longer is cut" in cost for cost in costs[1:])


def test_a_smaller_micro_batch_is_the_largest_that_fits(config_of) -> None:
    words = (*BIG, "adapter=lora", "hardware.per_device_train_batch_size=16", "evaluation=none")
    sizes = [r.overrides[0] for r in forecast(config_of(*words)).remedies if "per_device_train_batch_size" in r.overrides[0]]
    key, size = sizes[0].split("=")
    assert 1 <= int(size) < 16
    assert forecast(config_of(*words, f"{key}={2 * int(size)}")).verdict == TOO_BIG


def test_what_cannot_fit_alone_is_put_together(config_of) -> None:
    crowded = config_of(*BIG, "adapter=lora", "hardware=cuda_12gb", "model.max_length=2048", "evaluation=provenance")
    first = forecast(crowded).remedies[0]
    assert len(first.overrides) >= 2 and "; " in first.cost


def test_a_model_too_large_for_anything_here_is_told_as_such(config_of) -> None:
    found = forecast(config_of(*BIG, "adapter=full", "hardware=cuda_141gb", "model=r1_llama_70b"))
    assert found.verdict == TOO_BIG
    assert not any("hardware=" in word for remedy in found.remedies for word in remedy.overrides if word.count(".") == 0)


def test_fsdp2_shares_what_stays_and_ddp_does_not() -> None:
    model = anatomy(small().model)
    alone, ddp, shared = (
        memory.static(model, replace(small(num_processes=n, parallel=parallel), adapter=FullAdapter()))
        for n, parallel in ((1, "ddp"), (2, "ddp"), (2, "fsdp2"))
    )
    assert alone == ddp
    assert {part: bytes_ / 2 for part, bytes_ in alone.items()} == shared


@settings(max_examples=40, deadline=None)
@given(
    micro=st.sampled_from([1, 2, 4, 8]),
    length=st.sampled_from([64, 256, 512]),
    full=st.booleans(),
    eager=st.booleans(),
    half=st.booleans(),
)
def test_more_at_once_never_takes_less_and_checkpointing_never_more(
    micro: int, length: int, full: bool, eager: bool, half: bool
) -> None:
    def needed(micro: int, length: int, checkpointing: bool) -> float:
        kernel, dtype = "eager" if eager else "sdpa", "bfloat16" if half else "float32"
        config = small(
            per_device_train_batch_size=micro,
            gradient_checkpointing=checkpointing,
            attn_implementation=kernel,
            dtype=dtype,
            eval_batch_tokens=64,
        )
        config.model.max_length = length
        return need(replace(config, adapter=FullAdapter() if full else LoraAdapter()))

    plain = needed(micro, length, False)
    assert needed(micro * 2, length, False) >= plain
    assert needed(micro, length * 2, False) >= plain
    assert needed(micro, length, True) <= plain


def test_time_and_price_follow_from_the_pace() -> None:
    config = small()
    config.plan = replace(config.plan, tokens_per_second=1000.0, price_per_hour=3.6)
    found = forecast(config)
    assert found.seconds == pytest.approx(3 * 64 * 512 / 1000)
    assert found.price == pytest.approx(found.seconds / 1000)
    assert "price at most 0.10" in telling.line(found)
    config.method = SftMethod(max_steps=None)
    assert forecast(config).seconds is None and "until data are prepared" in telling.line(forecast(config))


def test_rough_numbers_are_told() -> None:
    notes = " ".join(forecast(small(device="cuda", memory_gb=24)).notes)
    assert "data are not counted" in notes and "overhead is rough" in notes
    config = small()
    config.method.optim = "galore_adamw"
    assert "galore_adamw is not known" in " ".join(forecast(config).notes)
    assert "other architectures than phi" in " ".join(
        forecast(replace(config, model=replace(config.model, shape=replace(SHAPE, model_type="phi")))).notes
    )


def test_quantised_bases_are_small_while_they_train_and_whole_when_they_are_asked(config_of) -> None:
    config = config_of(*BIG, "adapter=qlora", "hardware=cuda_48gb", "evaluation=provenance")
    found = {phase.name: phase.parts["weights"] for phase in forecast(config).phases}
    model = anatomy(config.model)
    linear = sum(one.inputs * one.outputs for one in model.linears)
    assert found["evaluation"] == model.parameters * 2
    config.hardware.eval_quantised = True
    assert {phase.name: phase.parts["weights"] for phase in forecast(config).phases}["evaluation"] == found["loss"]
    assert found["loss"] == pytest.approx((model.parameters - linear) * 2 + linear * (0.5 + 1 / 64 + 4 / (64 * 256)))


def test_batches_of_several_processes_are_smaller(config_of) -> None:
    config = small(num_processes=4)
    assert batch(config, None).accumulation == 2
