"""`dataset.where`: filters over any field of a sample or of its metadata."""

import difflib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields
from typing import Any

from trivium.errors import ConfigError, DataError
from trivium.sample import Sample, band, slug

FIELDS = (*(f.name for f in fields(Sample) if f.name not in ("metadata", "evidence", "messages")), "band")
"""A sample's own fields; every other name is looked up in its metadata. `band` is low, mid or high."""

METADATA = "metadata."
_RANGE = {"min", "max"}
_NUMBERS = ("year", "authority", "entropy")

Test = Callable[[Any], bool]


class Where:
    """Conditions that a sample must all meet: a value, one of several values, or a range `{min, max}`, both included.

    A field that holds a list meets a condition if one of its items does. Nested metadata is named by its path, as
    `training.difficulty: …` or `training: {difficulty: …}`.
    Raises `ConfigError` for a range that is none.
    """

    def __init__(self, conditions: Mapping[str, Any]) -> None:
        self._tests = {field: _test(field, condition) for field, condition in _paths("", conditions)}
        self._unseen = {field for field in self._tests if field not in FIELDS}
        self._known: set[str] = set(FIELDS)

    def keeps(self, sample: Sample) -> bool:
        """Whether the sample meets every condition; a sample without a field does not meet one on it."""
        if not self._tests:
            return True
        if self._unseen:
            self._known.update(sample.metadata)
            self._unseen.difference_update(sample.metadata)
        return all(_meets(test, _value(sample, field)) for field, test in self._tests.items())

    def check(self) -> None:
        """Raise `DataError` for a field that no sample had."""
        for field in sorted(self._unseen):
            near = difflib.get_close_matches(field, sorted(self._known), n=3, cutoff=0.5)
            hint = f"did you mean {', '.join(near)}?" if near else f"fields there are: {', '.join(sorted(self._known))}."
            raise DataError(f"dataset.where.{field}: no sample has such a field; {hint}")


def _paths(prefix: str, conditions: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Fields and their conditions; a mapping that is no range holds those of the fields within."""
    for name, condition in conditions.items():
        field = f"{prefix}{name}".removeprefix(METADATA)
        if isinstance(condition, Mapping) and condition and field not in FIELDS and not _RANGE & set(condition):
            yield from _paths(f"{field}.", condition)
        else:
            yield field, condition


def _value(sample: Sample, field: str) -> Any:
    if field == "band":
        return None if sample.authority is None else band(sample.authority)
    if field == "source_type":
        return slug(sample.source_type)
    return getattr(sample, field) if field in FIELDS else sample.metadata.get(field)


def _meets(test: Test, value: Any) -> bool:
    if isinstance(value, list | tuple):
        return any(_meets(test, item) for item in value)
    return value is not None and test(value)


def _test(field: str, condition: Any) -> Test:
    if isinstance(condition, Mapping):
        return _range(field, condition)
    wanted = list(condition) if isinstance(condition, list | tuple) else [condition]
    if field == "source_type":
        wanted = [slug(str(name)) for name in wanted]
    return lambda value: value in wanted


def _range(field: str, condition: Mapping[str, Any]) -> Test:
    low: Any = condition.get("min")
    high: Any = condition.get("max")
    given = [bound for bound in (low, high) if bound is not None]
    if not given or not set(condition) <= _RANGE:
        raise ConfigError(f"dataset.where.{field}: {dict(condition)} is not a range; give {{min: …, max: …}}, one or both.")
    kind = (int, float) if field in _NUMBERS or all(isinstance(bound, int | float) for bound in given) else str
    if not all(isinstance(bound, kind) for bound in given) or (len(given) == 2 and low > high):
        wanted = f"min and max are of one type, numbers for {', '.join(_NUMBERS)}, and min ≤ max."
        raise ConfigError(f"dataset.where.{field}: {dict(condition)} is not a range; {wanted}")
    return lambda value: isinstance(value, kind) and (low is None or value >= low) and (high is None or value <= high)
