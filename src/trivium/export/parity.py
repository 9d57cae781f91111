"""The certificate: every exported form renders, stops and answers as the evaluated model does, within a stated limit."""

import math
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from trivium.artifact import file_hash
from trivium.export.runtime import Logprobs, Runtime, Variant
from trivium.sample import Message
from trivium.schema import ParityConfig

Conversation = tuple[list[Message], bool]
"""Turns, and whether the assistant is to speak next."""


class Limit(NamedTuple):
    """Most mean Kullback-Leibler divergence (nats a token) from the reference, and least share of equal likeliest tokens."""

    kl: float
    top1: float

    @property
    def tie(self) -> float:
        """Tokens whose probabilities (of the reference) are closer than this are equally likely: by Pinsker's inequality a
        divergence within the limit may change the difference of two probabilities so far.
        """
        return min(math.sqrt(2 * self.kl), _WIDEST_TIE)


LIMITS = {
    "exact": Limit(1e-9, 1.0),
    "f32": Limit(1e-5, 1.0),
    "f16": Limit(1e-4, 0.99),
    "bf16": Limit(1e-2, 0.97),
    "q8_0": Limit(1e-2, 0.97),
    "q6_k": Limit(0.03, 0.95),
    "q5_k_m": Limit(0.06, 0.93),
    "q5_k_s": Limit(0.06, 0.93),
    "q4_k_m": Limit(0.15, 0.90),
    "q4_k_s": Limit(0.15, 0.90),
    "q3_k_m": Limit(0.4, 0.80),
    "q3_k_s": Limit(0.5, 0.75),
    "q2_k": Limit(1.0, 0.60),
    "mlx_8bit": Limit(1e-2, 0.97),
    "mlx_4bit": Limit(0.3, 0.85),
}
"""What each precision may lose."""
_WIDEST_TIE = 0.05


@dataclass(frozen=True)
class Asked:
    """What the reference makes of a prompt: the string, its ids, the greedy answer, the distributions over the answer; and
    what the untuned model expects in the same places.
    """

    messages: list[Message]
    text: str
    ids: list[int]
    answer: list[int]
    logprobs: Logprobs
    untuned: Logprobs | None = None

    def expected(self, runtime: Runtime) -> Logprobs:
        """What a runtime expects at the places of the answer."""
        return runtime.logprobs([*self.ids, *self.answer], len(self.ids) - 1)


@dataclass(frozen=True)
class Reference:
    """What all forms are compared with."""

    rendered: list[tuple[Conversation, str, list[int]]]
    asked: list[Asked]
    stops: frozenset[str]


@dataclass
class Certificate:
    """One form's agreement with the reference. Shares lie in [0, 1]; divergences are nats a token."""

    name: str
    precision: str
    files: dict[str, str]
    templates: float
    tokens: float
    stops: bool
    kl: float
    kl_max: float
    kl_untuned: float | None
    top1: float
    answers: float
    reasons: list[str]

    @property
    def passed(self) -> bool:
        """Whether nothing is wrong."""
        return not self.reasons


def observe(
    reference: Runtime, conversations: Sequence[Conversation], prompts: Sequence[list[Message]], settings: ParityConfig
) -> Reference:
    """Ask the reference everything."""
    rendered = []
    for turns, ask in conversations:
        text = reference.render(turns, ask)
        rendered.append(((turns, ask), text, reference.tokenize(text)))
    return Reference(rendered, [_ask(reference, turns, settings.max_new_tokens) for turns in prompts], reference.stops())


def beside(seen: Reference, untuned: Runtime) -> Reference:
    """The same with what the untuned model expects, to which no form may be nearer than to the tuned one."""
    return replace(seen, asked=[replace(asked, untuned=asked.expected(untuned)) for asked in seen.asked])


def certify(variant: Variant, reference: Reference, settings: ParityConfig, root: Path) -> Certificate:
    """Open a form as its program does and compare it; `files` are named relative to `root`."""
    files = {str(path.relative_to(root)): file_hash(path) for path in variant.files}
    opened: AbstractContextManager[Runtime] = variant.open()
    with opened as runtime:
        return _compare(runtime, variant, files, reference, settings.max_new_tokens)


def report(certificates: Sequence[Certificate], settings: ParityConfig, parts: Mapping[str, Any]) -> dict[str, Any]:
    """`parity.json`: what was compared, with what limits, and what was found; `parts` names base, adapter and data."""
    rows = [{**asdict(one), "limit": LIMITS[one.precision]._asdict(), "passed": one.passed} for one in certificates]
    return {"passed": all(one.passed for one in certificates), "settings": asdict(settings), **parts, "forms": rows}


def _ask(reference: Runtime, turns: list[Message], max_new_tokens: int) -> Asked:
    text = reference.render(turns, True)
    ids = reference.tokenize(text)
    answer = reference.greedy(ids, max_new_tokens)
    return Asked(turns, text, ids, answer, reference.logprobs([*ids, *answer], len(ids) - 1))


def _compare(
    runtime: Runtime, variant: Variant, files: dict[str, str], reference: Reference, max_new_tokens: int
) -> Certificate:
    texts = [runtime.render(turns, ask) == text for (turns, ask), text, _ in reference.rendered]
    tokens = [runtime.tokenize(text) == ids for _, text, ids in reference.rendered]
    texts += [runtime.render(asked.messages, True) == asked.text for asked in reference.asked]
    tokens += [runtime.tokenize(asked.text) == asked.ids for asked in reference.asked]
    same = [runtime.greedy(asked.ids, max_new_tokens) == asked.answer for asked in reference.asked]
    expected = [asked.expected(runtime) for asked in reference.asked]
    tie = LIMITS[variant.precision].tie
    columns = [_divergence(asked.logprobs, mine, tie) for asked, mine in zip(reference.asked, expected, strict=True)]
    kl, top = (np.concatenate(parts) for parts in zip(*columns, strict=True))
    found = Certificate(
        variant.name,
        variant.precision,
        files,
        float(np.mean(texts)),
        float(np.mean(tokens)),
        _stops_alike(runtime, reference),
        float(kl.mean()),
        float(kl.max()),
        _from_untuned(reference.asked, expected),
        float(top.mean()),
        float(np.mean(same)),
        [],
    )
    found.reasons += _reasons(found, runtime.stops(), reference.stops)
    return found


def _stops_alike(runtime: Runtime, reference: Reference) -> bool:
    """Whether it stops wherever the reference does, and elsewhere only at tokens that stand in no answer: some programs know
    tokens of other formats by their text.
    """
    more = [runtime.tokenize(stop) for stop in runtime.stops() - reference.stops]
    said = any(_holds(asked.answer, stop) for asked in reference.asked for stop in more)
    return reference.stops <= runtime.stops() and not said


def _holds(answer: list[int], stop: list[int]) -> bool:
    return any(answer[i : i + len(stop)] == stop for i in range(len(answer)))


def _from_untuned(asked: list[Asked], expected: list[Logprobs]) -> float | None:
    """Mean divergence of a form from the untuned model (nats a token); None where that was not asked."""
    parts = [_divergence(one.untuned, mine)[0] for one, mine in zip(asked, expected, strict=True) if one.untuned is not None]
    return float(np.concatenate(parts).mean()) if parts else None


def _divergence(reference: Logprobs, other: Logprobs, tie: float = 0.0) -> tuple[Any, Any]:
    """Per position: KL of the form from the reference over their shared vocabulary (nats), and whether the form's likeliest
    token is the reference's, or as likely there.
    """
    width = min(reference.shape[1], other.shape[1])
    p, q = (np.asarray(rows[:, :width], np.float64) for rows in (reference, other))
    kl = np.maximum((np.exp(p) * (p - q)).sum(1), 0.0)
    chosen = np.take_along_axis(p, q.argmax(1)[:, None], 1)[:, 0]
    return kl, np.exp(p.max(1)) - np.exp(chosen) <= tie


def _reasons(found: Certificate, stops: frozenset[str], wanted: frozenset[str]) -> list[str]:
    limit = LIMITS[found.precision]
    reasons = []
    if found.templates < 1:
        reasons.append(f"{1 - found.templates:.0%} of the conversations are rendered differently")
    if found.tokens < 1:
        reasons.append(f"{1 - found.tokens:.0%} of the strings become other tokens")
    if not found.stops:
        reasons.append(f"it stops at {', '.join(sorted(stops)) or 'nothing'}, the reference at {', '.join(sorted(wanted))}")
    if not found.kl <= limit.kl:
        reasons.append(f"mean divergence {found.kl:.2g} nats a token, at most {limit.kl:g} allowed for {found.precision}")
    if found.kl_untuned is not None and found.kl_untuned < found.kl:
        reasons.append(f"it is nearer to the untuned model ({found.kl_untuned:.2g} nats a token) than to the tuned one")
    if found.top1 < limit.top1:
        reasons.append(f"the likeliest token agrees in {found.top1:.1%} of the places, at least {limit.top1:.0%} is asked")
    return reasons
