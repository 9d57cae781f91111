"""`dataset.where`: filters over any field of a sample or of its metadata."""

from collections.abc import Mapping
from typing import Any

from trivium.errors import DataError
from trivium.sample import Sample

_FIELDS = ("id", "document", "title", "source_type", "year", "authority", "entropy", "trivium")
_RANGE = {"min", "max"}


class Where:
    """Conditions that a sample must all meet: a value, one of several values, or a range `{min, max}` (both included)."""

    def __init__(self, conditions: Mapping[str, Any]) -> None:
        for field, condition in conditions.items():
            if isinstance(condition, Mapping) and not (condition and set(condition) <= _RANGE):
                raise DataError(f"dataset.where.{field}: {dict(condition)} is not a range; give min, max or both.")
        self._conditions = conditions
        self._seen: dict[str, bool] = dict.fromkeys(conditions, False)

    def keeps(self, sample: Sample) -> bool:
        """Whether the sample meets every condition; a sample without the field meets none on it."""
        met = [self._meets(sample, field, condition) for field, condition in self._conditions.items()]
        return all(met)

    def check(self, some: Sample | None) -> None:
        """Raise `DataError` for a field that no sample had."""
        for field, seen in self._seen.items():
            if not seen:
                known = ", ".join([*_FIELDS, *(some.metadata if some else ())])
                raise DataError(f"dataset.where.{field}: no sample has such a field; known fields: {known}.")

    def _meets(self, sample: Sample, field: str, condition: Any) -> bool:
        value = getattr(sample, field) if field in _FIELDS else sample.metadata.get(field)
        if value is None:
            self._seen[field] = self._seen[field] or field in _FIELDS
            return False
        self._seen[field] = True
        if isinstance(condition, Mapping):
            try:
                return bool(condition.get("min", value) <= value <= condition.get("max", value))
            except TypeError:
                raise DataError(f"dataset.where.{field}: {value!r} cannot be compared with {dict(condition)}.") from None
        return value in condition if isinstance(condition, list) else bool(value == condition)
