"""The year that a source is from: metadata in many spellings, or the text's own statement; never a year it only mentions."""

import re
from datetime import date
from typing import Any

FIRST, LAST = -800, date.today().year + 1
"""Years outside are slips of the pen: nothing is from the future."""

_FULL = re.compile(r"(?<!\d)(\d{4})(?!\d)")
_COMPACT = re.compile(r"\s*(\d{4})(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])\s*\Z")
_ERA = re.compile(r"(?<!\d)(\d{1,4})\s*(?:(a\.?d|c\.?e)|(b\.?c(?:\.?e)?))\b", re.IGNORECASE)
_SHORT = re.compile(r"\W*(?:(?:circa|ca|c|about|around|approximately)\b\.?)?\s*(-?\d{3})\W*\Z", re.IGNORECASE)
_SIGNED = re.compile(r"\s*(-\d{1,4})\s*\Z")


def parse_year(value: Any) -> int | None:
    """The year in a metadata value, or None where there is none or it is impossible.

    Understands numbers, ISO and compact dates, the year within other dates, `circa 1900`, ranges (their start) and eras;
    years before our era are negative.

    >>> [parse_year(v) for v in (1923, 1923.0, "circa 1900", "1923-05-01", "350 BC", "n.d.", 12345, None)]
    [1923, 1923, 1900, 1923, -350, None, None, None]
    """
    if value is None or isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        return _possible(int(value)) if FIRST <= value <= LAST and value == int(value) else None
    text = str(value)
    if era := _ERA.search(text):
        return _possible(-int(era[1]) if era[3] else int(era[1]))
    for pattern in (_SIGNED, _COMPACT, _SHORT):
        if found := pattern.match(text):
            return _possible(int(found[1]))
    years = (_possible(int(year)) for year in _FULL.findall(text))
    return next((year for year in years if year is not None), None)


def _possible(year: int) -> int | None:
    return year if FIRST <= year <= LAST and year != 0 else None


# --- what a text says of itself --------------------------------------------------------------------------------------

_HEAD = 2000
"""Characters in which a text states when it was published."""
_YEAR = r"(1[5-9]\d\d|20[0-2]\d)"
_ANY_YEAR = re.compile(_YEAR)
_MONTH = (
    r"(?i:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?"
    r"|nov(?:ember)?|dec(?:ember)?)\.?"
)
_WEEKDAY = r"(?i:(?:mon|tues|wednes|thurs|fri|satur|sun)day,?\s+)"
_DAY = r"\d{1,2}(?:st|nd|rd|th)?"
_DAY_AND_MONTH = rf"(?:{_MONTH}\s+{_DAY},?\s+|{_DAY}\s+(?:day\s+of\s+)?{_MONTH},?\s+)"
_RIGHTS = re.compile(rf"(?i:\bcopyright|©|\(c\))[\s,:]*(?:©|\((?i:c)\))?[\s,:]*(?:(?i:by|the)\b[^.\n\d]{{1,40}})?{_YEAR}\b")
_RIGHTS_SIGNS = ("copyright", "©", "(c)")
_IMPRINT_VERBS = ("published", "printed", "issued", "posted", "filed", "patented", "dated", "written", "signed", "date")
_IMPRINT = re.compile(
    r"(?:^|\.\s)\W{0,3}(?=[A-Z])"  # a sentence of its own, so that `the book was published in 1944` is none
    r"(?i:(?:first|originally|application|privately|letter)\s+)?"
    rf"(?i:{'|'.join(_IMPRINT_VERBS)}|publication\s+date)\b"
    r"(?:[\s,:]+(?:in|on|at|by|for|the|this|of|and|author|[A-Z][\w.&'’]*)){0,8}?"  # a place, a house
    rf"[\s,:]+(?:{_DAY_AND_MONTH}|{_MONTH},?\s+)?{_YEAR}(?=\s*(?:[.;)\]|]|,\s*re|\n|\Z))",
    re.MULTILINE,
)
_DATELINE = re.compile(
    rf"\s*(?:[A-Z][\w. ]{{1,30}},\s+)?{_WEEKDAY}?(?:"
    rf"{_DAY_AND_MONTH}{_YEAR}\s*(?:[.)\]:|(–—]|--?\s|\n|\Z)|{_MONTH},?\s+{_YEAR}\.?[ \t]*(?:\n|\Z)|{_YEAR}-\d\d-\d\d\b)"
)


def stated_year(text: str) -> int | None:
    """The year of a copyright notice, an imprint or a date line in the first 2,000 characters, or None.

    >>> stated_year("Copyright, 1911, by the author."), stated_year("Friday, January 4, 2019\\nA building fell.")
    (1911, 2019)
    >>> stated_year("The war of 1944 was long. It was published in 1944 by Harper.")
    """
    head = text[:_HEAD]
    if _ANY_YEAR.search(head) is None:
        return None
    lower = head.lower()  # the guards cost a tenth of the searches that they save
    found = _DATELINE.match(head)
    if found is None and any(sign in lower for sign in _RIGHTS_SIGNS):
        found = _RIGHTS.search(head)
    if found is None and any(verb in lower for verb in _IMPRINT_VERBS):
        found = _IMPRINT.search(head)
    return _possible(int(next(year for year in found.groups() if year))) if found else None
