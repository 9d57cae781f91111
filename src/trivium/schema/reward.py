"""Schema of the group `reward`."""

from dataclasses import dataclass
from typing import Any

from trivium.schema.fields import opt


@dataclass
class ScorerConfig:
    """A model that rewards ask."""

    path: str | None = opt(None, "Local directory, hub id or package name; null takes the embedded tiny one.")
    revision: str | None = opt(None, "Hub revision of `path`.")
    device: str = opt(
        "cpu",
        "Where it runs; may differ from the trained model's. The parser runs on the CPU only.",
        choices=("cpu", "cuda", "mps"),
    )
    batch_tokens: int = opt(8192, "Padded tokens in a batch.", ge=64)
    labels: list[str] | None = opt(
        None,
        "NLI only: the labels (contradiction, neutral, entailment) in the order of a model whose configuration lacks them.",
    )


@dataclass
class ScorersConfig:
    """The models behind the rewards; only those that a term needs are loaded."""

    nli: ScorerConfig = opt(ScorerConfig, "Natural language inference: a sequence classification model.")
    embeddings: ScorerConfig = opt(ScorerConfig, "Sentence embeddings: a sentence-transformers model.")
    syntax: ScorerConfig = opt(ScorerConfig, "Parser: a spaCy pipeline.")


@dataclass
class TermConfig:
    """One reward in a set."""

    fn: str = opt("", "Score function, `module.function` of trivium.scores.")
    weight: float = opt(1.0, "Its weight.", ge=0)
    layer: int = opt(0, "Layers are climbed in order: see passes.", ge=0)
    passes: float | None = opt(
        None,
        "Least value with which a completion passes; below it every term of a later layer is worth −1. Null blocks nothing.",
    )
    args: dict[str, Any] = opt({}, "Options of the function.")


@dataclass
class RewardConfig:
    """Which scores the policy is trained on, and which one only watches."""

    name: str = opt("none", "Label.")
    terms: dict[str, Any] = opt({}, "The rewards, name: {fn, weight, layer, passes, args}.")
    gold: dict[str, Any] = opt(
        {}, "The gold reward, logged on held-out prompts and never trained on: {fn, args} (see terms); empty for none."
    )
    shuffle: bool = opt(False, "Placebo: every completion is scored against another question's reference.")
    scorers: ScorersConfig = opt(ScorersConfig, "Models that the terms ask.")
    gold_scorers: ScorersConfig = opt(
        ScorersConfig,
        "Models that the gold reward and the evaluation ask, best others than the terms'; null takes the terms' own.",
    )
    audit: str = opt(
        "warn",
        "Attacks before a training: strict ends the run with exit code 3 where one beats the median genuine answer; off.",
        choices=("strict", "warn", "off"),
    )
    audit_prompts: int = opt(24, "Questions that task=audit attacks.", ge=4)
    audit_search: int = opt(300, "Mutations in the search for the best-paid nonsense; 0 leaves it out.", ge=0)
