"""The search space: Hydra's own words for sweeps, read as Optuna's distributions and written back as overrides."""

from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from typing import TYPE_CHECKING, Any

from trivium.compose import GROUPS
from trivium.schema import VARIANTS, Config

if TYPE_CHECKING:
    from hydra.core.override_parser.types import Override
    from optuna.distributions import BaseDistribution

Space = dict[str, "BaseDistribution"]
"""What is searched, by key."""

ALLOWED = "choice(a, b), range(start, stop, step), interval(low, high) or tag(log, interval(low, high))"


def read(params: Mapping[str, str]) -> tuple[Space, list[str]]:
    """The distributions of a search space, and a sentence for every entry that is none.

    Whole numbers where the setting is a float make a continuous interval, as they would in Python.
    """
    space: Space = {}
    problems = []
    for key, text in params.items():
        try:
            space[key] = _distribution(key, text)
        except ValueError as error:
            problems.append(f"sweep.params.{key}: set to {text}; {error}")
    return space, problems


def override(key: str, value: Any) -> str:
    """A point's value as an override. Texts of categories are kept as they are written on a command line.

    >>> override("adapter.r", 8), override("reward", "none"), override("dataset.gate", None)
    ('adapter.r=8', 'reward=none', 'dataset.gate=null')
    """
    if isinstance(value, bool) or value is None:
        return f"{key}={ {True: 'true', False: 'false', None: 'null'}[value] }"
    return f"{key}={value!r}" if isinstance(value, float) else f"{key}={value}"


def corners(space: Space) -> Iterator[dict[str, Any]]:
    """Points that together hold every category and both ends of every interval."""
    from optuna.distributions import CategoricalDistribution

    values = {
        key: list(one.choices) if isinstance(one, CategoricalDistribution) else [one.low, one.high]  # type: ignore[attr-defined]
        for key, one in space.items()
    }
    for i in range(max(map(len, values.values()), default=0)):
        yield {key: known[min(i, len(known) - 1)] for key, known in values.items()}


def misplaced(point: Mapping[str, Any], space: Space) -> Iterator[str]:
    """A sentence for everything that keeps a point out of the space."""
    for key, value in point.items():
        if key not in space:
            yield f"{key} is not searched; searched here: {', '.join(space)}."
        elif not _holds(space[key], value):
            yield f"{key}={value} lies outside of {_told(space[key])}."


def _told(distribution: "BaseDistribution") -> str:
    choices = getattr(distribution, "choices", None)
    if choices is not None:
        return ", ".join(map(str, choices))
    return f"{distribution.low:g} to {distribution.high:g}"  # type: ignore[attr-defined]


def _holds(distribution: "BaseDistribution", value: Any) -> bool:
    try:
        return distribution._contains(distribution.to_internal_repr(value))
    except (ValueError, TypeError):
        return False


# --- reading ---------------------------------------------------------------------------------------------------------


def parse(key: str, text: str) -> "Override":
    """The parsed override; raises `ValueError` for what Hydra cannot read."""
    from hydra.core.override_parser.overrides_parser import OverridesParser
    from hydra.errors import HydraException

    try:
        return OverridesParser.create().parse_override(f"{key}={text}")
    except HydraException:
        raise ValueError(f"it cannot be read; allowed: {ALLOWED}; null stands in a plain list: null, 20.") from None


def _distribution(key: str, text: str) -> "BaseDistribution":
    from hydra.core.override_parser.types import ChoiceSweep, IntervalSweep, RangeSweep

    parsed = parse(key, text)
    value = parsed.value() if not parsed.is_sweep_override() else parsed._value
    kind = _kind(key)
    if isinstance(value, ChoiceSweep):
        return _categories(parsed, value)
    if isinstance(value, RangeSweep):
        return _categories(parsed, value) if value.shuffle else _steps(value, kind)
    if isinstance(value, IntervalSweep):
        return _interval(value, kind)
    raise ValueError(f"it is one value, so there is nothing to search; allowed: {ALLOWED}.")


def _categories(parsed: "Override", sweep: Any) -> "BaseDistribution":
    """Numbers and words as they are; lists and mappings as the text that stands for them."""
    from optuna.distributions import CategoricalDistribution

    values = list(sweep.list) if hasattr(sweep, "list") else list(sweep.range())
    texts = list(parsed.sweep_string_iterator())
    plain = [v if isinstance(v, bool | int | float | type(None)) else t for v, t in zip(values, texts, strict=True)]
    return CategoricalDistribution(plain)


def _steps(sweep: Any, kind: type | None) -> "BaseDistribution":
    """Hydra's range leaves out its stop; Optuna's ends are both inside."""
    from optuna.distributions import FloatDistribution, IntDistribution

    values = sorted(sweep.range())
    if not values:
        raise ValueError("it holds no value; write range(start, stop, step) with start below stop.")
    if all(float(v).is_integer() for v in (*values, sweep.step)) and kind is not float:
        return IntDistribution(int(values[0]), int(values[-1]), step=int(abs(sweep.step)))
    return FloatDistribution(float(values[0]), float(values[-1]), step=float(abs(sweep.step)))


def _interval(sweep: Any, kind: type | None) -> "BaseDistribution":
    from optuna.distributions import FloatDistribution, IntDistribution

    low, high, log = float(sweep.start), float(sweep.end), "log" in sweep.tags
    if low >= high:
        raise ValueError(f"its low end {low:g} is not below its high end {high:g}.")
    if log and low <= 0:
        raise ValueError(f"a logarithmic interval begins above 0, not at {low:g}; or leave tag(log, …) away.")
    if kind is int and not (low.is_integer() and high.is_integer()):
        raise ValueError("this setting is a whole number; write whole ends.")
    if "int" in sweep.tags or kind is int:
        return IntDistribution(int(low), int(high), log=log)
    return FloatDistribution(float(low), float(high), log=log)


def _kind(key: str) -> type | None:
    """The type of a setting, where it is a number; None for the rest, and for entries that are the user's own."""
    group, *path = key.split(".")
    if key in GROUPS or not path:
        schemas: list[Any] = [Config]
        path = [group]
    else:
        schemas = [*VARIANTS.get(group, {}).values()] or [f.type for f in fields(Config) if f.name == group]
    found = {_type_at(schema, path) for schema in schemas} - {None}
    return found.pop() if len(found) == 1 else None


def _type_at(schema: Any, path: list[str]) -> type | None:
    """The number type of a field of a schema; optional numbers count as numbers."""
    for name in path:
        if not is_dataclass(schema):
            return None
        field = next((f for f in fields(schema) if f.name == name), None)
        if field is None:
            return None
        schema = field.type
    kinds = {float, int} & {schema, *getattr(schema, "__args__", ())}
    return kinds.pop() if len(kinds) == 1 else None
