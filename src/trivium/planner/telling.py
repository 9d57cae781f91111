"""A forecast in words, tables, JSON and metrics."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from trivium.artifact import write_json
from trivium.console import Screen
from trivium.errors import GateError
from trivium.planner.memory import PARTS
from trivium.planner.plan import TOO_BIG, Forecast
from trivium.planner.remedies import Remedy

_MINUTE, _HOUR, _DAY = 60, 3600, 86400


def size(count: float) -> str:
    """Bytes in GB (10⁹), small ones in MB.

    >>> size(12_345_678_901), size(4_200_000)
    ('12.3 GB', '4.2 MB')
    """
    if count < 1e8:
        return f"{count / 1e6:.1f} MB"
    return f"{count / 1e9:.2f} GB" if count < 1e10 else f"{count / 1e9:.1f} GB"


def duration(seconds: float) -> str:
    """Seconds in the unit that suits them.

    >>> duration(42), duration(5400), duration(200_000)
    ('42 s', '1.5 h', '2.3 days')
    """
    if seconds < 2 * _MINUTE:
        return f"{seconds:.0f} s"
    if seconds < _HOUR:
        return f"{seconds / _MINUTE:.0f} min"
    return f"{seconds / _HOUR:.1f} h" if seconds < 2 * _DAY else f"{seconds / _DAY:.1f} days"


def line(found: Forecast) -> str:
    """The forecast in one line: verdict, peak, time."""
    at_most = "" if found.batch.exact else "at most "
    held = f"{at_most}{size(found.peak.total)} of {size(found.capacity.bytes)} ({found.peak.name})"
    return f"plan: {found.verdict}: {held}; {time(found)}"


def time(found: Forecast) -> str:
    """How long the training takes, and what that rests on."""
    if found.seconds is None:
        return (
            f"time unknown: {found.pace.basis}"
            if found.pace.tokens_per_second is None
            else "time unknown until data are prepared"
        )
    missed = found.pace.missed()
    at_most = "" if found.batch.exact else "at most "
    price = "" if found.price is None else f", price {at_most}{found.price:.2f}"
    basis = f"{found.pace.basis}; {missed}" if missed else found.pace.basis
    return f"{at_most}about {duration(found.seconds)} of training{price} ({basis})"


def table(name: str, found: Forecast, screen: Screen) -> None:
    """Parts by phase."""
    rows = [[part, *(_cell(phase.parts, part) for phase in found.phases)] for part in PARTS]
    rows = [row for row in rows if any(cell != "–" for cell in row[1:])]
    rows.append(["together", *(size(phase.total) for phase in found.phases)])
    screen.table(f"{name}: memory of one device", ["part", *(phase.name for phase in found.phases)], rows)


def _cell(parts: Mapping[str, float], part: str) -> str:
    return size(parts[part]) if parts.get(part) else "–"


def facts(found: Forecast) -> list[str]:
    """What the forecast is of."""
    model, batch = found.model, found.batch
    what = (
        f"{model.parameters / 1e9:.3g} B parameters"
        if model.parameters >= 1e8
        else f"{model.parameters / 1e6:.3g} M parameters"
    )
    steps = "steps unknown" if batch.steps is None else f"{batch.steps} steps"
    rows = f"{batch.sequences} × {batch.length} tokens at once, {batch.accumulation} times a step, {steps}"
    return [f"model: {model.model_type}, {what} ({model.source})", f"batches: {rows}"]


def tell_remedies(found: Sequence[Remedy], screen: Screen) -> None:
    """The ways to fit, the cheapest first."""
    if not found:
        screen.say("nothing that is known here makes it fit on this device.")
        return
    rows = [[" ".join(remedy.overrides), size(remedy.need), remedy.cost] for remedy in found]
    screen.table("what would make it fit, the cheapest first", ["overrides", "needs", "costs"], rows, left=True)


def judge(gate: str, found: Forecast, screen: Screen) -> None:
    """Say that a plan does not fit, and what would help; raise `GateError` if the gate is strict."""
    if gate == "off" or found.verdict != TOO_BIG:
        return
    sentence = (
        f"the plan does not fit: {size(found.peak.total)} in the phase {found.peak.name}, and there are "
        f"{size(found.capacity.bytes)} ({found.capacity.source})"
    )
    screen.warn(f"{sentence}.")
    tell_remedies(found.remedies, screen)
    if gate == "strict":
        ways = found.remedies[0].overrides if found.remedies else ("a smaller model",)
        raise GateError(f"{sentence}; set {' '.join(ways)}, or run all the same with plan=warn.")


def as_json(forecasts: Mapping[str, Forecast]) -> dict[str, Any]:
    """Everything, by arm."""
    return {name: _one(found) for name, found in forecasts.items()}


def _one(found: Forecast) -> dict[str, Any]:
    return {
        "verdict": found.verdict,
        "peak_bytes": found.peak.total,
        "peak_phase": found.peak.name,
        "training_tensors_bytes": found.tensors,
        "capacity": asdict(found.capacity),
        "phases": {phase.name: dict(phase.parts) for phase in found.phases},
        "model": {key: value for key, value in asdict(found.model).items() if key != "linears"},
        "batch": asdict(found.batch),
        "flops_per_token": found.flops_per_token,
        "pace": asdict(found.pace),
        "seconds": found.seconds,
        "price": found.price,
        "remedies": [asdict(remedy) for remedy in found.remedies],
        "notes": list(found.notes),
    }


def write(forecasts: Mapping[str, Forecast], out: Path) -> None:
    """`<out>/plan.json`."""
    write_json(out / "plan.json", as_json(forecasts))
