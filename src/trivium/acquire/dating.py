"""When a work was made: the year that somebody states, else the year after which its authors can have written nothing."""

from collections.abc import Iterable
from typing import NamedTuple

from trivium.data.rejects import BadRow


class Dated(NamedTuple):
    """A year, None where it is unknown, and what it rests on."""

    year: int | None
    basis: str | None


def date_of(stated: Iterable[tuple[str, int | None]], deaths: Iterable[int | None]) -> Dated:
    """The first stated year (with what states it), else the last death among the authors and translators if all are known."""
    for basis, year in stated:
        if year is not None:
            return Dated(year, basis)
    years = list(deaths)
    known = [year for year in years if year is not None]
    if not years or len(known) < len(years):
        return Dated(None, None)
    return Dated(max(known), "last death of its authors, at the latest")


def check_year(dated: Dated, first: int | None, last: int | None, unknown: str) -> None:
    """Raise `BadRow` for a year before `first` or after `last`, and for none where `unknown` is reject."""
    if dated.year is None:
        if unknown == "reject" and (first is not None or last is not None):
            raise BadRow("date unknown", "unknown_date=accept takes it nevertheless")
    elif last is not None and dated.year > last:
        raise BadRow("too young", f"{dated.year} ({dated.basis}), the last year is {last}")
    elif first is not None and dated.year < first:
        raise BadRow("too old", f"{dated.year} ({dated.basis}), the first year is {first}")
