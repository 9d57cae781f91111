"""Schemas of the group `loss`."""

from dataclasses import dataclass

from trivium.schema.fields import opt


@dataclass
class UniformLoss:
    """Plain cross-entropy."""

    name: str = opt("uniform", "Loss.", choices=("uniform",))


@dataclass
class DistrustLoss:
    """Cross-entropy weighted by provenance: w = (1 + alpha s) / (1 + alpha), s = d² / mean d², d = max(0, H + log(1 − a))."""

    name: str = opt("distrust", "Loss.", choices=("distrust",))
    alpha: float = opt(2.7, "Strength of distrust; 0 is plain cross-entropy.", ge=0, le=1000)
    unit: str = opt(
        "bits", "Unit of both entropy and log(1 − authority); scales d, and so changes no weight.", choices=("bits", "nats")
    )
    max_ratio: float | None = opt(None, "Largest allowed ratio of any weight to the smallest; null does not clip.", gt=1)


@dataclass
class DistrustSampledLoss(DistrustLoss):
    """Plain cross-entropy on samples drawn in proportion to the distrust weight."""

    name: str = opt("distrust_sampled", "Loss.", choices=("distrust_sampled",))


@dataclass
class DistrustPublishedLoss:
    """The published additive form CE + lambda_weight · alpha · (ln(1 − a + 1e-8) + H)², a control: its gradient is zero."""

    name: str = opt("distrust_published", "Loss.", choices=("distrust_published",))
    alpha: float = opt(2.7, "Multiplier of the squared term.", ge=0, le=1000)
    lambda_weight: float = opt(1.0, "Weight of the added term.", ge=0)
