"""Sample: the one record that flows from the sources to the trainer and the evaluation."""

from dataclasses import asdict, dataclass, field
from typing import Any

Message = dict[str, str]
"""One turn: `{"role": "system" | "user" | "assistant", "content": …}`."""


@dataclass(slots=True)
class Sample:
    """A text (or conversation) with what is known of where it comes from.

    `thinking` is the thinking part of the conversation's last answer, None where nothing is known of one.
    `document` names the group that must never be split between training and held-out data. `authority` lies in [0, 0.99],
    `entropy` is in bits; both are None until scored. `evidence` explains them: `{marker name: what it added}`.
    """

    id: str
    text: str = ""
    messages: list[Message] | None = None
    thinking: str | None = None
    origin: str = ""
    document: str = ""
    title: str | None = None
    source_type: str = "unknown"
    year: int | None = None
    authority: float | None = None
    entropy: float | None = None
    trivium: str = "unknown"
    evidence: dict[str, float] = field(default_factory=dict)
    metadata: dict[str, Any] = field(default_factory=dict)

    @property
    def prompt(self) -> list[Message]:
        """The conversation up to where the assistant gives its last answer; empty for a plain text."""
        turns = self.messages or []
        return turns[:-1] if turns and turns[-1]["role"] == "assistant" else turns

    @property
    def question(self) -> str:
        """What the user asked last; empty for a plain text."""
        return next((turn["content"] for turn in reversed(self.prompt) if turn["role"] == "user"), "")

    @property
    def reference(self) -> str | None:
        """The assistant's last answer, None where a conversation has none."""
        turns = self.messages or []
        return turns[-1]["content"] if turns and turns[-1]["role"] == "assistant" else None

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, row: dict[str, Any]) -> "Sample":
        """The inverse of `to_dict`."""
        return cls(**row)


def band(authority: float) -> str:
    """The authority band: low below 0.3, high above 0.7, mid between.

    >>> [band(a) for a in (0.1, 0.3, 0.7, 0.71)]
    ['low', 'mid', 'mid', 'high']
    """
    if authority < 0.3:
        return "low"
    return "high" if authority > 0.7 else "mid"


def slug(name: str) -> str:
    """A name without regard to case, spaces, hyphens and underscores.

    >>> slug("Laboratory-Notebook "), slug("laboratory_notebook")
    ('laboratory notebook', 'laboratory notebook')
    """
    return " ".join(name.lower().replace("_", " ").replace("-", " ").split())
