"""Lexicons: versioned YAML data that the scorer matches on words, validated when they are loaded."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from trivium.errors import DataError
from trivium.sample import slug

SHIPPED = Path(__file__).parent / "lexicons"
TRIVIUM = ("grammar", "logic", "rhetoric")


@dataclass(frozen=True)
class Markers:
    """What the text says of its own provenance; effects are on authority, `evidence` maps kinds to the words that show them."""

    version: int
    source: str
    base: float
    age: Mapping[str, float]
    citation: Mapping[str, float]
    institution: Mapping[str, Any]
    consensus: Mapping[str, Any]
    primary: Mapping[str, Any]
    evidence: Mapping[str, list[str]]
    negations: list[str]


@dataclass(frozen=True)
class Prior:
    """What is known of a source type before its text is read; `evidence` is a mix of kinds that adds up to 1."""

    name: str
    authority: float
    trivium: str
    evidence: Mapping[str, float]


def load_markers(name: str) -> Markers:
    """The marker lexicon of a shipped name (`default`) or a YAML file; raises `DataError` for a key or value it cannot hold."""
    data, path = _read(name, "markers")
    known = {f.name for f in fields(Markers)}
    _require(path, set(data) == known, f"needs exactly the keys {', '.join(sorted(known))}; has {', '.join(sorted(data))}")
    numbers = {"base": data["base"], **data["age"], **data["citation"], **data["institution"]["words"]}
    for key, value in numbers.items():
        _require(path, isinstance(value, int | float), f"{key}: {value!r} is not a number")
    _require(
        path, all(isinstance(words, list) for words in data["evidence"].values()), "evidence: give a list of words per kind"
    )
    words = [*data["institution"]["words"], *data["consensus"]["words"], *data["primary"]["words"], *data["negations"]]
    odd = [w for w in (*words, *(w for some in data["evidence"].values() for w in some)) if not isinstance(w, str)]
    _require(path, not odd, f"{odd[:1]} is not a text; put quotes around words such as no, yes, on and off")
    return Markers(**data)


def load_priors(name: str) -> dict[str, Prior]:
    """Priors by slug of every name and alias; `unknown` is always there. Raises `DataError` as `load_markers` does."""
    data, path = _read(name, "priors")
    _require(path, {"unknown", "types"} <= set(data), "needs the keys unknown and types")
    priors: dict[str, Prior] = {}
    for key, entry in {"unknown": data["unknown"], **data["types"]}.items():
        prior = _prior(path, key, entry)
        for alias in (key, *entry.get("names", ())):
            other = priors.setdefault(slug(alias), prior)
            _require(path, other is prior, f"{alias!r} names both {other.name} and {key}; keep one")
    return priors


def _prior(path: Path, key: str, entry: Any) -> Prior:
    wanted = {"authority", "trivium", "evidence"}
    _require(
        path,
        isinstance(entry, dict) and wanted <= set(entry) <= wanted | {"names"},
        f"{key}: needs {', '.join(sorted(wanted))}",
    )
    authority, mix = entry["authority"], entry["evidence"]
    _require(
        path,
        isinstance(authority, int | float) and 0 <= authority <= 0.99,
        f"{key}: authority {authority!r} is not in [0, 0.99]",
    )
    _require(path, entry["trivium"] in TRIVIUM, f"{key}: trivium {entry['trivium']!r} is not one of {', '.join(TRIVIUM)}")
    positive = isinstance(mix, dict) and mix and all(isinstance(v, int | float) and v > 0 for v in mix.values())
    _require(path, bool(positive), f"{key}: evidence must map kinds to numbers above 0")
    total = sum(mix.values())
    return Prior(key, float(authority), entry["trivium"], {kind: value / total for kind, value in mix.items()})


def _read(name: str, kind: str) -> tuple[dict[str, Any], Path]:
    import yaml

    path = SHIPPED / f"{kind}.yaml" if name == "default" else Path(name)
    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise DataError(f"dataset.provenance.{kind}: {path} cannot be read ({' '.join(str(error).split())}).") from error
    _require(path, isinstance(data, dict), "must be a mapping")
    return data, path


def _require(path: Path, holds: bool, sentence: str) -> None:
    if not holds:
        raise DataError(f"{path}: {sentence}.")
