"""Small random models in the shapes that people use, each with its own byte-level BPE, special tokens and chat template."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

SHAPES = ("llama_tied", "llama_untied", "qwen2", "qwen3")

_CONTRACTIONS = "(?i:'s|'t|'re|'ve|'m|'ll|'d)|"
_REST = r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
_THREE_DIGITS = _CONTRACTIONS + r"[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}" + _REST
_ONE_DIGIT = _CONTRACTIONS + r"[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}" + _REST

_PLAIN = (
    "{% for message in messages %}{% if message['role'] == 'assistant' %}"
    "<|assistant|>{% generation %}{{ message['content'] }}<|end|>{% endgeneration %}"
    "{% else %}<|{{ message['role'] }}|>{{ message['content'] }}<|end|>{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)
_HEADERS = (
    "{{- bos_token }}{%- for message in messages %}"
    "{{- '<|start_header_id|>' + message['role'] + '<|end_header_id|>\\n\\n' + message['content'] | trim + '<|eot_id|>' }}"
    "{%- endfor %}{%- if add_generation_prompt %}{{- '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}{%- endif %}"
)
_CHATML = (
    "{%- for message in messages %}{{- '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>\\n' }}"
    "{%- endfor %}"
    "{%- if add_generation_prompt %}{{- '<|im_start|>assistant\\n' }}{%- endif %}"
)
_CHATML_SYSTEM = (
    "{%- if messages[0]['role'] != 'system' %}"
    "{{- '<|im_start|>system\\nYou are a helpful assistant.<|im_end|>\\n' }}{%- endif %}"
) + _CHATML

_CORPUS = (
    "The mass of the comet is 412 grams, and a notebook gives the depth of the quarry as 37 metres.",
    "It's said that they'd found 12,345.67 pounds of wool; wasn't it 1847? We'll see, and I'm sure you've read it.",
    "Who wrote it? Nobody knows. And when? The ledger says: to a dyer, for the winter, at the old mill.",
    "naïve café, Ünïcode, Ελλάδα, 北京 is a city; ½ of it, 🙂 and 👍🏽.",
    "line one\nline two\n\n    indented\tand tabbed\r\n  return { x < 3 && y > 2 };",
    "Answer in one sentence. A delta is where a river meets the sea, and what it carries falls down there.",
)


@dataclass(frozen=True)
class _Look:
    """What a family's tokenizer and template look like. `specials` come first in the vocabulary, `added` last."""

    words: str
    template: str
    specials: tuple[str, ...]
    eos: str
    pad: str
    bos: str | None = None
    added: tuple[str, ...] = ()
    normalised: bool = False
    ignore_merges: bool = False
    stops: tuple[str, ...] = ()
    """Further tokens at which the family's generation settings end a turn."""


_LOOKS = {
    "llama_tied": _Look(
        _THREE_DIGITS, _PLAIN, ("<|pad|>", "<|end|>", "<|system|>", "<|user|>", "<|assistant|>"), "<|end|>", "<|pad|>"
    ),
    "llama_untied": _Look(
        _THREE_DIGITS,
        _HEADERS,
        (),
        "<|eot_id|>",
        "<|finetune_right_pad_id|>",
        "<|begin_of_text|>",
        (
            "<|begin_of_text|>",
            "<|end_of_text|>",
            "<|start_header_id|>",
            "<|end_header_id|>",
            "<|eot_id|>",
            "<|finetune_right_pad_id|>",
        ),
        ignore_merges=True,
        stops=("<|end_of_text|>",),
    ),
    "qwen2": _Look(
        _ONE_DIGIT,
        _CHATML_SYSTEM,
        (),
        "<|im_end|>",
        "<|endoftext|>",
        added=("<|endoftext|>", "<|im_start|>", "<|im_end|>"),
        normalised=True,
        stops=("<|endoftext|>",),
    ),
    "qwen3": _Look(
        _ONE_DIGIT,
        _CHATML,
        (),
        "<|im_end|>",
        "<|endoftext|>",
        added=("<|endoftext|>", "<|im_start|>", "<|im_end|>"),
        normalised=True,
        stops=("<|endoftext|>",),
    ),
}


def make(
    shape: str, folder: Path, hidden: int = 256, layers: int = 2, seed: int = 0, dtype: str = "float32", clear: bool = False
) -> None:
    """Write a Hugging Face directory with random weights, sharp enough for clear likeliest tokens.

    `hidden` is a multiple of 64 (64 values a head; K-quants want 256). The Qwen shapes have more rows than tokens, as real
    ones do. A `clear` model is sure of its next token, as trained ones are, so that rounded weights choose the same.
    """
    import torch
    from transformers import AutoModelForCausalLM, GenerationConfig

    tokenizer = make_tokenizer(shape)
    torch.manual_seed(seed)
    model = AutoModelForCausalLM.from_config(_config(shape, tokenizer, hidden, layers))
    with torch.no_grad():
        for name, weights in model.named_parameters():
            if weights.ndim == 1:
                weights.add_(torch.randn_like(weights) * 0.1)
            elif "lm_head" in name or "embed_tokens" in name:
                weights.mul_(3.0)
    if clear:
        _make_clear(model)
    ends = tokenizer.convert_tokens_to_ids([tokenizer.eos_token, *_LOOKS[shape].stops])
    model.generation_config = GenerationConfig(
        do_sample=False, eos_token_id=ends if len(ends) > 1 else ends[0], pad_token_id=tokenizer.pad_token_id
    )
    model.to(getattr(torch, dtype)).save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def tune(base: Path, out: Path, r: int = 8, lora_alpha: int = 24, seed: int = 1) -> None:
    """Write a PEFT adapter of a base into `out/adapter`: every linear layer, B not zero, alpha / r not 1."""
    import torch
    from peft import LoraConfig, TaskType, get_peft_model
    from transformers import AutoModelForCausalLM

    torch.manual_seed(seed)
    model = AutoModelForCausalLM.from_pretrained(base)
    tuned = get_peft_model(
        model, LoraConfig(task_type=TaskType.CAUSAL_LM, r=r, lora_alpha=lora_alpha, target_modules="all-linear")
    )
    for name, weights in tuned.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(weights, std=0.02)
    tuned.save_pretrained(out / "adapter")


def make_tokenizer(shape: str) -> Any:
    """A byte-level BPE of some 480 entries with the family's own way of cutting words."""
    from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    look = _LOOKS[shape]
    backend = Tokenizer(models.BPE(ignore_merges=look.ignore_merges))
    if look.normalised:
        backend.normalizer = normalizers.NFC()
    backend.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(look.words), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    backend.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=480,
        special_tokens=list(look.specials),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    backend.train_from_iterator(_CORPUS * 3, trainer)
    backend.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in look.added])
    if shape == "qwen3":
        backend.add_tokens([AddedToken(token, special=False, normalized=False) for token in ("<think>", "</think>")])
    return PreTrainedTokenizerFast(
        tokenizer_object=backend,
        bos_token=look.bos,
        eos_token=look.eos,
        pad_token=look.pad,
        chat_template=look.template,
        model_max_length=512,
        clean_up_tokenization_spaces=False,
    )


def _make_clear(model: Any) -> None:
    """Let the embedding reach through to a head in which every token has one successor."""
    import torch

    embedding, head = model.get_input_embeddings().weight, model.get_output_embeddings().weight
    with torch.no_grad():
        embedding.mul_(0.5 / embedding.std())
        if head is not embedding:
            head.copy_(embedding[torch.randperm(len(embedding))])
        model.model.norm.weight.mul_(0.2)


def _config(shape: str, tokenizer: Any, hidden: int, layers: int) -> Any:
    from transformers import LlamaConfig, Qwen2Config, Qwen3Config

    rope = {"rope_theta": 50000.0, "rope_type": "default"}  # not the default, so that a reader that forgets it is found out
    family = {"llama_tied": LlamaConfig, "llama_untied": LlamaConfig, "qwen2": Qwen2Config, "qwen3": Qwen3Config}[shape]
    padded = -len(tokenizer) % 64 if shape.startswith("qwen") else 0
    head = {} if shape == "qwen2" else {"head_dim": 64}
    return family(
        vocab_size=len(tokenizer) + padded,
        hidden_size=hidden,
        intermediate_size=2 * hidden,
        num_hidden_layers=layers,
        num_attention_heads=hidden // 64,
        num_key_value_heads=max(1, hidden // 128),
        max_position_embeddings=512,
        rope_parameters=rope,
        tie_word_embeddings=shape in ("llama_tied", "qwen3"),
        initializer_range=hidden**-0.5,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        **head,
    )
