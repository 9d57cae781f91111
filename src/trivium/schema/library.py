"""Schemas below `dataset.library`: from books to passages, and from passages to conversations."""

from dataclasses import dataclass
from typing import Any

from trivium.schema.fields import opt


@dataclass
class ChunkConfig:
    """How a work is cut into passages."""

    method: str = opt(
        "paragraph",
        "paragraph: whole paragraphs up to size, long ones cut at sentences; window: overlapping windows.",
        choices=("paragraph", "window"),
    )
    unit: str = opt("characters", "What size, overlap and min_size count.", choices=("characters", "words", "tokens"))
    size: int = opt(1024, "Longest passage.", ge=1)
    overlap: int = opt(128, "What a window repeats of the one before; must be below size. Paragraphs do not overlap.", ge=0)
    min_size: int = opt(256, "Shorter passages are left out and counted.", ge=0)
    tokenizer: str | None = opt(None, "Tokenizer (directory or hub id) that counts tokens where unit=tokens.")


@dataclass
class ThemesConfig:
    """Keyword filter over a lexicon of themes. A word counts once however often it stands and however many themes hold it."""

    lexicon: str = opt("period", "Themes: a shipped name or a YAML file.")
    min_matches: int = opt(2, "Distinct keywords that a passage needs; 0 lets all pass.", ge=0)
    max_matches: int | None = opt(None, "Distinct keywords that it may have at most; null for no limit.", ge=0)
    ranges: bool = opt(False, "Also write one file for each exact number of keywords.")
    ordinary: str | None = opt(
        None, "Ordinary prose that the filter's lift is measured against: .txt or .jsonl; null takes the shipped sample."
    )
    min_lift: float = opt(2.0, "A lift below this is warned of: the filter then passes what everything passes.", ge=0)


@dataclass
class RelevanceConfig:
    """Second stage: similarity of a passage to the themes' anchor sentences, by a sentence-transformers model."""

    enabled: bool = opt(False, "Score the passages that the keywords let pass.")
    path: str | None = opt(None, "Model directory or hub id; null takes the embedded tiny one.")
    device: str = opt("cpu", "Where it runs.", choices=("cpu", "cuda", "mps"))
    min_similarity: float = opt(
        0.1,
        "Least mean cosine similarity to the theme centroids; what parts relevant from other depends on the model.",
        ge=-1,
        le=1,
    )


@dataclass
class PeriodConfig:
    """What the model is to know nothing of: all after a date."""

    cutoff: str | int | None = opt(None, "Last day (YYYY-MM-DD) or year of the period; null for none.")
    unknown: str = opt("reject", "Works without a date.", choices=("reject", "accept"))
    anachronisms: str = opt("modern", "Lexicon of terms with the year of their first use: a shipped name or a YAML file.")
    max_anachronisms: int = opt(0, "Passages with more of them than this are left out.", ge=0)
    facts: str | None = opt(
        None, "Dated questions (YAML) from which retain and unlearn rows are made; null for none but a generated world's own."
    )
    share: float = opt(0.0, "Share of the training rows that are retain and unlearn rows, half each.", ge=0, lt=1)


@dataclass
class GeneralConfig:
    """Ordinary instruction data, against forgetting."""

    path: str | None = opt(None, "Folder or file of conversations; null for none but a generated world's own.")
    share: float = opt(0.2, "Share of the training rows.", ge=0, lt=1)


@dataclass
class DialogueConfig:
    """Training rows joined into conversations of several turns about one work."""

    share: float = opt(0.3, "Share of the rows that are joined.", ge=0, le=1)
    turns: int = opt(3, "Questions in such a conversation, at most.", ge=2, le=20)


@dataclass
class LibraryWorld:
    """How much the generated library holds."""

    towns: int = opt(24, "Towns with a chronicle each.", ge=6, le=48)
    seed: int = opt(7, "Seed of the world; independent of the run's seed.", ge=0)


@dataclass
class LibraryConfig:
    """Books as training conversations of a persona."""

    persona: str = opt("correspondent", "Who speaks: a shipped persona or a YAML file.")
    voice: str = opt(
        "persona",
        "persona: as the persona; plain: the same answers in ordinary words, a control; shuffled: the persona's answers to "
        "other questions, a placebo.",
        choices=("persona", "plain", "shuffled"),
    )
    language: str = opt(
        "en", "en: works that are not English are left out and counted; any: all languages.", choices=("en", "any")
    )
    components: dict[str, Any] = opt(
        {}, "The mixture, name: {size, themes}; size counts rows and null takes all. Empty takes the persona's own components."
    )
    chunk: ChunkConfig = opt(ChunkConfig, "Cutting.")
    themes: ThemesConfig = opt(ThemesConfig, "Keyword filter.")
    relevance: RelevanceConfig = opt(RelevanceConfig, "Embedding filter.")
    period: PeriodConfig = opt(PeriodConfig, "Dates.")
    general: GeneralConfig = opt(GeneralConfig, "Against forgetting.")
    dialogue: DialogueConfig = opt(DialogueConfig, "Several turns.")
    judge_size: float = opt(0.5, "Share of the held-out rows that train the style judge; the others are asked.", gt=0, lt=1)
    world: LibraryWorld = opt(LibraryWorld, "The generated library.")
