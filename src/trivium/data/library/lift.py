"""Lift: how much more of the works a filter lets pass than of ordinary prose, so that one that everything passes is seen."""

import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from trivium.data import sources, textfile
from trivium.data.library import chunk
from trivium.data.library.themes import Found, Themes
from trivium.data.library.units import Unit
from trivium.data.rejects import BadRow, Rejects
from trivium.errors import DataError
from trivium.schema.library import LibraryConfig, ThemesConfig

SHIPPED = Path(__file__).parent / "ordinary.txt"
SETTING = "dataset.library.themes.ordinary"
Z = 1.96
"""Standard errors of a 95 % interval."""


class Share(NamedTuple):
    """How many of how many."""

    passed: int
    whole: int

    @property
    def value(self) -> float:
        """The share; 0 of nothing."""
        return self.passed / self.whole if self.whole else 0.0

    def interval(self) -> tuple[float, float]:
        """The 95 % interval of a share (Wilson 1927).

        >>> [round(edge, 3) for edge in Share(0, 10).interval()]
        [0.0, 0.278]
        """
        if not self.whole:
            return 0.0, 1.0
        n, share = self.whole, self.value
        centre, scale = share + Z * Z / (2 * n), 1 + Z * Z / n
        reach = Z * math.sqrt(share * (1 - share) / n + Z * Z / (4 * n * n))
        return max(0.0, (centre - reach) / scale), min(1.0, (centre + reach) / scale)


@dataclass
class Tally:
    """Passages by what stands in them: how many in all, how many pass, how many hold a word of each theme."""

    count: int = 0
    passed: int = 0
    themes: Counter[str] = field(default_factory=Counter)

    def add(self, found: Found, passes: bool) -> None:
        """Count a passage."""
        self.count += 1
        self.passed += passes
        if found.total:
            self.themes.update(found.themes.keys())

    @property
    def share(self) -> Share:
        """The passages that pass."""
        return Share(self.passed, self.count)


def passes(found: Found, config: ThemesConfig) -> bool:
    """Whether a passage has as many distinct keywords as are asked for."""
    return found.total >= config.min_matches and (config.max_matches is None or found.total <= config.max_matches)


def lift(works: Share, ordinary: Share) -> dict[str, Any]:
    """The ratio of two shares and its 95 % interval, from those of the shares (MOVER-R, Donner and Zou 2012).

    Where no ordinary passage passes, the ratio and its upper end are None.
    """
    if not works.whole or not ordinary.whole:
        return {"value": None, "low": None, "high": None}
    (a, b), (low, high), (least, most) = (works.value, ordinary.value), works.interval(), ordinary.interval()
    rise, fall = low * (2 * a - low), most * (2 * b - most)
    lowest = rise / (a * b + math.sqrt(max(0.0, (a * b) ** 2 - rise * fall))) if rise > 0 else 0.0
    if not ordinary.passed:
        return {"value": None, "low": lowest, "high": None}
    rise, fall = high * (2 * a - high), least * (2 * b - least)
    return {"value": a / b, "low": lowest, "high": (a * b + math.sqrt(max(0.0, (a * b) ** 2 - rise * fall))) / fall}


def ordinary(config: LibraryConfig, themes: Themes, unit: Unit) -> Tally:
    """The tally of the configured ordinary prose, or the shipped one, cut as the works are.

    It is empty where the prose is too short for a single passage. Raises `DataError` where it cannot be read.
    """
    tally = Tally()
    path = Path(config.themes.ordinary).expanduser() if config.themes.ordinary is not None else SHIPPED
    for lines in _texts(path):
        for cut in chunk.cuts(lines, config.chunk, unit):
            if unit.count(cut.text) >= config.chunk.min_size:
                found = themes.find(cut.text)
                tally.add(found, passes(found, config.themes))
    return tally


def _texts(path: Path) -> Iterator[Iterator[str]]:
    rejects = Rejects()
    try:
        if path.suffix.lower() == ".txt":
            yield textfile.lines(path, textfile.encoding_of(path))
            return
        for _, row in sources.rows_of(path, path.name, rejects):
            if isinstance(text := row.get("text"), str):
                yield iter(text.splitlines(keepends=True))
    except (BadRow, OSError) as error:
        raise DataError(f"{SETTING}: {path} cannot be read ({error}); give a .txt or .jsonl file of ordinary prose.") from error


def block(works: Tally, ordinary: Tally, config: ThemesConfig) -> dict[str, Any]:
    """The lift in all and by theme, with both shares and, where it is too low, a warning."""
    whole = lift(works.share, ordinary.share)
    themes = sorted(works.themes | ordinary.themes)
    return {
        **whole,
        "works": works.share.value,
        "ordinary": ordinary.share.value,
        "ordinary_interval": list(ordinary.share.interval()),
        "ordinary_passages": ordinary.count,
        "themes": {
            theme: lift(Share(works.themes[theme], works.count), Share(ordinary.themes[theme], ordinary.count))
            for theme in themes
        },
        "warning": _warning(whole, works, ordinary, config),
    }


def _warning(whole: dict[str, Any], works: Tally, ordinary: Tally, config: ThemesConfig) -> str | None:
    if not ordinary.count:
        return f"no lift is known: the ordinary prose gives no passage of the wanted size; set {SETTING} to a longer text."
    value = whole["value"]
    if value is None or value >= config.min_lift:
        return None
    passing = f"{works.share.value:.0%} of the works and {ordinary.share.value:.0%} of ordinary prose"
    return (
        f"the filter passes {passing}, a lift of {value:.2f}, below dataset.library.themes.min_lift={config.min_lift:g}; "
        "raise dataset.library.themes.min_matches, or take a lexicon of rarer words."
    )
