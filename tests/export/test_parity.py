"""A certificate passes what answers alike, and names what does not: template, tokens, stops, distributions, likeliest."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.export import shapes

from trivium.export import battery, parity
from trivium.export.parity import LIMITS, Certificate, certify, observe, report
from trivium.export.reference import TorchRuntime
from trivium.export.runtime import Logprobs, Runtime, Variant
from trivium.models.load import load_base, load_tokenizer
from trivium.sample import Message
from trivium.schema import HardwareConfig, ModelConfig, ParityConfig

SETTINGS = ParityConfig(prompts=4, max_new_tokens=8)


@pytest.fixture(scope="module", params=["llama_untied", "qwen2"])
def runtime(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> TorchRuntime:
    folder = tmp_path_factory.mktemp(request.param)
    shapes.make(request.param, folder, hidden=64)
    model = ModelConfig(path=str(folder))
    return TorchRuntime(load_base(model, HardwareConfig(), str(folder)), load_tokenizer(model, str(folder)))


class Changed:
    """A runtime that differs from another in what is given."""

    def __init__(self, other: Runtime, **changes: Callable[..., object]) -> None:
        self._other = other
        for name, change in changes.items():
            setattr(self, name, change)

    def __getattr__(self, name: str) -> object:
        return getattr(self._other, name)


def certificate(reference: TorchRuntime, other: object, precision: str = "f32") -> Certificate:
    asked = battery.conversations(reference.tokenizer)
    seen = observe(reference, asked, [turns for turns, ask in asked if ask][: SETTINGS.prompts], SETTINGS)

    @contextmanager
    def opened() -> Iterator[Runtime]:
        yield other  # type: ignore[misc]

    return certify(Variant("form", precision, (), opened), seen, SETTINGS, Path("."))


def test_the_reference_agrees_with_itself(runtime: TorchRuntime) -> None:
    found = certificate(runtime, runtime, "exact")
    assert found.passed, found.reasons
    assert (found.templates, found.tokens, found.top1, found.answers, found.kl) == (1, 1, 1, 1, 0)


def test_another_rendering_is_found(runtime: TorchRuntime) -> None:
    def render(messages: Sequence[Message], ask: bool) -> str:
        return runtime.render(messages, ask) + (" " if messages[0]["role"] == "system" and len(messages) > 2 else "")

    (reason,) = certificate(runtime, Changed(runtime, render=render)).reasons
    assert "rendered differently" in reason


def test_other_tokens_are_found(runtime: TorchRuntime) -> None:
    found = certificate(runtime, Changed(runtime, tokenize=lambda text: [0, *runtime.tokenize(text)]))
    assert found.tokens == 0 and "other tokens" in found.reasons[0]


def test_stops_of_other_formats_do_no_harm_unless_an_answer_holds_them(runtime: TorchRuntime) -> None:
    assert certificate(runtime, Changed(runtime, stops=lambda: runtime.stops() | {"<|im_end|>"})).passed
    said = runtime.greedy(runtime.tokenize(runtime.render([{"role": "user", "content": "Good morning."}], True)), 8)
    word = runtime.tokenizer.convert_ids_to_tokens(said[0])
    if runtime.tokenize(word) == [said[0]]:
        assert not certificate(runtime, Changed(runtime, stops=lambda: runtime.stops() | {word})).stops


def test_a_form_that_is_nearer_to_the_untuned_model_is_found(runtime: TorchRuntime, tmp_path: Path) -> None:
    """However coarse it may be: a slight change of the weights stays below the limits of low precisions."""
    shape = "llama_untied" if runtime.tokenizer.bos_token else "qwen2"
    shapes.make(shape, tmp_path, hidden=64)
    model = ModelConfig(path=str(tmp_path))
    base = load_base(model, HardwareConfig(), str(tmp_path))
    base.get_input_embeddings().weight.data.mul_(1.03)
    untuned = TorchRuntime(base, runtime.tokenizer)
    asked = battery.conversations(runtime.tokenizer)
    seen = observe(runtime, asked, [turns for turns, ask in asked if ask][:4], SETTINGS)

    def certified(form: TorchRuntime) -> Certificate:
        variant = Variant("form", "q2_k", (), lambda: nullcontext(form))
        return certify(variant, parity.beside(seen, untuned), SETTINGS, Path("."))

    assert certified(runtime).passed
    (reason,) = certified(untuned).reasons
    assert "nearer to the untuned model" in reason


def test_another_stop_is_found(runtime: TorchRuntime) -> None:
    (reason,) = certificate(runtime, Changed(runtime, stops=lambda: frozenset({"</s>"}))).reasons
    assert "stops at </s>" in reason


@pytest.mark.parametrize("precision", LIMITS)
def test_a_model_that_knows_nothing_passes_no_limit(runtime: TorchRuntime, precision: str) -> None:
    def flat(ids: Sequence[int], first: int) -> Logprobs:
        return np.full_like(runtime.logprobs(ids, first), -np.log(len(runtime.tokenizer)))

    assert not certificate(runtime, Changed(runtime, logprobs=flat), precision).passed


def test_a_value_that_is_no_number_does_not_pass(runtime: TorchRuntime) -> None:
    def broken(ids: Sequence[int], first: int) -> Logprobs:
        return np.full_like(runtime.logprobs(ids, first), np.nan)

    assert not certificate(runtime, Changed(runtime, logprobs=broken), "q2_k").passed


@given(st.lists(st.floats(-8, 8), min_size=3, max_size=3), st.lists(st.floats(-8, 8), min_size=3, max_size=3))
def test_the_divergence_is_kullback_and_leiblers(a: list[float], b: list[float]) -> None:
    p, q = (np.array([row]) - np.log(np.exp(row).sum()) for row in (a, b))
    kl, _ = parity._divergence(p.astype(np.float32), q.astype(np.float32))
    expected = sum(np.exp(x) * (x - y) for x, y in zip(p[0], q[0], strict=True))
    assert kl[0] == pytest.approx(expected, abs=1e-4)


def test_a_near_tie_may_go_either_way_and_a_clear_choice_may_not() -> None:
    near, clear = (np.log(np.array([row], np.float32)) for row in ([0.41, 0.4, 0.19], [0.6, 0.21, 0.19]))
    other = np.log(np.array([[0.4, 0.41, 0.19]], np.float32))
    tie = LIMITS["q8_0"].tie
    assert [bool(parity._divergence(p, other, tie)[1][0]) for p in (near, clear)] == [True, False]
    assert not parity._divergence(near, other, LIMITS["exact"].tie)[1][0]


def test_rows_of_padding_in_the_vocabulary_do_not_count(runtime: TorchRuntime) -> None:
    def padded(ids: Sequence[int], first: int) -> Logprobs:
        return np.pad(runtime.logprobs(ids, first), ((0, 0), (0, 8)), constant_values=-200)

    assert certificate(runtime, Changed(runtime, logprobs=padded)).passed


def test_limits_grow_with_what_is_left_out() -> None:
    order = ("exact", "f32", "f16", "q8_0", "q6_k", "q5_k_m", "q4_k_m", "q3_k_m", "q2_k")
    limits = [LIMITS[name] for name in order]
    assert limits == sorted(limits, key=lambda limit: (limit.kl, -limit.top1))


def test_the_report_tells_the_whole(runtime: TorchRuntime) -> None:
    good, bad = certificate(runtime, runtime), certificate(runtime, Changed(runtime, stops=frozenset))
    told = report([good, bad], SETTINGS, {"base": "a/b"})
    assert not told["passed"] and [form["passed"] for form in told["forms"]] == [True, False]
    assert told["base"] == "a/b" and told["forms"][0]["limit"] == LIMITS["f32"]._asdict()
