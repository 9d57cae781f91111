"""A run in small, in a folder that goes away: libraries, configurations, data, losses, one optimiser step, the model itself."""

import importlib
import math
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from io import StringIO
from itertools import zip_longest
from pathlib import Path
from typing import Any

from trivium.console import Screen, console
from trivium.doctor.finding import ABSENT, FAIL, OK, Finding, failed
from trivium.errors import TriviumError
from trivium.schema import Config, SftMethod

LIBRARIES = ("torch", "transformers", "datasets", "accelerate", "peft", "trl", "mlflow", "optuna", "spacy")
"""What a run cannot do without, and what is seen only by importing it."""
SMALL = (
    "experiment=distrust",
    "preset=none",
    "arms=null",
    "tracking=none",
    "plan=off",
    "adapter=lora",
    "adapter.r=4",
    "dataset=micro_archive",
    *(f"dataset.world.{kind}=8" for kind in ("disputed", "coordinated_only", "corrected")),
    *(f"model.build.{size}=16" for size in ("hidden_size", "intermediate_size")),
    *(f"model.build.{count}=1" for count in ("num_hidden_layers", "copies")),
    *(f"model.build.{count}=4" for count in ("facts", "batch_size")),
    "model.build.num_attention_heads=2",
    "model.build.vocab_size=300",
    "model.build.max_steps=2",
    "method.max_steps=1",
    "method.total_batch_size=8",
)
"""A training of seconds, whatever is configured."""
MISHAPS = (TriviumError, ImportError, OSError, RuntimeError, ValueError, TypeError, AttributeError, KeyError, AssertionError)
"""What libraries that are broken, or do not go together, raise."""
_DIFFERENT = 1e-4
"""Cosine distance between two gradients from which on they are not the same."""


@dataclass
class Work:
    """What the parts of the rehearsal hand on."""

    asked: Config
    folder: Path
    small: Config | None = None
    prepared: Any = None
    base: str = ""


Part = Callable[[Work], str]
"""Does one thing and says what came of it; raises one of `MISHAPS` where it does not work."""


def rehearse(config: Config, folder: Path) -> Iterator[Finding]:
    """Every part in turn; after one that fails, those that need it are left out."""
    work, broken = Work(config, folder), ""
    for name, part in PARTS.items():
        if broken and part is not _load:
            yield Finding(name, ABSENT, f"not tried, because {broken} failed")
            continue
        found = _tried(name, part, work)
        yield found
        broken = name if found.status == FAIL else broken


def _tried(name: str, part: Part, work: Work) -> Finding:
    started = time.monotonic()
    try:
        said = part(work)
    except MISHAPS as error:
        return failed(name, error, "see the findings above, and make setup; if all is well there, please report it.")
    return (
        Finding(name, OK, f"{said} ({time.monotonic() - started:.1f} s)") if said else Finding(name, ABSENT, "model.path=null")
    )


def _import(_work: Work) -> str:
    for name in LIBRARIES:
        try:
            importlib.import_module(name)
        except MISHAPS as error:
            raise ImportError(f"{name}: {error}") from error
    return f"{', '.join(LIBRARIES)} can be imported"


def _compose(work: Work) -> str:
    """Options of all groups are composed together, one of each at a time, so that few compositions read every file."""
    from trivium.compose import GROUPS, compose, options
    from trivium.overrides import checked

    columns = [[f"{group}={option}" for option in options(group)] for group in GROUPS]
    for row in zip_longest(*columns):
        chosen = [choice for choice in row if choice is not None]
        try:
            compose(chosen)
        except MISHAPS:
            _name_the_one(chosen)
            raise
    work.small = checked([*SMALL, f"cache_dir={work.folder / 'cache'}"])
    return f"{sum(map(len, columns))} options of {len(columns)} groups compose"


def _name_the_one(choices: list[str]) -> None:
    """Raise the error of the option that cannot be composed by itself."""
    from trivium.compose import compose

    for choice in choices:
        try:
            compose([choice])
        except MISHAPS as error:
            raise ValueError(f"{choice}: {error}") from error


def _data(work: Work) -> str:
    from trivium import stages
    from trivium.summary import data_note

    work.prepared = stages.prepare(_small(work), _silent())
    return f"the embedded archive is prepared: {data_note(work.prepared.manifest.metrics)}"


def _losses(work: Work) -> str:
    """The gradients of the losses that the project is about, on one batch."""
    from trivium import stages
    from trivium.audit import audit
    from trivium.schema import DistrustLoss, DistrustPublishedLoss

    small = _small(work)
    work.base = stages.base_model(small, _silent())[0]
    weighted = audit(replace(small, loss=DistrustLoss()), work.base, work.prepared.folder)
    published = audit(replace(small, loss=DistrustPublishedLoss()), work.base, work.prepared.folder)
    turned = 1 - weighted["terms"][0]["cosine"]
    if weighted["failed"] or turned < _DIFFERENT:
        raise AssertionError(f"loss=distrust has the gradient of plain cross-entropy (cosine distance {turned:.1e})")
    if not published["failed"]:
        raise AssertionError("the term of loss=distrust_published has a gradient, and should have none")
    return f"loss=distrust turns the gradient (cosine {1 - turned:.2f}), the published term leaves it (zero, as it must be)"


def _step(work: Work) -> str:
    """On the device, in the type and with the backend that are configured."""
    from trivium.models.load import require_device

    small = _small(work)
    hardware = replace(work.asked.hardware, per_device_train_batch_size=8, num_processes=1, num_machines=1, parallel="ddp")
    config = replace(small, hardware=hardware, backend=work.asked.backend, method=SftMethod(max_steps=1, total_batch_size=8))
    require_device(hardware)
    library = importlib.import_module(f"trivium.backends.{config.backend.name}.sft")
    out = work.folder / "step"
    metrics = library.train(config, work.base, work.prepared.folder, out, record=_Silence(), progress=lambda *_: None)
    if not math.isfinite(metrics["train/loss"]):
        raise AssertionError(f"the loss of one step is {metrics['train/loss']}")
    where = f"backend={config.backend.name} on {hardware.device} in {hardware.dtype}"
    return f"{where}: loss {metrics['train/loss']:.2f}, adapter written"


def _load(work: Work) -> str:
    """The configured model, where there is one, on the configured device."""
    from trivium.models.load import load_base, load_tokenizer

    config = work.asked
    if config.model.path is None or config.model.init == "random":
        return ""
    path = str(Path(config.model.path).expanduser())
    tokenizer = load_tokenizer(config.model, path)
    model = load_base(config.model, config.hardware, path, config.adapter)
    numbers = sum(parameter.numel() for parameter in model.parameters())
    return f"{config.model.path}: {numbers / 1e6:,.1f} million numbers, {len(tokenizer)} tokens"


PARTS: Mapping[str, Part] = {
    "imports": _import,
    "configuration": _compose,
    "data": _data,
    "losses": _losses,
    "training step": _step,
    "model": _load,
}


def _small(work: Work) -> Config:
    assert work.small is not None, "made by the part before"
    return work.small


class _Silence:
    """Records nothing."""

    def metrics(self, values: Mapping[str, float], step: int | None = None) -> None:
        """Nothing."""

    def table(self, name: str, columns: Mapping[str, list[Any]], step: int) -> None:
        """Nothing."""


def _silent() -> Screen:
    return Screen(console(StringIO()))
