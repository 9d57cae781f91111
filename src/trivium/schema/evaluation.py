"""Schemas of the group `evaluation`."""

from dataclasses import dataclass
from typing import Any

from trivium.schema.fields import opt


@dataclass
class EvaluationConfig:
    """What is measured, against the base model, with intervals."""

    name: str = opt("provenance", "Label.")
    suites: list[str] = opt(["small_world", "source_reliability"], "Suites: shipped names or YAML files.")
    perplexity: bool = opt(True, "Per-band perplexity and bits per byte on held-out documents.")
    max_perplexity_samples: int = opt(600, "Held-out documents scored per band.", ge=1)
    max_new_tokens: int = opt(24, "Longest generated answer in tokens.", ge=1)
    bootstrap_samples: int = opt(2000, "Bootstrap resamples behind each interval.", ge=100)
    confidence: float = opt(0.95, "Level of the intervals.", gt=0.5, lt=1)
    seed: int = opt(0, "Seed of option order and resampling.", ge=0)


@dataclass
class CoherenceEvaluation:
    """Answers to held-out questions, against the base model's, with intervals."""

    name: str = opt("coherence", "Label.", choices=("coherence",))
    suites: list[str] = opt([], "Suites besides: shipped names or YAML files.")
    scores: dict[str, Any] = opt(
        {}, "What is measured beside the gold reward and the proxy, name: {fn, args} (see reward.terms)."
    )
    questions: int = opt(200, "Held-out questions asked, at most.", ge=1)
    max_new_tokens: int | None = opt(
        None, "Longest generated answer in tokens; null takes method.max_completion_length, or 512 without one.", ge=1
    )
    bootstrap_samples: int = opt(2000, "Bootstrap resamples behind each interval.", ge=100)
    confidence: float = opt(0.95, "Level of the intervals.", gt=0.5, lt=1)
    seed: int = opt(0, "Seed of option order and resampling.", ge=0)


@dataclass
class JudgeConfig:
    """A judge model behind an OpenAI-compatible server, for the character voice."""

    base_url: str | None = opt(None, "The server's API; null leaves the character voice out.")
    model: str = opt("", "Model name as the server knows it; empty takes the only one that it offers.")
    api_key_env: str = opt("OPENAI_API_KEY", "Environment variable that holds the key; the key itself is never configured.")
    concurrency: int = opt(4, "Requests under way at once.", ge=1, le=512)
    timeout: float = opt(120.0, "Seconds for one reply.", gt=0)


@dataclass
class PersonaTargets:
    """What a persona must reach; judged at the worse end of the interval. Null asks for nothing."""

    style_consistency: float | None = opt(0.8, "Least share of answers in the persona's style.", ge=0, le=1)
    temporal_compliance: float | None = opt(0.95, "Least share of pairs: earlier question answered, later one not.", ge=0, le=1)
    general_ppl_ratio: float | None = opt(
        1.0, "Most that perplexity on held-out general text may be of the base model's.", gt=0
    )


@dataclass
class PersonaEvaluation:
    """How the model speaks, what it does not know, and what was lost; against the base model, with intervals."""

    name: str = opt("persona", "Label.", choices=("persona",))
    suites: list[str] = opt(["period"], "Suites besides: shipped names or YAML files.")
    questions: int = opt(200, "Held-out questions asked, at most.", ge=1)
    facts: int = opt(200, "Dated facts asked, at most, in all their wordings.", ge=2)
    dialogues: int = opt(24, "Conversations of several turns; 0 for none.", ge=0)
    turns: int = opt(3, "Questions in such a conversation.", ge=2, le=20)
    max_perplexity_samples: int = opt(400, "Held-out general texts scored.", ge=1)
    samples_shown: int = opt(4, "Answers shown side by side, base and tuned.", ge=0, le=50)
    judge: JudgeConfig = opt(JudgeConfig, "Character voice.")
    targets: PersonaTargets = opt(PersonaTargets, "Gates.")
    gate: str = opt("warn", "strict: a missed target exits 3; warn: it is reported; off.", choices=("strict", "warn", "off"))
    max_new_tokens: int = opt(160, "Longest generated answer in tokens.", ge=1)
    bootstrap_samples: int = opt(2000, "Bootstrap resamples behind each interval.", ge=100)
    confidence: float = opt(0.95, "Level of the intervals.", gt=0.5, lt=1)
    seed: int = opt(0, "Seed of option order and resampling.", ge=0)
