"""A model of a told shape with random weights: as large, as slow and as hungry as the real one, and as wise as noise."""

from pathlib import Path
from typing import Any

from trivium.errors import ConfigError
from trivium.models.quiet import quiet
from trivium.schema import ModelShape


def build(shape: ModelShape, tokenizer: Path, dtype: str, seed: int, out: Path) -> None:
    """Write it into `out` as an ordinary Hugging Face directory, with the tokenizer of the folder `tokenizer`.

    Raises `ConfigError` for an architecture that Transformers does not know, or a vocabulary smaller than the tokenizer's.
    """
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, set_seed

    pieces = AutoTokenizer.from_pretrained(str(tokenizer), trust_remote_code=False)
    if len(pieces) > shape.vocab_size:
        raise ConfigError(
            f"model.shape.vocab_size={shape.vocab_size} is less than the {len(pieces)} entries of the embedded tokenizer, "
            "which init=random takes; raise it."
        )
    set_seed(seed)
    settings = configuration(shape, eos_token_id=pieces.eos_token_id, pad_token_id=pieces.pad_token_id, bos_token_id=None)
    with quiet():
        model = AutoModelForCausalLM.from_config(settings, dtype=getattr(torch, dtype), trust_remote_code=False)
        model.save_pretrained(out)
        pieces.save_pretrained(out)


def configuration(shape: ModelShape, **more: Any) -> Any:
    """The configuration of Transformers for a shape; raises `ConfigError` when it knows no such architecture."""
    from transformers import AutoConfig

    told = {
        "vocab_size": shape.vocab_size,
        "hidden_size": shape.hidden_size,
        "intermediate_size": shape.intermediate_size,
        "num_hidden_layers": shape.num_hidden_layers,
        "num_attention_heads": shape.num_attention_heads,
        "num_key_value_heads": shape.num_key_value_heads or shape.num_attention_heads,
        "tie_word_embeddings": shape.tie_word_embeddings,
    }
    width = {"head_dim": shape.head_dim} if shape.head_dim else {}
    try:
        return AutoConfig.for_model(shape.model_type or "", **told, **width, **more)
    except ValueError as error:
        raise ConfigError(
            f"model.shape.model_type={shape.model_type} is no architecture that the installed Transformers knows; give the "
            "model_type of the model's config.json, for example llama, qwen2 or qwen3."
        ) from error
