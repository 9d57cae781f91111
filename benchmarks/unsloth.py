"""The same trainings by backend=torch and backend=unsloth: how far apart, how fast: `python -m benchmarks.unsloth [overrides]`.

For example `hardware=cuda_24gb model=qwen2_5_1_5b adapter=qlora`; without overrides the embedded model, on the CPU.
"""

import statistics
import sys
import tempfile
from io import StringIO
from pathlib import Path
from typing import Any

from trivium import stages
from trivium.backends.torch import sft as torch_sft
from trivium.backends.unsloth import environment
from trivium.backends.unsloth import sft as unsloth_sft
from trivium.compose import hydra_at
from trivium.console import Screen, console
from trivium.errors import ConfigError
from trivium.overrides import checked
from trivium.schema import Config

STEPS, WARM = 12, 2
WORDS = ["backend=unsloth", "arms=null", f"method.max_steps={STEPS}", "method.logging_steps=1"]


class Lines:
    """What every step told."""

    def __init__(self) -> None:
        self.told: list[dict[str, float]] = []

    def metrics(self, values: Any, step: int | None = None) -> None:
        self.told += [dict(values)] if "loss" in values else []

    def table(self, name: str, columns: Any, step: int) -> None: ...

    def of(self, name: str) -> list[float]:
        return [line[name] for line in self.told]

    def speed(self) -> float:
        return statistics.median(self.of("tokens_per_second")[WARM:])


def trained(method: Any, config: Config, base: str, prepared: Path, out: Path) -> Lines:
    lines = Lines()
    method.train(config, base, prepared, out, record=lines, progress=lambda *_: None)
    return lines


def compare(words: list[str]) -> None:
    silent = Screen(console(StringIO()))
    for loss in ("uniform", "distrust"):
        with hydra_at(), tempfile.TemporaryDirectory() as scratch:
            config = checked([*WORDS, f"loss={loss}", *words])
            base, prepared = stages.base_model(config, silent)[0], stages.prepare(config, silent).folder
            ours = trained(torch_sft, config, base, prepared, Path(scratch) / "torch")
            theirs = trained(unsloth_sft, config, base, prepared, Path(scratch) / "unsloth")
        apart = max(abs(a - b) for a, b in zip(ours.of("loss"), theirs.of("loss"), strict=True))
        first, *_, last = ours.of("loss")
        print(f"loss={loss}: {STEPS} losses from {first:.4f} to {last:.4f}, at most {apart:.1e} apart")
        print(f"  tokens/s: {ours.speed():,.0f} with torch, {theirs.speed():,.0f} with Unsloth")


def main() -> None:
    try:
        with hydra_at():
            environment.interpreter(checked([*WORDS, *sys.argv[1:]]))
    except ConfigError as error:
        print(error)
        return
    compare(sys.argv[1:])


if __name__ == "__main__":
    main()
