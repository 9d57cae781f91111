"""The export stage: the forms that were asked for and those they are made from, then the certificate over all of them."""

import importlib
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, cast

from trivium.artifact import cached, code_hash, key_of, receipt, write_json
from trivium.export import battery, card, hub, parity, reference
from trivium.export.card_words import hub_id
from trivium.export.hub import REPORT as REPORT
from trivium.export.job import Job
from trivium.export.runtime import Variant
from trivium.models.load import ADAPTER_DIR, MODEL_DIR
from trivium.schema import ExportConfig

KINDS = ("adapter", "merged", "gguf", "gguf_lora", "mlx", "lmstudio", "ollama", "notebook", "hub")
"""In the order in which they are made; each has a file in `kinds/`."""
PAPERS = ("notebook", "hub")
"""Kinds that are read and not run."""
SHARED = {"gguf": ("ollama", "lmstudio"), "ollama": ("gguf_lora", "hub")}
"""Kinds whose settings a kind looks at beside its own."""

Made = Mapping[str, Path]
"""Folder of each kind that is made already."""


class Kind(Protocol):
    """What a file of `kinds/` has."""

    def needs(self, config: ExportConfig) -> tuple[str, ...]:
        """Kinds that it is made from."""

    def make(self, job: Job, out: Path, made: Made) -> Mapping[str, Any]:
        """Write it into a new folder; returns what its manifest should tell."""

    def variants(self, job: Job, folder: Path, made: Made) -> list[Variant]:
        """The forms in it that can be run; none for papers."""


def enabled(config: ExportConfig) -> list[str]:
    """The kinds that were asked for."""
    return [kind for kind in KINDS if getattr(config, kind).enabled]


def make(job: Job) -> tuple[dict[str, Path], list[Path]]:
    """The folder of every form that was asked for, and of those that these are made from; and which of the latter were not
    there before.

    A form appears whole or not at all, and one that is there already and still fits is kept.
    """
    made: dict[str, Path] = {}
    wanted = _with_needs(job.config.export)
    passing = [job.folder / kind for kind in wanted if not getattr(job.config.export, kind).enabled]
    passing = [folder for folder in passing if not folder.exists()]
    for kind in wanted:
        with job.screen.bar(f"exporting {kind}"):
            _make(job, kind, made)
        made[kind] = job.folder / kind
    return made, passing


def certify(job: Job, made: Made) -> dict[str, Any]:
    """Compare every form that was asked for with the model as it was evaluated; returns what `export/parity.json` holds."""
    settings = job.config.export.parity
    asked = [kind for kind in enabled(job.config.export) if kind in made]
    variants = [variant for kind in asked for variant in room(kind).variants(job, made[kind], made)]
    report: dict[str, Any] = {}
    if variants and settings.gate != "off":
        report = parity.report(_compared(job, variants), settings, _parts(job))
        write_json(job.folder / REPORT, report)
    if "hub" in made:
        card.with_certificate(made["hub"], report)
    return report


def publish(job: Job, made: Made) -> None:
    """Push to the Hub where that was asked for."""
    if job.config.export.hub.push:
        job.screen.say(f"pushed: {hub.push(job, made['hub'], made)}")


def tidy(passing: Sequence[Path]) -> None:
    """Remove what was only made on the way to others."""
    for folder in passing:
        shutil.rmtree(folder)


def room(kind: str) -> Kind:
    """The module of a kind."""
    return cast(Kind, importlib.import_module(f"trivium.export.kinds.{kind}"))


def _with_needs(settings: ExportConfig) -> list[str]:
    wanted = enabled(settings)
    for kind in wanted:  # grows while it is walked
        wanted += [need for need in room(kind).needs(settings) if need not in wanted]
    return [kind for kind in KINDS if kind in wanted]


def _make(job: Job, kind: str, made: Made) -> None:
    settings = job.config.export
    key = key_of(
        job.config.name,
        [getattr(settings, name) for name in (kind, *SHARED.get(kind, ()))],
        job.config.model,
        job.base,
        _weights(job),
        _keys({name: folder for name, folder in made.items() if kind in PAPERS or name in room(kind).needs(settings)}),
        _told(job) if kind in PAPERS else (job.config.dataset.chat, job.config.hardware.dtype),
        code_hash("export", "models"),
    )
    cached(job.folder / kind, "export", key, lambda out: room(kind).make(job, out, made))


def _told(job: Job) -> tuple[Any, ...]:
    """What papers tell beside the weights."""
    return job.config, job.metrics, job.verdicts, job.run_id, job.forced, _keys({"data": job.prepared} if job.prepared else {})


def _keys(folders: Mapping[str, Path]) -> dict[str, str]:
    return {name: made.key for name, folder in folders.items() if (made := receipt(folder)) is not None}


def _parts(job: Job) -> dict[str, Any]:
    """What the certificate is about: base model, MLflow run, keys of the weights."""
    return {"base": hub_id(job.config) or job.config.model.name, "run_id": job.run_id, "made_from": _weights(job)}


def _weights(job: Job) -> dict[str, str]:
    return _keys({name: job.run / name for name in (ADAPTER_DIR, MODEL_DIR)})


def _compared(job: Job, variants: list[Variant]) -> list[parity.Certificate]:
    settings = job.config.export.parity
    with job.screen.bar("asking the reference"), reference.tuned(job) as runtime:
        questions = battery.prompts(job, runtime.tokenizer, settings.prompts)
        seen = parity.observe(runtime, battery.conversations(runtime.tokenizer), questions, settings)
    with job.screen.bar("asking the untuned model"), reference.untuned(job) as runtime:
        seen = parity.beside(seen, runtime)
    certificates = []
    for variant in variants:
        with job.screen.bar(f"comparing {variant.name}"):
            certificates.append(parity.certify(variant, seen, settings, job.folder))
    return certificates
