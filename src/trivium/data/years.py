"""The year that a source is from: metadata in many spellings, or the text's own statement; never a year it only mentions."""

import math
import re
from typing import Any

FIRST, LAST = -800, 2030
"""Years before or after these are slips of the pen."""

_DIGITS = re.compile(r"(?<!\d)(\d{4}|\d{3})(?!\d)")
_YEAR = re.compile(r"\b(?:1[5-9]\d|20[0-2])\d\b")
_STATEMENT = re.compile(
    r"(?:copyright|©|\(c\)|published|printed|written|dated|filed|edition of)\s*(?:in|by|on|:|,)?[^.\n]{0,30}\Z", re.IGNORECASE
)
_REACH = 48
"""Characters before a year in which a publication statement may begin."""
_DATELINE = re.compile(
    r"\A\W*(?:(?:mon|tues|wednes|thurs|fri|satur|sun)day,?\s*)?(?:\d{1,2}\s+)?"
    r"(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)\w*\.?\s+(?:\d{1,2},?\s+)?(1[5-9]\d\d|20[0-2]\d)\b",
    re.IGNORECASE,
)
_HEAD = 2000


def parse_year(value: Any) -> int | None:
    """The year in a metadata value, or None: numbers, `1923-05-01`, `circa 1900`, `c. 1900`, `350 BC`.

    >>> [parse_year(v) for v in (1923, 1923.0, "circa 1900", "1923-05-01", "350 BC", "n.d.", 12345, None)]
    [1923, 1923, 1900, 1923, -350, None, None, None]
    """
    if isinstance(value, bool) or value is None:
        return None
    if isinstance(value, int | float):
        return int(value) if math.isfinite(value) and value == int(value) and FIRST <= value <= LAST else None
    match = _DIGITS.search(str(value))
    if match is None:
        return None
    year = int(match.group(1))
    if re.search(r"\bb\.?c\b", str(value), re.IGNORECASE):
        year = -year
    return year if FIRST <= year <= LAST else None


def stated_year(text: str) -> int | None:
    """The year of a publication statement or date line in the first 2,000 characters, or None.

    >>> stated_year("Copyright, 1911, by the author."), stated_year("The war of 1944 was long.")
    (1911, None)
    """
    head = text[:_HEAD]
    years = list(_YEAR.finditer(head))
    if years and (line := _DATELINE.match(head)):
        return int(line.group(1))
    stated = (year for year in years if _STATEMENT.search(head[max(0, year.start() - _REACH) : year.start()]))
    return next((int(year.group()) for year in stated), None)
