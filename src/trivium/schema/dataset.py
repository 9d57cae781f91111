"""Schema of the group `dataset`."""

from dataclasses import dataclass
from typing import Any

from trivium.schema.fields import opt
from trivium.schema.library import LibraryConfig


@dataclass
class WorldConfig:
    """How much the generated archive holds, in facts."""

    disputed: int = opt(100, "Facts told once by a primary record and twice, differently, by coordinated sources.", ge=4)
    coordinated_only: int = opt(32, "Facts that only coordinated sources state, three of them.", ge=4)
    corrected: int = opt(32, "Facts whose primary record was later corrected by other primary records.", ge=4)
    source_first: float = opt(0.0, "Share of documents that name their source before the value.", ge=0, le=1)
    seed: int = opt(7, "Seed of the world's names and values; independent of the run's seed.", ge=0)


@dataclass
class ProvenanceConfig:
    """How authority and provenance entropy are found."""

    mode: str = opt(
        "blend",
        "prior: the source type's entry; dynamic: text and metadata; blend: both; given: the data's own columns.",
        choices=("prior", "dynamic", "blend", "given"),
    )
    blend: float = opt(0.7, "Weight of the prior in `blend`; the effects of markers count by the rest.", ge=0, le=1)
    markers: str = opt("default", "Marker lexicon: a shipped name or a YAML file.")
    priors: str = opt("default", "Per-source priors: a shipped name or a YAML file.")
    shuffle: bool = opt(False, "Placebo: deal the provenance facts out at random, keeping their distribution.")


@dataclass
class DedupConfig:
    """Near-duplicate removal (MinHash over character shingles)."""

    enabled: bool = opt(True, "Drop later near-copies of a text.")
    threshold: float = opt(0.85, "Estimated Jaccard similarity from which two texts are copies.", gt=0, le=1)


@dataclass
class RebalanceConfig:
    """Target shares of the authority bands; low-authority samples are never dropped."""

    enabled: bool = opt(True, "Subsample mid and high authority to the target shares.")
    low: list[float] = opt([0.25, 0.30], "Share of low authority, [least, most].", ge=0, le=1)
    mid: list[float] = opt([0.25, 0.35], "Share of mid authority, [least, most].", ge=0, le=1)
    high: list[float] = opt([0.35, 0.40], "Share of high authority, [least, most].", ge=0, le=1)


@dataclass
class GateConfig:
    """What a training distribution must look like; entropies in bits."""

    trivium: list[float] = opt([0.20, 0.40], "Share of each of grammar, logic and rhetoric, [least, most].", ge=0, le=1)
    trivium_poor: float = opt(0.50, "A trivium share above this is poor.", ge=0, le=1)
    entropy_mean: list[float] = opt([0.5, 2.5], "Mean provenance entropy, [least, most], bits.", ge=0)
    entropy_max: float = opt(1.5, "Some sample must reach this entropy, bits.", ge=0)
    entropy_min: float = opt(1.0, "Some sample must lie at or below this entropy, bits.", ge=0)
    band_slack: float = opt(0.05, "How far a band share may miss its target and still be acceptable.", ge=0, le=1)
    min_samples: int = opt(20, "Fewer training samples than this is poor.", ge=1)


@dataclass
class ContaminationConfig:
    """When an evaluation item counts as seen in training."""

    mode: str = opt("warn", "strict: exit 3; warn: drop the item and say so; off.", choices=("strict", "warn", "off"))
    ngram: int = opt(10, "Words in a row shared with a training row.", ge=3)
    jaccard: float = opt(0.8, "Word-set Jaccard similarity with a training row.", gt=0, le=1)


@dataclass
class ChatConfig:
    """How a plain document becomes a conversation."""

    system: str | None = opt(None, "System message of every conversation; null leaves it out.")
    prompt: str = opt(
        "What is recorded about {title}?",
        "User turn put before a document; {title}, {source_type}, {year} are filled in.",
    )
    prompt_untitled: str = opt("What is recorded?", "The same for a document without a title.")
    think_open: str = opt("<think>", "What opens the thinking part of a completion.")
    think_close: str = opt("</think>", "What closes it.")


@dataclass
class LogicConfig:
    """The generated questions: does a substance have a property, given what its kind always or never does?"""

    names: int = opt(40, "Substances; each is asked about in ten questions.", ge=10, le=240)
    test_size: float = opt(0.2, "Share of the questions held out; their premises are known from other questions.", gt=0, lt=1)
    seed: int = opt(7, "Seed of the world; independent of the run's seed.", ge=0)


@dataclass
class QuestionsConfig:
    """Rows with a question and a reference answer."""

    validation: str = opt(
        "lenient",
        "strict: a row that breaks the published JSON Schema ends the preparation; lenient: it is left out and counted only "
        "if it has no question.",
        choices=("strict", "lenient"),
    )
    generate: bool = opt(False, "Make questions for rows that have none (chunks of articles), from their metadata.")
    thinking: str = opt("thinking", "Column that holds the reference's thinking part.")
    group: str | None = opt(None, "Column whose equal values must stay on one side of the split, beside near-equal questions.")
    text_export: list[str] = opt(
        [], "Formats in which the training rows are also written as plain text.", choices=("chatml", "qwen", "alpaca")
    )


@dataclass
class DatasetConfig:
    """Sources, preparation steps in their fixed order, and gates."""

    name: str = opt("micro_archive", "Label.")
    kind: str = opt(
        "documents",
        "documents: texts with their provenance; questions: prompts with reference answers; library: books that become "
        "conversations of a persona.",
        choices=("documents", "questions", "library"),
    )
    generator: str | None = opt(
        None, "Generated world instead of files.", choices=("micro_archive", "micro_qa", "micro_library")
    )
    path: str | None = opt(None, "Folder or file of .txt, .jsonl or .parquet.")
    fields: dict[str, str] = opt({}, "Own column names, as ours: theirs (for example text: body).")
    source_type: str | None = opt(None, "Source type of every row that does not name one.")
    max_samples: int | None = opt(None, "Take at most this many samples, evenly over the files.", ge=1)
    max_chars: int = opt(
        2000, "Longest text in characters; a longer document is cut at paragraphs into several samples.", ge=50
    )
    min_chars: int = opt(20, "Shorter texts are rejected.", ge=1)
    where: dict[str, Any] = opt(
        {}, "Filters: field: value, [values], or {min: …, max: …}; years, authority, source_type, any field."
    )
    world: WorldConfig = opt(WorldConfig, "The generated archive.")
    logic: LogicConfig = opt(LogicConfig, "The generated questions.")
    questions: QuestionsConfig = opt(QuestionsConfig, "Preparation of questions.")
    library: LibraryConfig = opt(LibraryConfig, "Preparation of a library.")
    provenance: ProvenanceConfig = opt(ProvenanceConfig, "Scoring.")
    dedup: DedupConfig = opt(DedupConfig, "Near-duplicates.")
    rebalance: RebalanceConfig = opt(RebalanceConfig, "Band shares.")
    test_size: float = opt(0.1, "Share of documents held out; siblings of a document stay together.", ge=0, lt=1)
    gate: str = opt(
        "warn", "strict: a poor distribution exits 3; warn: it is reported; off.", choices=("strict", "warn", "off")
    )
    targets: GateConfig = opt(GateConfig, "The gate's thresholds.")
    contamination: ContaminationConfig = opt(ContaminationConfig, "Evaluation items against training rows.")
    chat: ChatConfig = opt(ChatConfig, "Documents as conversations.")
    seed: int = opt(42, "Seed of splitting, subsampling and the placebo; independent of the run's seed.", ge=0)
