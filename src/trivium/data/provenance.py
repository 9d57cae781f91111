"""The provenance scorer: authority and provenance entropy of a text, each explained by the markers that fired.

Authority is a sum of named contributions, clamped to [0, 0.99]: the source type's prior (`base` where the type is unknown)
and the effects of the markers in text and metadata. `mode=prior` leaves the effects out, `mode=dynamic` starts from `base` in
any case, and `mode=blend` scales the effects by `1 − blend`: they move the prior. Averaging it with the score of a text of
unknown origin instead would pull every well-known source to the middle.

Provenance entropy is the Shannon entropy, in bits, of a distribution over kinds of evidence: those that the text shows, those
that such a source usually brings, or the mixture of both in which `blend` is the weight of the prior.
"""

import math
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any, NamedTuple

from trivium.data.lexicon import MAX_AUTHORITY, TRIVIUM, UNKNOWN, Prior, load_markers, load_priors
from trivium.data.markers import MarkerReader
from trivium.data.years import parse_year, stated_year
from trivium.errors import DataError
from trivium.sample import Sample
from trivium.schema import ProvenanceConfig

ASSERTION = "assertion"
"""The kind of evidence that every text is: one beside those that it shows. A text that shows none has an entropy of 0."""

_TYPE_KEYS = ("kind", "type", "genre", "document_type")
_PUBLISHER_KEYS = ("publisher", "publisher_or_source", "source", "journal", "institution", "collection", "site")
_YEAR_KEYS = ("year", "date", "published", "publication_date", "created")


class Provenance(NamedTuple):
    """Authority in [0, 0.99], entropy in bits, trivium tag, year and type of the source, and what explains them.

    `evidence` holds what each marker added to authority (`prior:patent`, `institution:ministry of`, `age:1911` …); their sum,
    clamped, is the authority. Under `evidence:<kind>` stand the shares of the distribution whose entropy is taken.
    """

    authority: float
    entropy: float
    trivium: str
    year: int | None
    source_type: str
    evidence: dict[str, float]


class Scorer:
    """Scores samples by a marker lexicon and the priors of source types; loading validates both (`ConfigError`)."""

    def __init__(self, config: ProvenanceConfig) -> None:
        markers = load_markers(config.markers)
        self._mode = config.mode
        self._blend = config.blend
        self._base = markers.base
        self._reader = MarkerReader(markers)
        self._priors = load_priors(config.priors)
        self._guess = lru_cache(maxsize=8192)(self._guessed)

    def score(self, sample: Sample) -> Provenance:
        """The provenance of one sample, from nothing but the sample.

        Raises `DataError` only in `mode=given`, for an authority or entropy that is no number or out of range.
        """
        metadata = sample.metadata
        publishers = _texts(metadata, _PUBLISHER_KEYS)
        named = self._guess((sample.source_type, *_texts(metadata, _TYPE_KEYS)), publishers)
        year = _year(sample)
        prior = self._priors.at(named, year)
        if self._mode == "given":
            authority, entropy, evidence = _given(sample, prior)
        else:
            authority, entropy, evidence = self._scored(sample, publishers, prior, year)
        source_type = named.name if sample.source_type == UNKNOWN else sample.source_type
        return Provenance(authority, entropy, _tag(sample, prior), year, source_type, evidence)

    def _guessed(self, types: tuple[str, ...], publishers: tuple[str, ...]) -> Prior:
        """The prior by what the source calls itself, else by who publishes it."""
        for values, look_up in ((types, self._priors.of_type), (publishers, self._priors.of_publisher)):
            for value in values:
                if (found := look_up(value)) is not None and found is not self._priors.unknown:
                    return found
        return self._priors.unknown

    def _scored(
        self, sample: Sample, publishers: tuple[str, ...], prior: Prior, year: int | None
    ) -> tuple[float, float, dict[str, float]]:
        weight = self._prior_weight(prior)
        evidence = {f"prior:{prior.name}": prior.authority} if weight else {"base": self._base}
        shown: dict[str, float] = {}
        if weight < 1:
            effects, counts = self._reader.read(
                _words(sample), " | ".join((*publishers, *_texts(sample.metadata, ("url",)))), year
            )
            evidence.update((name, (1 - weight) * effect) for name, effect in effects.items())
            shown = _shares(counts)
        authority = total_authority(evidence)
        shares = _mixture(prior.evidence, shown, weight)
        evidence.update((f"evidence:{kind}", share) for kind, share in shares.items())
        return authority, entropy_bits(shares.values()), evidence

    def _prior_weight(self, prior: Prior) -> float:
        """How much the prior counts: nothing in `blend` either where the source's type is unknown."""
        if self._mode == "prior":
            return 1.0
        return self._blend if self._mode == "blend" and prior is not self._priors.unknown else 0.0


def total_authority(evidence: Mapping[str, float]) -> float:
    """The authority that the contributions in `evidence` add up to, clamped to [0, 0.99].

    >>> round(total_authority({"base": 0.3, "age:1911": -0.15, "evidence:letter": 1.0}), 9)
    0.15
    """
    total = math.fsum(value for name, value in evidence.items() if not name.startswith("evidence:"))
    return min(MAX_AUTHORITY, max(0.0, total))


def entropy_bits(shares: Iterable[float]) -> float:
    """Shannon entropy `−Σ p log2 p` in bits of shares that add up to 1.

    >>> entropy_bits([0.5, 0.25, 0.25]), entropy_bits([1.0])
    (1.5, 0.0)
    """
    return max(0.0, -math.fsum(p * math.log2(p) for p in shares if p > 0))


def _shares(counts: Mapping[str, int]) -> dict[str, float]:
    total = 1 + sum(counts.values())
    return {ASSERTION: 1 / total, **{kind: count / total for kind, count in counts.items()}}


def _mixture(usual: Mapping[str, float], shown: Mapping[str, float], weight: float) -> dict[str, float]:
    """`weight · usual + (1 − weight) · shown`, kind by kind."""
    if weight == 0:
        return dict(shown)
    mixed = {kind: weight * share for kind, share in usual.items()}
    for kind, share in shown.items():
        mixed[kind] = mixed.get(kind, 0.0) + (1 - weight) * share
    return mixed


def _given(sample: Sample, prior: Prior) -> tuple[float, float, dict[str, float]]:
    """The data's own numbers as they stand; what it does not give is the prior's, and `evidence` says which."""
    authority = _number(sample, sample.authority, ("authority", "auth_weight"), MAX_AUTHORITY)
    entropy = _number(sample, sample.entropy, ("entropy", "prov_entropy"), math.inf)
    if entropy is None:
        entropy = entropy_bits(prior.evidence.values())
    if authority is None:
        return prior.authority, entropy, {f"prior:{prior.name}": prior.authority}
    return authority, entropy, {"given": authority}


def _number(sample: Sample, value: float | None, columns: tuple[str, ...], most: float) -> float | None:
    found = value if value is not None else next((v for c in columns if (v := sample.metadata.get(c)) is not None), None)
    if found is None:
        return None
    try:
        number = float(found)
    except (TypeError, ValueError):
        number = math.nan
    if not 0 <= number <= most or math.isinf(number):
        raise DataError(f"{sample.id}: {columns[0]} is {found!r}; mode=given allows numbers from 0 to {most}.")
    return number


def _tag(sample: Sample, prior: Prior) -> str:
    """The trivium tag that the data gives, else the prior's."""
    if sample.trivium in TRIVIUM:
        return sample.trivium
    given = sample.metadata.get("trivium", sample.metadata.get("trivium_category"))
    return given if given in TRIVIUM else prior.trivium


def _year(sample: Sample) -> int | None:
    if (year := parse_year(sample.year)) is not None:
        return year
    for key in _YEAR_KEYS:
        if (year := parse_year(sample.metadata.get(key))) is not None:
            return year
    return stated_year(_words(sample))


def _words(sample: Sample) -> str:
    return sample.text or "\n".join(message["content"] for message in sample.messages or ())


def _texts(metadata: Mapping[str, Any], keys: tuple[str, ...]) -> tuple[str, ...]:
    return tuple([value for key in keys if isinstance(value := metadata.get(key), str) and value]) if metadata else ()
