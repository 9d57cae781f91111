"""Schemas of the group `generator`: who writes conversations about passages."""

from dataclasses import dataclass

from trivium.schema.fields import opt


@dataclass
class ChecksConfig:
    """What a written answer must be like; one that is not is tried again, then counted and left out."""

    min_chars: int = opt(50, "Shortest answer in characters.", ge=1)
    max_chars: int = opt(500, "Longest answer in characters.", ge=1)
    min_markers: int = opt(1, "Distinct marks of the persona's voice in an answer.", ge=0)
    max_anachronisms: int = opt(0, "Terms younger than the period's cut-off in an answer.", ge=0)
    attempts: int = opt(3, "Attempts at each row.", ge=1, le=20)
    min_pass_rate: float = opt(0.5, "Share of rows that must pass; fewer is a failure.", ge=0, le=1)


@dataclass
class TemplateGenerator:
    """Sentences of the passage in the persona's frame: deterministic, no server."""

    name: str = opt("template", "Generator.", choices=("template",))
    examples_per_passage: int = opt(2, "Conversations made of each passage, at most.", ge=1, le=50)
    checks: ChecksConfig = opt(ChecksConfig, "Validation.")
    seed: int = opt(42, "Seed of all choices.", ge=0)


@dataclass
class OpenAIGenerator:
    """A teacher behind any OpenAI-compatible server: LM Studio, Ollama, vLLM, llama.cpp, transformers serve."""

    name: str = opt("openai", "Generator.", choices=("openai",))
    base_url: str = opt("http://localhost:1234/v1", "The server's API.")
    model: str = opt("", "Model name as the server knows it; empty takes the only one that it offers.")
    api_key_env: str = opt("OPENAI_API_KEY", "Environment variable that holds the key; the key itself is never configured.")
    examples_per_passage: int = opt(2, "Conversations made of each passage, at most.", ge=1, le=50)
    temperature: float = opt(0.8, "Sampling temperature.", ge=0, le=2)
    top_p: float = opt(1.0, "Nucleus sampling.", gt=0, le=1)
    max_tokens: int = opt(1024, "Longest reply in tokens.", ge=1)
    max_passage_chars: int = opt(1500, "The passage is cut here, at a sentence.", ge=50)
    structured: str = opt(
        "auto",
        "Structured output by JSON schema: on, off, or auto, which tries once and goes on without where the server refuses.",
        choices=("auto", "on", "off"),
    )
    concurrency: int = opt(8, "Requests under way at once.", ge=1, le=512)
    timeout: float = opt(120.0, "Seconds for one reply.", gt=0)
    retries: int = opt(4, "Further attempts after 429, 5xx, a cut connection or silence.", ge=0, le=20)
    price_per_million_input: float = opt(0.0, "Price of a million prompt tokens, in any currency.", ge=0)
    price_per_million_output: float = opt(0.0, "Price of a million reply tokens.", ge=0)
    max_cost: float | None = opt(None, "Stop, resumable, once so much is spent; null for no limit.", gt=0)
    checks: ChecksConfig = opt(ChecksConfig, "Validation.")
    seed: int = opt(42, "Seed of the plan, and sent with every request.", ge=0)
