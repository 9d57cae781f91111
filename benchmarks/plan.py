"""The planner: `python -m benchmarks.plan` holds it against measured peaks; `recipes` prints every recipe on every tier.

On a machine with a GPU the peaks are those of real trainings with random weights (0.5B, 1.5B and 8B shapes; LoRA, 4-bit QLoRA
and GRPO); elsewhere those of small models on the CPU, counted in tensors.
"""

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from trivium.backends.shape import batch_shape
from trivium.compose import hydra_at, options
from trivium.console import Screen
from trivium.errors import ConfigError
from trivium.overrides import checked
from trivium.planner.plan import TOO_BIG, Forecast, forecast
from trivium.planner.telling import size
from trivium.schema import Config

MODELS = ("qwen2_5_0_5b", "qwen2_5_1_5b", "llama3_1_8b")
SFT = ("dataset=micro_archive", "loss=uniform", "method=sft", "method.max_steps=6", "method.total_batch_size=8")
GRPO = (
    "dataset=micro_qa",
    "loss=uniform",
    "reward=format",
    "method=grpo",
    "method.max_steps=3",
    "method.num_generations=4",
    "method.total_batch_size=8",
    "method.max_completion_length=256",
    "method.gold_steps=0",
)
KINDS = {
    "lora": (*SFT, "adapter=lora"),
    "qlora": (*SFT, "adapter=qlora"),
    "lora, checkpointing off": (*SFT, "adapter=lora", "hardware.gradient_checkpointing=false"),
    "grpo": (*GRPO, "adapter=lora"),
}
QUIET = ("experiment=none", "evaluation=none", "tracking=none", "arms=null")


# --- every recipe on every tier --------------------------------------------------------------------------------------


def recipes() -> None:
    """A row for each recipe of full size, a column for each tier: verdict, what training takes, and what evaluation does."""
    tiers = sorted(set(options("hardware")) - {"auto", "cpu"}, key=_order)
    screen = Screen()
    rows, ways = [], []
    with hydra_at(), tempfile.TemporaryDirectory() as folder:
        texts = Path(folder) / "rows.jsonl"
        texts.write_text('{"prompt": "a", "response": "b", "text": "c"}\n', encoding="utf-8")
        for name in _full_size(texts):
            cells = [_planned(name, tier, texts) for tier in tiers]
            rows.append([name, *(_cell(found) for found in cells)])
            ways += [[name, tier, _way(found)] for tier, found in zip(tiers, cells, strict=True) if _way(found)]
    screen.table("GB of one device, training/evaluation, and whether both fit", ["recipe", *tiers], rows)
    screen.table("what would make it fit, the cheapest way", ["recipe", "tier", "overrides"], ways, left=True)


def _order(tier: str) -> tuple[str, int]:
    kind, _, memory = tier.partition("_")
    return kind, int(memory.removesuffix("gb") or 0)


def _full_size(texts: Path) -> list[str]:
    """Experiments whose model is a real one."""
    return [name for name in options("experiment") if name != "none" and _config(name, [], texts).model.path is not None]


def _config(name: str, words: list[str], texts: Path) -> Config:
    return checked([f"experiment={name}", *words, *_with_rows(name, texts)])


def _with_rows(name: str, texts: Path) -> list[str]:
    """Rows that are there, in place of those that the recipe fetches or is given."""
    reads = "micro" not in name and name not in ("distrust", "coherence", "persona", "period_then_persona")
    return [f"dataset.path={texts}"] if reads else []


def _planned(name: str, tier: str, texts: Path) -> Forecast | None:
    """None where the tier cannot train it at all; a Mac's backend is MLX where it has the method, the others' PyTorch."""
    backends = ("mlx", "torch") if tier.startswith("mac") else ("torch",)
    for backend in backends:
        try:
            config = _config(name, [f"hardware={tier}", f"backend={backend}"], texts)
            batch_shape(config.method, config.hardware)
        except ConfigError:
            continue
        return forecast(replace(config, arms=None), None, ())
    return None


def _cell(found: Forecast | None) -> str:
    if found is None:
        return "–"
    training = max(phase.total for phase in found.phases if phase.training)
    evaluation = max((phase.total for phase in found.phases if not phase.training), default=0.0)
    return f"{training / 1e9:.0f}/{evaluation / 1e9:.0f} {'no' if found.verdict == TOO_BIG else found.verdict}"


def _way(found: Forecast | None) -> str:
    return " ".join(found.remedies[0].overrides) if found is not None and found.remedies else ""


# --- held against measured peaks -------------------------------------------------------------------------------------


def measure() -> None:
    """Predicted and measured bytes of tensors at the peak."""
    import torch

    if torch.cuda.is_available():
        columns = ["model", "training", "predicted", "measured", "off"]
        Screen().table(f"tensors at the peak, on {torch.cuda.get_device_name()}", columns, list(_on_gpu()))
        return
    columns = ["training", "phase", "predicted", "measured", "off, without\nwhat stays", "off"]
    Screen().table("tensors at the peak, on the CPU", columns, list(_on_cpu()))


def _on_gpu() -> Iterator[list[str]]:
    """Whole runs of the command line, each in a process of its own, as users start them."""
    with tempfile.TemporaryDirectory() as folder:
        for model in MODELS:
            for kind, words in KINDS.items():
                out = Path(folder) / f"{model}-{kind.replace(' ', '_').replace(',', '')}"
                row = _row(model, kind, _run(model, words, Path(folder), out))
                print(" | ".join(row), flush=True)
                yield row


def _run(model: str, words: tuple[str, ...], folder: Path, out: Path) -> dict[str, float]:
    tier = ["hardware=auto", f"model={model}", "model.init=random", f"hydra.run.dir={out}", f"cache_dir={folder}/cache"]
    done = subprocess.run([sys.executable, "-m", "trivium", *QUIET, *words, *tier], capture_output=True, text=True)
    if done.returncode:
        print(done.stderr.strip().splitlines()[-1:], flush=True)
        return {}
    found: dict[str, float] = json.loads((out / "result.json").read_text(encoding="utf-8"))["metrics"]
    return found


def _row(model: str, kind: str, metrics: dict[str, float]) -> list[str]:
    predicted, measured = metrics.get("plan/tensors_gb"), metrics.get("system/peak_memory_gb")
    if predicted is None or measured is None:
        return [model, kind, "–", "–", "failed"]
    return [model, kind, size(predicted * 1e9), size(measured * 1e9), f"{predicted / measured - 1:+.1%}"]


def _on_cpu() -> Iterator[list[str]]:
    """The trainings that the tests hold the planner against."""
    from tests.planner.measured import CASES, measured

    with tempfile.TemporaryDirectory() as folder:
        for case in CASES:
            found = measured(case, Path(folder))
            parts = [f"{found.predicted[part] / found.measured[part] - 1:+.1%}" for part in ("rest", "total")]
            sizes = [size(numbers["total"]) for numbers in (found.predicted, found.measured)]
            yield [str(case), found.phase, *sizes, *parts]


if __name__ == "__main__":
    {"recipes": recipes, "measure": measure}[sys.argv[1] if len(sys.argv) > 1 else "measure"]()
