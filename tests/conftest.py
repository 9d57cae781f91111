"""What every test may use: composed configurations and the command line as a user calls it."""

import json
import os
import random
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from trivium.compose import hydra_at
from trivium.overrides import checked
from trivium.sample import Sample
from trivium.schema import Config

os.environ.setdefault("OMP_NUM_THREADS", "1")  # each core has a test of its own
os.environ.setdefault("MLX_DISABLE_COMPILE", "1")  # a cold compiler of a CPU takes longer than the tests


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files with slow tests first, so that no core waits at the end for the one that began last."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)


@pytest.fixture
def config_of() -> Iterator[Callable[..., Config]]:
    """Typed configurations from overrides, through the same composition and check as the command line."""
    with hydra_at():
        yield lambda *overrides: checked(list(overrides))


@pytest.fixture
def trivium(tmp_path: Path) -> Callable[..., "subprocess.CompletedProcess[str]"]:
    """The installed command, run in an empty folder."""

    def call(*args: str, timeout: int = 300, **env: str) -> "subprocess.CompletedProcess[str]":
        command = [sys.executable, "-m", "trivium", *args]
        environment = {**os.environ, "COLUMNS": "200", **env}
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=timeout, env=environment)

    return call


SENTENCES = ("the mass of the {} is {} grams", "a notebook gives the depth of the {} as {} metres", "the {} dates from {}")
TEMPLATE = (
    "{% for m in messages %}<|{{ m['role'] }}|>{% if m['role'] == 'assistant' %}"
    "{% generation %}{{ m['content'] }}<|end|>{% endgeneration %}{% else %}{{ m['content'] }}<|end|>{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)


def sentences(count: int, seed: int) -> list[str]:
    """Small made-up statements, seeded."""
    rng = random.Random(seed)
    names = ["comet", "quarry", "lantern", "viaduct", "glacier", "orchard"]
    return [rng.choice(SENTENCES).format(rng.choice(names), rng.randint(100, 999)) for _ in range(count)]


@pytest.fixture(scope="session")
def random_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Hugging Face directory: an untrained Llama of some 20,000 weights, byte-level tokenizer, chat template."""
    import torch
    from tokenizers import ByteLevelBPETokenizer
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    folder = tmp_path_factory.mktemp("random_model")
    specials = ["<|pad|>", "<|end|>", "<|user|>", "<|assistant|>", "<|system|>"]
    bpe = ByteLevelBPETokenizer()
    bpe.train_from_iterator(sentences(200, 0), vocab_size=320, special_tokens=specials, show_progress=False)
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=bpe._tokenizer, pad_token="<|pad|>", eos_token="<|end|>")
    tokenizer.chat_template = TEMPLATE
    tokenizer.save_pretrained(folder)
    torch.manual_seed(0)
    shape = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4}
    LlamaForCausalLM(LlamaConfig(vocab_size=len(tokenizer), tie_word_embeddings=True, **shape)).save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A prepared directory: 48 training and 12 held-out samples of all three bands, lengths mixed."""
    folder = tmp_path_factory.mktemp("prepared")
    facts = [(0.05, 3.0), (0.1, 2.5), (0.5, 1.5), (0.85, 1.0), (0.95, 0.5), (0.9, 0.0)]
    for name, count, seed in (("train", 48, 1), ("heldout", 12, 2)):
        rows = []
        for i, text in enumerate(sentences(count, seed)):
            authority, entropy = facts[i % len(facts)]
            text = text + " and so on" * (i % 3)
            rows.append(Sample(id=f"{name}-{i}", text=text, title=f"item {i}", authority=authority, entropy=entropy))
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(row.to_dict()) + "\n" for row in rows), encoding="utf-8")
    return folder


# --- searches --------------------------------------------------------------------------------------------------------

SMALL_MODEL = {"max_steps": 2, "hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
SMALL_TEXT = {"vocab_size": 300, "batch_size": 4, "facts": 4, "copies": 1}
FAST = (
    *(f"model.build.{key}={value}" for key, value in {**SMALL_MODEL, **SMALL_TEXT}.items()),
    *(f"dataset.world.{key}=8" for key in ("disputed", "coordinated_only", "corrected")),
    "adapter.r=2",
    "method.max_steps=2",
    "method.total_batch_size=2",
    "method.learning_rate=0.5",
    "evaluation.suites=[small_world]",
    "evaluation.perplexity=false",
    "evaluation.bootstrap_samples=100",
    "sweep.confirm=0",
    "sweep.workers=1",
    "sweep.points=[]",
    "sweep.constraints=[]",
)
"""A trial of a second."""


@pytest.fixture(scope="session")
def fast(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Words for a search with trials of a second, which records nothing; base model and data are made once for all tests."""
    return [*FAST, "tracking=none", f"cache_dir={tmp_path_factory.mktemp('cache')}"]
