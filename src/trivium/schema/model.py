"""Schemas of the groups `model` and `adapter`."""

from dataclasses import dataclass

from trivium.schema.fields import opt


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
    library: int = opt(0, "Copies of all that the generated library tells in the pre-training text; 0 for none.", ge=0)
    library_towns: int = opt(24, "As dataset.library.world.towns.", ge=6, le=48)
    library_seed: int = opt(7, "As dataset.library.world.seed.", ge=0)
    seed: int = opt(0, "Seed of the weights and of the order of the neutral text.", ge=0)


@dataclass
class ModelShape:
    """What a model's config.json says of its size, by the names of Transformers: for plans without it, and for init=random."""

    model_type: str | None = opt(None, "Architecture, for example llama, qwen2 or qwen3; null when the shape is not told.")
    hidden_size: int = opt(0, "Width of the residual stream.", ge=0)
    intermediate_size: int = opt(0, "Width of the MLP.", ge=0)
    num_hidden_layers: int = opt(0, "Transformer blocks.", ge=0)
    num_attention_heads: int = opt(0, "Attention heads.", ge=0)
    num_key_value_heads: int = opt(0, "Heads of keys and values; 0 for as many as attention heads.", ge=0)
    head_dim: int = opt(0, "Width of a head; 0 for hidden_size / num_attention_heads.", ge=0)
    vocab_size: int = opt(0, "Rows of the embedding.", ge=0)
    tie_word_embeddings: bool = opt(False, "Whether the output head is the embedding.")


@dataclass
class ModelConfig:
    """Which weights are tuned."""

    name: str = opt("tiny", "Label used in run names and tables.")
    path: str | None = opt(None, "Local Hugging Face directory or hub id; null builds the embedded tiny model.")
    revision: str | None = opt(None, "Hub revision (branch, tag or commit) of `path`.")
    chat_template: str | None = opt(None, "Jinja file that replaces the tokenizer's chat template.")
    init: str = opt(
        "pretrained",
        "pretrained loads the weights of path; random makes some of `shape`, with the embedded tokenizer: for measuring.",
        choices=("pretrained", "random"),
    )
    max_length: int = opt(128, "Longest training sequence in tokens; the rest of a longer one is cut.", ge=8, le=1048576)
    shape: ModelShape = opt(ModelShape, "The size of the model at `path`, as its config.json has it.")
    source: str = opt("", "Where the model, and what is told of it here, comes from.")
    build: TinyBuild = opt(TinyBuild, "The embedded model's shape and pre-training.")


@dataclass
class LoraAdapter:
    """Low-rank adapters (PEFT)."""

    name: str = opt("lora", "Which adapter.", choices=("lora",))
    r: int = opt(16, "Rank.", ge=1, le=1024)
    lora_alpha: int = opt(32, "Scale numerator; the update is scaled by lora_alpha / r.", ge=1)
    lora_dropout: float = opt(0.0, "Dropout on the adapter's input.", ge=0, lt=1)
    target_modules: str | list[str] = opt("all-linear", "Module names to adapt, or `all-linear`.")
    use_rslora: bool = opt(False, "Scale by lora_alpha / sqrt(r) instead.")
    num_layers: int | None = opt(
        None, "Adapt only the last so many transformer blocks; needs target_modules as a list; null adapts all.", ge=1
    )


@dataclass
class QloraAdapter(LoraAdapter):
    """Low-rank adapters on a base that is quantised while they are trained."""

    name: str = opt("qlora", "Which adapter.", choices=("qlora",))
    bits: int = opt(4, "Bits a weight of the base while training.", choices=(4, 8))
    group_size: int = opt(
        64, "Weights of the base that share a scale (backend=mlx; bitsandbytes takes 64).", choices=(32, 64, 128)
    )
    quant_type: str = opt("nf4", "Code of 4-bit weights (backend=torch, bitsandbytes).", choices=("nf4", "fp4"))
    double_quant: bool = opt(True, "Quantise the scales of 4-bit weights as well (backend=torch, bitsandbytes).")


@dataclass
class FullAdapter:
    """No adapter: every weight is trained."""

    name: str = opt("full", "Which adapter.", choices=("full",))
