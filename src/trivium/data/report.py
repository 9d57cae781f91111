"""What a preparation says of its data: shares, entropies, source types and years of a set of samples."""

from typing import Any

import numpy as np
import numpy.typing as npt

from trivium.data.spool import NO_YEAR, TAGS, Table
from trivium.schema import BANDS

Ints = npt.NDArray[np.int64]


def distribution(table: Table, chosen: Ints) -> dict[str, Any]:
    """Shares of bands and trivium tags, authority, entropy in bits, years, and every source type with its means."""
    columns = table.columns[chosen]
    years = columns["year"][columns["year"] != NO_YEAR]
    return {
        "bands": _shares(columns["band"], BANDS),
        "trivium": _shares(columns["trivium"], TAGS),
        "authority": _spread(columns["authority"]),
        "entropy": _spread(columns["entropy"]),
        "years": {"known": len(years), "min": int(years.min()), "max": int(years.max())} if len(years) else {"known": 0},
        "source_types": _source_types(table, chosen),
    }


def band_counts(table: Table, chosen: Ints) -> dict[str, int]:
    """How many samples of each band."""
    counts = np.bincount(table.columns["band"][chosen], minlength=len(BANDS))
    return dict(zip(BANDS, counts.tolist(), strict=True))


def _shares(codes: npt.NDArray[np.uint8], names: tuple[str, ...]) -> dict[str, float]:
    counts = np.bincount(codes, minlength=len(names))
    return {name: round(float(count) / max(1, len(codes)), 6) for name, count in zip(names, counts, strict=True)}


def _spread(values: npt.NDArray[np.float32]) -> dict[str, float]:
    if not len(values):
        return {"mean": 0.0, "min": 0.0, "max": 0.0}
    found = {"mean": values.mean(dtype=np.float64), "min": values.min(), "max": values.max()}
    return {name: round(float(value), 6) for name, value in found.items()}


def _source_types(table: Table, chosen: Ints) -> list[dict[str, Any]]:
    """Name, count and mean scores of each source type, the most frequent first."""
    codes = table.columns["source"][chosen]
    counts = np.bincount(codes, minlength=len(table.sources))
    authority = np.bincount(codes, table.columns["authority"][chosen], len(table.sources))
    entropy = np.bincount(codes, table.columns["entropy"][chosen], len(table.sources))
    rows = [
        {
            "name": table.sources[code],
            "count": int(counts[code]),
            "authority": round(float(authority[code] / max(1, counts[code])), 4),
            "entropy": round(float(entropy[code] / max(1, counts[code])), 4),
        }
        for code in np.argsort(-counts, kind="stable").tolist()
    ]
    return [row for row in rows if row["count"]]
