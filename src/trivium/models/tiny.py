"""The embedded model: Llama architecture, a few hundred thousand parameters, built and pre-trained on this machine."""

import math
import random
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import torch
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import GenerationConfig, LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from trivium.data import chat
from trivium.data.neutral import neutral_text, vocabulary
from trivium.data.small_world import NUMBERS
from trivium.models.quiet import quiet
from trivium.sample import Message
from trivium.schema import TinyBuild

Update = Callable[[int, int, Mapping[str, float]], None]

CHAT_TEMPLATE = (
    "{% for message in messages %}"
    "{% if message['role'] == 'assistant' %}"
    "<|assistant|>{% generation %}{{ message['content'] }}<|end|>{% endgeneration %}"
    "{% else %}<|{{ message['role'] }}|>{{ message['content'] }}<|end|>{% endif %}"
    "{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)
SPECIAL_TOKENS = ("<|pad|>", "<|end|>", "<|system|>", "<|user|>", "<|assistant|>")
MAX_POSITIONS = 512

_WORDS = Regex(
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
"""Numbers stand alone, three digits at most: `is 412` and a turn that begins with `412` share the token `412`. It is Llama 3's
way of cutting words, which other programs know."""


def build(config: TinyBuild, out: Path, progress: Update) -> None:
    """Write the pre-trained model into `out` as an ordinary Hugging Face directory.

    The same config gives the same weights on the same machine with the same number of threads.
    """
    conversations = neutral_text(config)
    tokenizer = make_tokenizer([*conversations, *vocabulary(config)], config.vocab_size)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        model = make_model(config, tokenizer)
        pretrain(model, [chat.encode(tokenizer, c, MAX_POSITIONS) for c in conversations], config, progress)
    save(model, tokenizer, out)


def make_tokenizer(conversations: list[list[Message]], vocab_size: int) -> PreTrainedTokenizerFast:
    """A byte-level BPE trained on the conversations: any text is encoded without loss."""
    backend = Tokenizer(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(_WORDS, behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    backend.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        special_tokens=list(SPECIAL_TOKENS),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    texts = [turn["content"] for turns in conversations for turn in turns]
    backend.train_from_iterator([*texts, *NUMBERS * len(texts)], trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=backend,
        pad_token="<|pad|>",
        eos_token="<|end|>",
        chat_template=CHAT_TEMPLATE,
        model_max_length=MAX_POSITIONS,
        clean_up_tokenization_spaces=False,
    )


def make_model(config: TinyBuild, tokenizer: PreTrainedTokenizerFast) -> LlamaForCausalLM:
    """The untrained model; its embeddings are tied to the output layer."""
    return LlamaForCausalLM(
        LlamaConfig(
            vocab_size=len(tokenizer),
            hidden_size=config.hidden_size,
            intermediate_size=config.intermediate_size,
            num_hidden_layers=config.num_hidden_layers,
            num_attention_heads=config.num_attention_heads,
            num_key_value_heads=config.num_attention_heads,
            max_position_embeddings=MAX_POSITIONS,
            tie_word_embeddings=True,
            initializer_range=config.hidden_size**-0.5,
            bos_token_id=None,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
        )
    )


def pretrain(model: LlamaForCausalLM, encoded: list[chat.Encoded], config: TinyBuild, progress: Update) -> None:
    """AdamW with linear warm-up and cosine decay on batches of like length; loss (nats) on the assistant's tokens only."""
    optimizer = torch.optim.AdamW(model.parameters(), lr=config.learning_rate, weight_decay=0.0, betas=(0.9, 0.98))
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: _rate(step, config.max_steps))
    batches = _batches(encoded, config.batch_size, random.Random(config.seed))
    model.train()
    for step in range(config.max_steps):
        input_ids, labels = _collate(next(batches), int(model.config.pad_token_id or 0))
        loss = _loss(model, input_ids, labels)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        schedule.step()
        if step % 20 == 0 or step + 1 == config.max_steps:
            progress(step + 1, config.max_steps, {"loss": loss.item()})
    model.eval()


def save(model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerFast, out: Path) -> None:
    """Config, safetensors, tokenizer, chat template and greedy generation defaults."""
    model.generation_config = GenerationConfig(
        do_sample=False, eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id
    )
    with quiet():
        model.save_pretrained(out)
        tokenizer.save_pretrained(out)


def _rate(step: int, steps: int) -> float:
    """Multiplier of the peak learning rate: up over the first twentieth, then a half cosine down to a twentieth."""
    warmup = max(1, steps // 20)
    if step < warmup:
        return (step + 1) / warmup
    return 0.05 + 0.95 * 0.5 * (1 + math.cos(math.pi * (step - warmup) / max(1, steps - warmup)))


def _batches(encoded: list[chat.Encoded], size: int, rng: random.Random) -> Iterator[list[chat.Encoded]]:
    """Batches without end, each of sequences of like length, in a random order."""
    while True:
        pool = sorted(rng.choices(encoded, k=size * 16), key=lambda e: len(e.input_ids))
        starts = list(range(0, len(pool), size))
        rng.shuffle(starts)
        yield from (pool[start : start + size] for start in starts)


def _loss(model: LlamaForCausalLM, input_ids: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Mean cross-entropy (nats) of the labels, both (batch, length); logits are made for supervised positions only."""
    hidden = model.model(input_ids=input_ids, attention_mask=input_ids != model.config.pad_token_id).last_hidden_state
    targets = labels[:, 1:]
    supervised = targets != -100
    return torch.nn.functional.cross_entropy(model.lm_head(hidden[:, :-1][supervised]), targets[supervised])


def _collate(batch: list[chat.Encoded], pad: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Padded ids and labels, both (batch, longest); −100 where no loss is taken."""
    longest = max(len(e.input_ids) for e in batch)
    ids = torch.full((len(batch), longest), pad)
    labels = torch.full((len(batch), longest), -100)
    for row, item in enumerate(batch):
        tokens, mask = torch.tensor(item.input_ids), torch.tensor(item.assistant_mask, dtype=torch.bool)
        ids[row, : len(tokens)] = tokens
        labels[row, : len(tokens)][mask] = tokens[mask]
    return ids, labels
