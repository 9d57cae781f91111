"""Merging against copying the same files, and converting to GGUF: `python -m benchmarks.export [--folder DIR]`.

The base is a random Llama of 1.2 GB in files of 0.4 GB, the adapter is on every linear layer. Each side runs in a process
of its own and ends when its bytes are on the disk. Needs some 5 GB there.
"""

import argparse
import importlib
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

ROUNDS = 5
WANTED_TIME, WANTED_MEMORY = 1.2, 1.3
HIDDEN, INTERMEDIATE, LAYERS, RANK = 2048, 5632, 12, 16
LAYERS_A_FILE = 4
IMPORTED = ("datasets", "safetensors.torch", "transformers.models.llama.configuration_llama", "trivium.models.merge")
CACHE = Path("data/cache")
"""Where the converter lies, or is unpacked to."""


def make_base(folder: Path) -> None:
    """Config, tokenizer and bfloat16 weights, written a file at a time."""
    import torch
    from safetensors.torch import save_file
    from transformers import LlamaConfig

    from trivium.models import tiny

    tokenizer = tiny.make_tokenizer([[{"role": "user", "content": "Who wrote it, and when?"}]], 400)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=HIDDEN,
        intermediate_size=INTERMEDIATE,
        num_hidden_layers=LAYERS,
        num_attention_heads=16,
        num_key_value_heads=16,
        tie_word_embeddings=True,
        architectures=["LlamaForCausalLM"],
        dtype="bfloat16",
    )
    config.save_pretrained(folder)
    tokenizer.save_pretrained(folder)

    def noise(*shape: int) -> torch.Tensor:
        return torch.empty(shape, dtype=torch.bfloat16).uniform_(-0.05, 0.05)

    places: dict[str, str] = {}
    for start in range(0, LAYERS, LAYERS_A_FILE):
        name = f"model-{start // LAYERS_A_FILE + 1:05d}-of-{LAYERS // LAYERS_A_FILE:05d}.safetensors"
        tensors = {f"{prefix}.weight": noise(*shape) for prefix, shape in modules(start, LAYERS_A_FILE)}
        for layer in range(start, start + LAYERS_A_FILE):
            for norm in ("input_layernorm", "post_attention_layernorm"):
                tensors[f"model.layers.{layer}.{norm}.weight"] = noise(HIDDEN)
        if start == 0:
            tensors |= {"model.embed_tokens.weight": noise(len(tokenizer), HIDDEN), "model.norm.weight": noise(HIDDEN)}
        save_file(tensors, folder / name, {"format": "pt"})
        places |= dict.fromkeys(tensors, name)
    index = {"metadata": {"total_size": 0}, "weight_map": places}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))


def modules(start: int, count: int) -> list[tuple[str, tuple[int, int]]]:
    """Every linear module of some layers with the shape of its weight."""
    mlp = {"gate_proj": (INTERMEDIATE, HIDDEN), "up_proj": (INTERMEDIATE, HIDDEN), "down_proj": (HIDDEN, INTERMEDIATE)}
    parts = {f"mlp.{name}": shape for name, shape in mlp.items()}
    parts |= {f"self_attn.{name}_proj": (HIDDEN, HIDDEN) for name in "qkvo"}
    return [(f"model.layers.{i}.{part}", shape) for i in range(start, start + count) for part, shape in parts.items()]


def make_adapter(folder: Path) -> None:
    """A PEFT adapter on every linear module."""
    import torch
    from safetensors.torch import save_file

    folder.mkdir(parents=True)
    tensors = {}
    for name, (rows, columns) in modules(0, LAYERS):
        tensors[f"base_model.model.{name}.lora_A.weight"] = torch.randn(RANK, columns) * 0.01
        tensors[f"base_model.model.{name}.lora_B.weight"] = torch.randn(rows, RANK) * 0.01
    save_file(tensors, folder / "adapter_model.safetensors")
    config = {"peft_type": "LORA", "r": RANK, "lora_alpha": 2 * RANK, "bias": "none"}
    (folder / "adapter_config.json").write_text(json.dumps(config))


def copying(base: Path, run: Path, out: Path) -> None:
    out.mkdir()
    for path in base.iterdir():
        shutil.copyfile(path, out / path.name)


def merging(base: Path, run: Path, out: Path) -> None:
    from trivium.models.merge import fold
    from trivium.schema import ModelConfig

    fold(ModelConfig(), str(base), run, out)


def converting(base: Path, run: Path, out: Path) -> None:
    from trivium.export.llama.convert import write_model

    out.mkdir()
    write_model(base, {"bf16": out / "model-bf16.gguf"}, "model", CACHE)


SIDES: dict[str, Callable[[Path, Path, Path], None]] = {"copy": copying, "merge": merging, "convert": converting}


def measure(side: str, folder: Path) -> None:
    """In a child process: print seconds until the bytes are on the disk, without imports, and the peak memory in bytes."""
    for name in IMPORTED:
        importlib.import_module(name)
    out = folder / side
    os.sync()
    started = time.perf_counter()
    SIDES[side](folder / "base", folder / "run", out)
    for path in out.iterdir():
        with path.open("rb") as file:
            os.fsync(file.fileno())
    seconds = time.perf_counter() - started
    shutil.rmtree(out)
    unit = 1 if sys.platform == "darwin" else 1024
    peaks = [resource.getrusage(who).ru_maxrss * unit for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    print(json.dumps([seconds, *peaks]))


def child(*words: str) -> list[float]:
    """What a step prints; each runs by itself, so that its memory is its own."""
    run = subprocess.run([sys.executable, "-m", "benchmarks.export", *words], check=True, stdout=subprocess.PIPE, text=True)
    found: list[float] = json.loads(run.stdout.splitlines()[-1])
    return found


def compare(folder: Path) -> None:
    where = ("--folder", str(folder))
    child("--measure", "make", *where)
    sizes = [path.stat().st_size for path in (folder / "base").glob("*.safetensors")]
    found: dict[str, list[list[float]]] = {side: [] for side in SIDES}
    for _ in range(ROUNDS):
        for side in SIDES:
            found[side].append(child("--measure", side, *where))
    copied, merged, converted = (statistics.median(row[0] for row in found[side]) for side in SIDES)
    print(f"{sum(sizes) / 1e9:.2f} GB in {len(sizes)} files: copied in {copied:.2f} s, merged in {merged:.2f} s")
    print(f"merging: {merged / copied:.2f} of a copy's time")
    ratio = (merged + converted) / (copied + converted)
    print(f"merging and converting: {ratio:.2f} of a copy and the converter's own {converted:.2f} s (at most {WANTED_TIME})")
    peaks = {"merging": [row[1] for row in found["merge"]], "converting": [row[2] for row in found["convert"]]}
    for name, values in peaks.items():
        print(
            f"{name}: peak memory {max(values) / max(sizes):.2f} of the largest file (at most {WANTED_MEMORY}), libraries in it"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, help="where to work; a temporary folder if not given")
    parser.add_argument("--measure", choices=["make", *SIDES], help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.measure == "make":
        make_base(args.folder / "base")
        make_adapter(args.folder / "run" / "adapter")
        print("[]")
        return
    if args.measure:
        measure(args.measure, args.folder)
        return
    with tempfile.TemporaryDirectory(dir=args.folder) as folder:
        compare(Path(folder))


if __name__ == "__main__":
    main()
