"""A weighted SFT step on MLX against MLX-LM's own trainer on the same batches: `python -m benchmarks.mlx`.

`python -m benchmarks.mlx parity` trains the same models on PyTorch and on MLX, prints how far their losses are apart, and
writes the curves to `docs/mlx_parity.json` and `docs/mlx_parity.png`.
"""

import itertools
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any

if sys.platform != "darwin":
    os.environ.setdefault("MLX_DISABLE_COMPILE", "1")  # a cold compiler of a CPU takes longer than the whole benchmark

import mlx.core as mx
import mlx.optimizers as optim

from benchmarks.sft_step import write_inputs
from trivium.backends.interrupt import Stop
from trivium.backends.mlx import sft
from trivium.backends.mlx.training import Training
from trivium.backends.torch import sft as torch_sft
from trivium.models.quiet import quiet
from trivium.schema import Config, DistrustLoss, LoraAdapter

ROUNDS, STEPS, WARM, BATCH = 5, 10, 2, 16
DOCS = Path(__file__).parents[1] / "docs"
PARITY_STEPS = 40


class Silent:
    """Records nothing."""

    def metrics(self, values: Any, step: int | None = None) -> None: ...

    def table(self, name: str, columns: Any, step: int) -> None: ...


class Lines(Silent):
    """The loss of every step."""

    def __init__(self) -> None:
        self.loss: list[float] = []

    def metrics(self, values: Any, step: int | None = None) -> None:
        self.loss += [values["loss"]] if "loss" in values else []


def configured(**method: Any) -> Config:
    config = Config(loss=DistrustLoss())
    for name, value in {"max_steps": STEPS, "total_batch_size": BATCH, **method}.items():
        setattr(config.method, name, value)
    config.hardware.per_device_train_batch_size = BATCH
    return config


def training(folder: Path) -> Training:
    """Ours, as the train stage sets it up."""
    config = configured()
    corpus = sft._corpus(config, str(folder / "base"), folder)
    return sft.build(config, str(folder / "base"), corpus, folder / "checkpoints", "benchmark")


def clock() -> float:
    """Seconds of work: of the processor where it does it all, which other programs then do not disturb; else of the day."""
    return time.process_time() if mx.default_device() == mx.cpu else time.perf_counter()


def ours(made: Training) -> float:
    """Seconds a step, reporting included."""
    marks: list[float] = []
    made.run(Silent(), lambda *_: marks.append(clock()), Stop())
    return _median(marks)


def stock(made: Training) -> float:
    """Seconds a step of MLX-LM's trainer on the same model and batches, without weights or clipping."""
    from mlx_lm.tuner.trainer import TrainingArgs, train

    rows, order, marks = made.corpus.dataset, made.corpus.order.tolist(), list[float]()

    def batches(**_: Any) -> Iterator[tuple[mx.array, mx.array]]:
        for start in range(0, len(order), BATCH):
            marks.append(clock())
            positions = order[start : start + BATCH]
            ids = rows.batch(positions, made.pad_token_id).ids
            last = mx.zeros((BATCH, 1), mx.int32)
            labels = [rows.rows.labels[p] for p in positions]
            spans = [[next(i for i, label in enumerate(row) if label >= 0), len(row) - 1] for row in labels]
            yield mx.concatenate([ids, last], axis=1), mx.array(spans)

    with tempfile.TemporaryDirectory() as name, redirect_stdout(StringIO()):
        file = str(Path(name) / "adapters.safetensors")
        args = TrainingArgs(batch_size=BATCH, iters=STEPS, steps_per_save=10 * STEPS, adapter_file=file)
        train(made.learner.model, optim.AdamW(2e-4), rows, None, args, iterate_batches=batches)
    return _median(marks)


def _median(marks: list[float]) -> float:
    return statistics.median(b - a for a, b in itertools.pairwise(marks[WARM:]))


def speed() -> None:
    ratios, times = [], []
    with tempfile.TemporaryDirectory() as name, quiet():
        folder = Path(name)
        write_inputs(folder)
        for trial in range(ROUNDS):
            made = training(folder)
            found = {which: which(made) for which in ((ours, stock), (stock, ours))[trial % 2]}
            ratios.append(found[ours] / found[stock])
            times.append(found[ours])
    median, spread = statistics.median(ratios), f"{min(ratios):.3f} to {max(ratios):.3f}"
    print(f"weighted SFT step on MLX / MLX-LM's step: {median:.3f} (at most 1.05; {ROUNDS} rounds, {spread})")
    print(f"{1 / statistics.median(times):.2f} steps/s of {BATCH} sequences")


def parity() -> None:
    """LoRA, weighted loss, clipping, warm-up and accumulation on four shapes."""
    from tests.export import shapes

    curves: dict[str, dict[str, list[float]]] = {}
    with tempfile.TemporaryDirectory() as name, quiet():
        folder = Path(name)
        write_inputs(folder)
        for shape in shapes.SHAPES:
            shapes.make(shape, folder / shape, hidden=64)
            curves[shape] = {}
            for library, on in (("torch", torch_sft), ("mlx", sft)):
                lines, config = Lines(), configured(**_SETTINGS)
                config.adapter, config.hardware.per_device_train_batch_size = LoraAdapter(r=4), 4
                out = folder / f"{shape}-{library}"
                on.train(config, str(folder / shape), folder, out, record=lines, progress=lambda *_: None)
                curves[shape][library] = lines.loss
            print(f"{shape}: losses at most {_apart(curves[shape]):.1e} apart over {PARITY_STEPS} steps (at most 1e-4)")
    (DOCS / "mlx_parity.json").write_text(json.dumps(curves) + "\n", encoding="utf-8")
    _draw(curves)


_SETTINGS = {
    "max_steps": PARITY_STEPS,
    "total_batch_size": 8,
    "learning_rate": 5e-3,
    "max_grad_norm": 0.5,
    "warmup_ratio": 0.2,
    "logging_steps": 1,
}


def _apart(curve: dict[str, list[float]]) -> float:
    return max(abs(a - b) for a, b in zip(curve["torch"], curve["mlx"], strict=True))


def _draw(curves: dict[str, dict[str, list[float]]]) -> None:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, (above, below) = pyplot.subplots(2, 1, figsize=(7, 6), sharex=True, height_ratios=(3, 2))
    for shape, curve in curves.items():
        steps = range(1, PARITY_STEPS + 1)
        (line,) = above.plot(steps, curve["torch"], label=f"{shape}, PyTorch", linewidth=1)
        above.plot(steps, curve["mlx"], "o", markersize=3, color=line.get_color(), label=f"{shape}, MLX")
        apart = [max(abs(a - b), 1e-8) for a, b in zip(curve["torch"], curve["mlx"], strict=True)]
        below.semilogy(steps, apart, color=line.get_color(), linewidth=1)
    below.axhline(1e-4, color="grey", linestyle="--", linewidth=1)
    above.set_ylabel("loss (nats a token, weighted)")
    below.set_ylabel("difference")
    below.set_xlabel("optimiser step")
    above.legend(fontsize=7, ncols=2)
    figure.tight_layout()
    figure.savefig(DOCS / "mlx_parity.png", dpi=110)


if __name__ == "__main__":
    parity() if sys.argv[1:] == ["parity"] else speed()
