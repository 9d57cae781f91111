"""Every key a Trivium config may hold: its type, default, bounds and one sentence about it.

The dataclasses below are the single place for defaults and for documentation. Option files under `conf/` hold only what
differs. Nothing heavy is imported here; `trivium.check` binds a composed config to these types and reports every problem.
"""

from dataclasses import dataclass, field, fields, is_dataclass
from typing import Any

BANDS = ("low", "mid", "high")
"""Authority bands: low `[0, 0.3)`, mid `[0.3, 0.7]`, high `(0.7, 0.99]`."""

STAGES = ("acquire", "prepare", "train", "evaluate", "export")
TASKS = ("run", "audit")
TEXT_FILES = (".txt", ".jsonl", ".parquet")
"""Suffixes of the files that `dataset.path` reads."""


def opt(default: Any, doc: str, **rules: Any) -> Any:
    """A config field with its sentence. Rules: `ge`, `gt`, `le`, `lt` (numbers) and `choices` (values or list items)."""
    metadata = {"doc": doc, **rules}
    if isinstance(default, list | dict):
        return field(default_factory=lambda: type(default)(default), metadata=metadata)
    if is_dataclass(default) and isinstance(default, type):
        return field(default_factory=default, metadata=metadata)
    return field(default=default, metadata=metadata)


# --- model -----------------------------------------------------------------------------------------------------------


@dataclass
class TinyBuild:
    """How the embedded model is made when `model.path` is not set."""

    vocab_size: int = opt(896, "Entries of the byte-level BPE vocabulary, special tokens included.", ge=300, le=65536)
    hidden_size: int = opt(128, "Width of the residual stream.", ge=16, le=4096)
    intermediate_size: int = opt(256, "Width of the MLP.", ge=16, le=16384)
    num_hidden_layers: int = opt(2, "Transformer blocks.", ge=1, le=64)
    num_attention_heads: int = opt(4, "Attention heads; must divide hidden_size.", ge=1, le=64)
    max_steps: int = opt(500, "Pre-training optimiser steps.", ge=1)
    batch_size: int = opt(64, "Pre-training sequences a step.", ge=1)
    learning_rate: float = opt(3e-3, "Pre-training peak learning rate (AdamW, cosine).", gt=0)
    facts: int = opt(400, "Neutral facts in the pre-training text.", ge=0, le=12288)
    copies: int = opt(3, "Documents that tell each neutral fact.", ge=1)
    source_first: float = opt(0.0, "Share of neutral documents that name their source before the value.", ge=0, le=1)
    premises: int = opt(0, "Copies of every premise of the generated questions in the pre-training text; 0 for none.", ge=0)
    logic_names: int = opt(40, "As dataset.logic.names.", ge=10, le=240)
    logic_seed: int = opt(7, "As dataset.logic.seed.", ge=0)
    seed: int = opt(0, "Seed of the weights and of the order of the neutral text.", ge=0)


@dataclass
class ModelConfig:
    """Which weights are tuned."""

    name: str = opt("tiny", "Label used in run names and tables.")
    path: str | None = opt(None, "Local Hugging Face directory or hub id; null builds the embedded tiny model.")
    revision: str | None = opt(None, "Hub revision (branch, tag or commit) of `path`.")
    chat_template: str | None = opt(None, "Jinja file that replaces the tokenizer's chat template.")
    max_length: int = opt(128, "Longest training sequence in tokens; the rest of a longer one is cut.", ge=8, le=1048576)
    build: TinyBuild = opt(TinyBuild, "The embedded model's shape and pre-training.")


# --- adapter ---------------------------------------------------------------------------------------------------------


@dataclass
class LoraAdapter:
    """Low-rank adapters (PEFT)."""

    name: str = opt("lora", "Which adapter.", choices=("lora",))
    r: int = opt(16, "Rank.", ge=1, le=1024)
    lora_alpha: int = opt(32, "Scale numerator; the update is scaled by lora_alpha / r.", ge=1)
    lora_dropout: float = opt(0.0, "Dropout on the adapter's input.", ge=0, lt=1)
    target_modules: str | list[str] = opt("all-linear", "Module names to adapt, or `all-linear`.")
    use_rslora: bool = opt(False, "Scale by lora_alpha / sqrt(r) instead.")


@dataclass
class FullAdapter:
    """No adapter: every weight is trained."""

    name: str = opt("full", "Which adapter.", choices=("full",))


# --- hardware, backend -----------------------------------------------------------------------------------------------


@dataclass
class HardwareConfig:
    """A budget: what the machine can hold at once."""

    name: str = opt("cpu", "Label.")
    device: str = opt("cpu", "Where tensors live.", choices=("cpu", "cuda", "mps"))
    dtype: str = opt("float32", "Weights' type while training.", choices=("float32", "bfloat16", "float16"))
    per_device_train_batch_size: int = opt(64, "Micro-batch: sequences held at once.", ge=1)
    gradient_checkpointing: bool = opt(False, "Recompute activations in the backward pass to save memory.")
    attn_implementation: str = opt("sdpa", "Attention kernel.", choices=("eager", "sdpa", "flash_attention_2"))
    eval_batch_tokens: int = opt(4096, "Padded tokens scored at once in evaluation.", ge=64)


@dataclass
class BackendConfig:
    """Which library trains."""

    name: str = opt("torch", "Backend.", choices=("torch",))


# --- method ----------------------------------------------------------------------------------------------------------


@dataclass
class SftMethod:
    """Supervised fine-tuning (TRL's SFTTrainer)."""

    name: str = opt("sft", "Method.", choices=("sft",))
    learning_rate: float = opt(2e-4, "Peak learning rate.", gt=0, le=1)
    lr_scheduler_type: str = opt(
        "cosine", "Schedule after warm-up.", choices=("cosine", "linear", "constant", "constant_with_warmup")
    )
    warmup_ratio: float = opt(0.1, "Share of the steps spent warming up.", ge=0, lt=1)
    optim: str = opt("adamw_torch", "Optimiser, by its Transformers name.")
    weight_decay: float = opt(0.0, "AdamW weight decay.", ge=0)
    max_grad_norm: float = opt(1.0, "Gradient clipping norm; 0 switches it off.", ge=0)
    num_train_epochs: float = opt(3.0, "Passes over the data; unused when max_steps is set.", gt=0)
    max_steps: int | None = opt(None, "Optimiser steps; null takes num_train_epochs.", ge=1)
    total_batch_size: int = opt(64, "Sequences an optimiser step, micro-batches and accumulation together.", ge=1)
    packing: bool = opt(False, "Pack several samples into one sequence of max_length (best-fit).")
    assistant_only_loss: bool = opt(True, "Only the assistant's tokens carry loss.")
    logging_steps: int = opt(10, "Steps between metric lines.", ge=1)
    eval_steps: int | None = opt(None, "Steps between held-out evaluations; null evaluates at the end only.", ge=1)
    save_steps: int | None = opt(None, "Steps between checkpoints; null saves on interruption only.", ge=1)
    save_total_limit: int = opt(2, "Checkpoints kept.", ge=1)
    metric_for_best_model: str | None = opt(
        None,
        "Held-out metric that picks the weights kept, for example eval_nll; null keeps the last.",
        choices=("eval_nll", "eval_loss"),
    )


@dataclass
class WarmStart:
    """Short supervised fine-tuning on the reference answers, before the rewards take over."""

    max_steps: int = opt(0, "Optimiser steps; 0 leaves it out.", ge=0)
    learning_rate: float = opt(2e-4, "Peak learning rate.", gt=0, le=1)
    total_batch_size: int = opt(32, "Sequences an optimiser step.", ge=1)


LOSS_TYPES = ("grpo", "dr_grpo", "dapo", "bnpo", "cispo", "sapo", "luspo", "vespo")


@dataclass
class GrpoMethod:
    """Group relative policy optimisation on composed rewards (TRL's GRPOTrainer)."""

    name: str = opt("grpo", "Method.", choices=("grpo",))
    learning_rate: float = opt(5e-6, "Peak learning rate.", gt=0, le=1)
    lr_scheduler_type: str = opt(
        "linear", "Schedule after warm-up.", choices=("cosine", "linear", "constant", "constant_with_warmup")
    )
    warmup_ratio: float = opt(0.1, "Share of the steps spent warming up.", ge=0, lt=1)
    optim: str = opt("adamw_torch", "Optimiser, by its Transformers name.")
    weight_decay: float = opt(0.0, "AdamW weight decay.", ge=0)
    max_grad_norm: float = opt(1.0, "Gradient clipping norm; 0 switches it off.", ge=0)
    max_steps: int = opt(250, "Optimiser steps; 0 trains the warm start only.", ge=0)
    total_batch_size: int = opt(64, "Completions an optimiser step: prompts times num_generations.", ge=2)
    num_generations: int = opt(8, "Completions of one prompt, a group; must divide total_batch_size.", ge=2)
    max_completion_length: int = opt(1024, "Longest completion in tokens, thinking included.", ge=1)
    temperature: float = opt(1.0, "Sampling temperature.", gt=0)
    top_p: float = opt(1.0, "Nucleus sampling.", gt=0, le=1)
    top_k: int = opt(0, "Sample among so many tokens; 0 for all.", ge=0)
    min_p: float | None = opt(None, "Least probability of a token, as a share of the likeliest one's.", ge=0, le=1)
    repetition_penalty: float = opt(1.0, "Penalty of tokens said before while sampling; 1 is none.", gt=0)
    beta: float = opt(0.0, "Weight of the KL anchor to the model as it was before (after the warm start); 0 is none.", ge=0)
    loss_type: str = opt("dapo", "How token losses are put together; TRL's names.", choices=LOSS_TYPES)
    epsilon: float = opt(0.2, "Clipping of the probability ratio, below.", gt=0)
    epsilon_high: float | None = opt(None, "Clipping above; null takes epsilon.", gt=0)
    delta: float | None = opt(None, "Upper bound of the two-sided clipping; null is none.", gt=0)
    num_iterations: int = opt(1, "Optimiser steps on each batch of completions.", ge=1)
    importance_sampling_level: str = opt("token", "Level of the probability ratio.", choices=("token", "sequence"))
    scale_rewards: str = opt(
        "group",
        "What the plain sum of rewards is scaled by (aggregation=sum_then_normalize).",
        choices=("group", "batch", "none"),
    )
    aggregation: str | None = opt(
        None,
        "normalize_then_sum normalises each reward within its group before they are added (GDPO); sum_then_normalize adds "
        "first; null takes the former from two terms on.",
        choices=("normalize_then_sum", "sum_then_normalize"),
    )
    mask_truncated_completions: bool = opt(True, "Completions that ran out of tokens, mostly while thinking, carry no loss.")
    logging_steps: int = opt(1, "Steps between metric lines.", ge=1)
    completions_steps: int = opt(10, "Steps between tables of completions; 0 writes none.", ge=0)
    save_steps: int | None = opt(None, "Steps between checkpoints; null saves on interruption only.", ge=1)
    save_total_limit: int = opt(2, "Checkpoints kept.", ge=1)
    gold_steps: int = opt(20, "Steps between comparisons of proxy and gold on held-out prompts; 0 makes none.", ge=0)
    gold_prompts: int = opt(32, "Held-out prompts in such a comparison.", ge=2)
    assistant_only_loss: bool = opt(True, "Only the assistant's tokens carry loss in the warm start.")
    warm_start: WarmStart = opt(WarmStart, "Supervised steps before.")


# --- loss ------------------------------------------------------------------------------------------------------------


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


# --- dataset ---------------------------------------------------------------------------------------------------------


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
        "documents: texts with their provenance; questions: prompts with reference answers.",
        choices=("documents", "questions"),
    )
    generator: str | None = opt(None, "Generated world instead of files.", choices=("micro_archive", "micro_qa"))
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


# --- reward ----------------------------------------------------------------------------------------------------------


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


# --- evaluation, and what later roads fill ---------------------------------------------------------------------------


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
class NoneConfig:
    """Nothing of this kind."""

    name: str = opt("none", "Label.")


@dataclass
class MlflowTracking:
    """MLflow beside the local JSONL."""

    name: str = opt("mlflow", "Tracker.", choices=("mlflow",))
    uri: str = opt("sqlite:///outputs/mlflow.db", "Tracking URI.")
    experiment: str = opt("trivium", "MLflow experiment.")
    timeout: int = opt(20, "Seconds to wait for a locked database or a silent server before saying so.", ge=1)


@dataclass
class WandbTracking:
    """Weights & Biases beside the local JSONL; needs the wandb package."""

    name: str = opt("wandb", "Tracker.", choices=("wandb",))
    project: str = opt("trivium", "W&B project.")
    mode: str = opt("offline", "offline writes below outputs/wandb, online sends.", choices=("offline", "online"))


# --- the whole -------------------------------------------------------------------------------------------------------


@dataclass
class Config:
    """A run."""

    name: str = opt("run", "Name of the experiment; names the output folder and the MLflow run.")
    seed: int = opt(0, "Seed of training: initialisation, order, dropout.", ge=0, le=2**32 - 1)
    task: str = opt("run", "What to do.", choices=TASKS)
    stages: list[str] = opt(list(STAGES), "Stages of task=run, in order.", choices=STAGES)
    cache_dir: str = opt("data/cache", "Where prepared data and built models are shared between runs.")
    arms: dict[str, list[str]] | None = opt(
        None, "Control arms, name: [overrides], trained and evaluated beside the experiment; null for none."
    )
    model: ModelConfig = opt(ModelConfig, "Which weights.")
    adapter: Any = opt(LoraAdapter, "Which of them train.")
    hardware: HardwareConfig = opt(HardwareConfig, "What the machine holds.")
    backend: BackendConfig = opt(BackendConfig, "Which library trains.")
    method: Any = opt(SftMethod, "How it trains.")
    dataset: DatasetConfig = opt(DatasetConfig, "On what.")
    loss: Any = opt(DistrustLoss, "With what loss.")
    reward: RewardConfig = opt(RewardConfig, "With what rewards.")
    evaluation: Any = opt(EvaluationConfig, "Measured how.")
    export: NoneConfig = opt(NoneConfig, "Exported as what.")
    tracking: Any = opt(MlflowTracking, "Recorded where.")


VARIANTS: dict[str, dict[str, type]] = {
    "adapter": {"lora": LoraAdapter, "full": FullAdapter},
    "method": {"sft": SftMethod, "grpo": GrpoMethod},
    "loss": {
        "uniform": UniformLoss,
        "distrust": DistrustLoss,
        "distrust_sampled": DistrustSampledLoss,
        "distrust_published": DistrustPublishedLoss,
    },
    "evaluation": {"provenance": EvaluationConfig, "coherence": CoherenceEvaluation, "none": NoneConfig},
    "tracking": {"mlflow": MlflowTracking, "wandb": WandbTracking, "none": NoneConfig},
}
"""Groups whose keys depend on the option: group -> value of its `name` -> schema."""


def group_schemas(group: str) -> dict[str, type]:
    """The schemas of a config group by option name; a group of one shape has the single key `""`."""
    if group in VARIANTS:
        return VARIANTS[group]
    return {"": next(f for f in fields(Config) if f.name == group).type}  # type: ignore[dict-item]
