"""The provenance scorer: authority and provenance entropy of a text, each explained by the markers that fired.

Authority is `base + Σ effects` of the markers (`mode=dynamic`), the source type's prior (`mode=prior`), or the prior moved by
`1 − blend` of the effects (`mode=blend`), always within [0, 0.99]. Provenance entropy is the Shannon entropy, in bits, of the
distribution of evidence kinds: what the text shows, what such a source usually brings, or their mixture.
"""

import math
import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Any, NamedTuple

from ahocorasick_rs import AhoCorasick, MatchKind

from trivium.data.lexicon import Markers, Prior, load_markers, load_priors
from trivium.data.years import parse_year, stated_year
from trivium.sample import Sample, slug
from trivium.schema import ProvenanceConfig

MAX_AUTHORITY = 0.99
ASSERTION = "assertion"
"""The kind of evidence of a text that shows none: a single kind, hence an entropy of 0."""

_CITATION = re.compile(
    r"\[\d{1,3}(?:\s*[,–-]\s*\d{1,3})*\]"  # [3], [3, 4], [3–5]
    r"|\((?:[^()\d]{0,60}?[A-Z][\w'’-]+[^()\d]{0,40}?,?\s*)?(?:1[5-9]|20)\d\d[a-z]?\)"  # (Author, 1999), Author (1999)
    r"|\b(?:ibid|op\. cit)\b"
)
_SENTENCE = re.compile(r"[.!?;:\n]")
_NEGATED_WITHIN = 24
"""Characters before a marker, in its sentence, in which a negation undoes it: about three words."""

_WHERE_TYPE = ("kind", "type", "genre", "publisher_or_source", "publisher", "source", "collection")
_WHERE_PUBLISHER = ("publisher", "publisher_or_source", "source", "url", "site", "institution")


class Provenance(NamedTuple):
    """Authority in [0, 0.99], entropy in bits, trivium tag, year of the source, and what explains them.

    `evidence` holds the effect of each marker on authority (`institution:ministry`, `age:1911`, `prior:patent` …) and, under
    `evidence:<kind>`, the share of each kind in the distribution whose entropy is taken.
    """

    authority: float
    entropy: float
    trivium: str
    year: int | None
    evidence: dict[str, float]


class Hit(NamedTuple):
    """A phrase found as whole words, not negated."""

    group: str
    name: str
    value: float


class Scorer:
    """Scores samples by a marker lexicon and the priors of source types; loading validates both."""

    def __init__(self, config: ProvenanceConfig) -> None:
        self._config = config
        self._markers: Markers = load_markers(config.markers)
        self._priors = load_priors(config.priors)
        self._phrases = [phrase for phrase, _ in _phrases(self._markers)]
        self._meanings = [meanings for _, meanings in _phrases(self._markers)]
        self._automaton = AhoCorasick([p.lower() for p in self._phrases], matchkind=MatchKind.LeftmostLongest)
        negations = "|".join(re.escape(word) for word in self._markers.negations)
        self._publisher_hits = lru_cache(maxsize=4096)(lambda publisher: tuple(self._hits(publisher)))
        self._negation = re.compile(rf"(?:^|\W)(?:{negations})\W", re.IGNORECASE)

    def score(self, sample: Sample) -> Provenance:
        """The provenance of one sample; never fails on odd text, and looks at nothing but the sample."""
        prior = self._prior(sample)
        year = sample.year if sample.year is not None else _year(sample)
        trivium = sample.trivium if sample.trivium != "unknown" else prior.trivium
        if self._config.mode == "given":
            return self._given(sample, prior, trivium, year)
        effects: dict[str, float] = {}
        counts: dict[str, float] = {}
        if self._config.mode != "prior":
            effects, counts = self._read(sample, year)
        authority, origin = self._start(prior)
        share = 1.0 - self._config.blend if self._config.mode == "blend" else 1.0
        evidence = {origin: authority, **{name: share * value for name, value in effects.items()}}
        mix = self._mixture(prior, counts)
        evidence.update({f"evidence:{kind}": value for kind, value in mix.items()})
        total = authority + share * sum(effects.values())
        return Provenance(min(MAX_AUTHORITY, max(0.0, total)), entropy_bits(mix), trivium, year, evidence)

    def _prior(self, sample: Sample) -> Prior:
        named = self._priors.get(slug(sample.source_type))
        if named is not None and named.name != "unknown":
            return named
        for key in _WHERE_TYPE:
            value = sample.metadata.get(key)
            if isinstance(value, str) and (found := self._priors.get(slug(value))) is not None:
                return found
        return next((p for p in self._priors_in(sample)), self._priors["unknown"])

    def _priors_in(self, sample: Sample) -> Iterator[Prior]:
        """Source types whose name stands as words in the publisher: `Wikipedia (English), via …`."""
        for key in _WHERE_TYPE:
            value = sample.metadata.get(key)
            if isinstance(value, str):
                words = f" {' '.join(re.findall(r'[a-z]+', value.lower()))} "
                yield from (prior for name, prior in self._priors.items() if f" {name} " in words)

    def _start(self, prior: Prior) -> tuple[float, str]:
        if self._config.mode == "dynamic":
            return self._markers.base, "base"
        return prior.authority, f"prior:{prior.name}"

    def _mixture(self, prior: Prior, counts: dict[str, float]) -> dict[str, float]:
        """Shares of the kinds of evidence, adding up to 1."""
        shown = _normalised(counts) or {ASSERTION: 1.0}
        if self._config.mode == "dynamic":
            return shown
        if self._config.mode == "prior":
            return dict(prior.evidence)
        weight = self._config.blend
        kinds = {*prior.evidence, *shown}
        return {k: weight * prior.evidence.get(k, 0.0) + (1 - weight) * shown.get(k, 0.0) for k in sorted(kinds)}

    def _given(self, sample: Sample, prior: Prior, trivium: str, year: int | None) -> Provenance:
        """The data's own numbers; what it does not give is the prior's."""
        authority = prior.authority if sample.authority is None else sample.authority
        entropy = entropy_bits(dict(prior.evidence)) if sample.entropy is None else sample.entropy
        return Provenance(authority, entropy, trivium, year, {"given": authority})

    def _read(self, sample: Sample, year: int | None) -> tuple[dict[str, float], dict[str, float]]:
        """Effects on authority by marker, and counts of evidence by kind."""
        text = sample.text or " ".join(m["content"] for m in sample.messages or ())
        hits = set(self._hits(text))
        published = " ".join(str(sample.metadata[key]) for key in _WHERE_PUBLISHER if sample.metadata.get(key))
        institutions = [hit for hit in (*hits, *self._publisher_hits(published)) if hit.group == "institution"]
        effects = dict(_age(year, self._markers.age))
        citations = _citations(text)
        if citations:
            rule = self._markers.citation
            effects[f"citation:{citations}"] = min(rule["most"], rule["per_decade"] * math.log10(citations + 1))
        if institutions:
            best = max(institutions, key=lambda hit: (hit.value, hit.name))
            effects[f"institution:{best.name}"] = min(best.value, self._markers.institution["most"])
        effects.update(_capped(hits, "consensus", self._markers.consensus["most"]))
        modern = year is not None and year >= self._markers.age["since"]
        effects.update(_capped(hits, "primary", self._markers.primary["modern_most" if modern else "most"]))
        counts: dict[str, float] = {}
        for hit in hits:
            if hit.group == "evidence":
                counts[hit.name.split("/")[0]] = counts.get(hit.name.split("/")[0], 0.0) + 1.0
        if citations:
            counts["scholarship"] = counts.get("scholarship", 0.0) + 1.0
        return effects, counts

    def _hits(self, text: str) -> Iterator[Hit]:
        lower = text.lower()
        original = text if len(text) == len(lower) else lower
        for index, start, end in self._automaton.find_matches_as_indexes(lower):
            if (start and lower[start - 1].isalnum()) or (end < len(lower) and lower[end].isalnum()):
                continue
            phrase = self._phrases[index]
            if not phrase.islower() and original[start:end] != phrase:
                continue
            if self._negated(lower, start):
                continue
            yield from self._meanings[index]

    def _negated(self, lower: str, start: int) -> bool:
        before = lower[max(0, start - _NEGATED_WITHIN) : start]
        return bool(before) and self._negation.search(_SENTENCE.split(before)[-1] + " ") is not None


def entropy_bits(shares: dict[str, float]) -> float:
    """Shannon entropy −Σ p log2 p in bits of shares that add up to 1."""
    return max(0.0, -sum(p * math.log2(p) for p in shares.values() if p > 0))


def _phrases(markers: Markers) -> list[tuple[str, list[Hit]]]:
    """Every phrase with all it means: one phrase may be a marker and show evidence too."""
    found: dict[str, list[Hit]] = {}
    for phrase, value in markers.institution["words"].items():
        found.setdefault(phrase, []).append(Hit("institution", phrase, float(value)))
    for group, rule in (("consensus", markers.consensus), ("primary", markers.primary)):
        for phrase in rule["words"]:
            found.setdefault(phrase, []).append(Hit(group, phrase, float(rule["each"])))
    for kind, phrases in markers.evidence.items():
        for phrase in phrases:
            found.setdefault(phrase, []).append(Hit("evidence", f"{kind}/{phrase}", 1.0))
    return list(found.items())


def _capped(hits: set[Hit], group: str, most: float) -> dict[str, float]:
    """Effects of a group's distinct markers, scaled down together when they exceed `most`."""
    inside = sorted(hit for hit in hits if hit.group == group)
    total = sum(hit.value for hit in inside)
    scale = most / total if abs(total) > abs(most) else 1.0
    return {f"{group}:{hit.name}": hit.value * scale for hit in inside}


def _age(year: int | None, rule: Any) -> Iterator[tuple[str, float]]:
    if year is not None and year < rule["before"]:
        yield f"age:{year}", rule["older"]
    elif year is not None and year >= rule["since"]:
        yield f"age:{year}", rule["newer"]


def _citations(text: str) -> int:
    """Citations, each counted once; cheap where a text has none of their signs."""
    if "[" not in text and "(" not in text and "et al" not in text and "ibid" not in text:
        return 0
    return sum(1 for _ in _CITATION.finditer(text)) or text.count("et al")


def _normalised(counts: dict[str, float]) -> dict[str, float]:
    total = sum(counts.values())
    return {kind: count / total for kind, count in counts.items()} if total else {}


def _year(sample: Sample) -> int | None:
    for key in ("year", "date", "published", "publication_date", "created"):
        if (found := parse_year(sample.metadata.get(key))) is not None:
            return found
    return stated_year(sample.text)
