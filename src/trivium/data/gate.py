"""The distribution gate: is a training set what the method needs?"""

from collections.abc import Iterator, Mapping
from typing import Any

from trivium.data.lexicon import TRIVIUM
from trivium.schema import BANDS, GateConfig, RebalanceConfig

GOOD, ACCEPTABLE, POOR = "good", "acceptable", "poor"


def judge(distribution: Mapping[str, Any], samples: int, targets: GateConfig, shares: RebalanceConfig) -> dict[str, Any]:
    """`{"verdict": good | acceptable | poor, "reasons": […]}` of a distribution: the worst finding decides."""
    found = [
        *_few(samples, targets),
        *_bands(distribution["bands"], targets, shares),
        *_trivium(distribution["trivium"], targets),
        *_entropy(distribution["entropy"], targets),
    ]
    verdict = POOR if any(v == POOR for v, _ in found) else ACCEPTABLE if found else GOOD
    return {"verdict": verdict, "reasons": [reason for _, reason in found]}


Finding = tuple[str, str]


def _few(samples: int, targets: GateConfig) -> Iterator[Finding]:
    if samples < targets.min_samples:
        yield POOR, f"{samples} training samples, at least {targets.min_samples} wanted"


def _bands(found: Mapping[str, float], targets: GateConfig, shares: RebalanceConfig) -> Iterator[Finding]:
    for band in BANDS:
        least, most = getattr(shares, band)
        off = max(least - found[band], found[band] - most)
        if off > 1e-9:
            verdict = ACCEPTABLE if off <= targets.band_slack else POOR
            yield verdict, f"{band} authority is {found[band]:.1%} of the samples, wanted {least:.0%} to {most:.0%}"


def _trivium(found: Mapping[str, float], targets: GateConfig) -> Iterator[Finding]:
    least, most = targets.trivium
    for tag in TRIVIUM:
        share = found[tag]
        if share > targets.trivium_poor:
            yield POOR, f"{tag} is {share:.1%} of the samples, at most {targets.trivium_poor:.0%} wanted"
        elif not least - 1e-9 <= share <= most + 1e-9:
            yield ACCEPTABLE, f"{tag} is {share:.1%} of the samples, wanted {least:.0%} to {most:.0%}"


def _entropy(found: Mapping[str, float], targets: GateConfig) -> Iterator[Finding]:
    least, most = targets.entropy_mean
    if not least <= found["mean"] <= most:
        yield ACCEPTABLE, f"mean provenance entropy is {found['mean']:.2f} bits, wanted {least} to {most}"
    if found["max"] < targets.entropy_max:
        yield POOR, f"no sample has a provenance entropy of {targets.entropy_max} bits or more (highest {found['max']:.2f})"
    if found["min"] > targets.entropy_min:
        yield (
            ACCEPTABLE,
            f"no sample has a provenance entropy of {targets.entropy_min} bits or less (lowest {found['min']:.2f})",
        )
