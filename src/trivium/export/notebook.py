"""The notebook of a run: Trivium, the settings and the user's files in one .ipynb, which needs nothing else but pip's index."""

import base64
import hashlib
import platform
import shlex
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import yaml

from trivium.errors import ConfigError
from trivium.export import notebook_cells as cells
from trivium.export import parcel, repeat
from trivium.export.card_words import bullets, hub_id, table
from trivium.export.job import Job
from trivium.export.parcel import Parcel
from trivium.export.repeat import Line
from trivium.schema import Config, OpenAIGenerator

OPTIONS, RESULTS = "trivium_options", "results"
SKIP_INSTALL = "TRIVIUM_NOTEBOOK_SKIP_INSTALL"
"""Set to 1 where everything is installed already."""
_WIDTH = 160
TORCH = "torch"
REPEATED = ("prepare", "train", "evaluate")
"""Stages of the run that are run again; of a run that is taken up all of them."""


@dataclass(frozen=True)
class Notebook:
    """`content` is the JSON of an .ipynb (nbformat 4.5), `words` follow `trivium` in it, `wanted` is to be uploaded."""

    content: dict[str, Any]
    words: list[str]
    wanted: dict[str, int]


def notebook(job: Job) -> Notebook:
    """The notebook that repeats a run, with `export.notebook.hardware` if it is set.

    Raises `ConfigError` where its settings cannot be composed, `TriviumError` where Trivium is not an installed package.
    """
    line, config = _with_hardware(repeat.line(job), job.config)
    needed = parcel.requirements(config.backend.name)
    carried = parcel.pack(repeat.settings(config))
    carried.contents |= {f"{OPTIONS}/{name}": carried.rewritten(text).encode() for name, text in line.options.items()}
    words = [*map(carried.rewritten, line.words), *_of_the_place(job.config)]
    words += ["--config-dir", OPTIONS] if line.options else []
    made = [_cell(i, *part) for i, part in enumerate(_parts(job, config, carried, words, needed))]
    return Notebook({"cells": made, "metadata": _metadata(config), "nbformat": 4, "nbformat_minor": 5}, words, carried.wanted)


def _with_hardware(line: Line, config: Config) -> tuple[Line, Config]:
    """The line on other hardware, trained by PyTorch there (what else trains, trains on this hardware alone); and the
    configuration that it leads to.
    """
    wanted = config.export.notebook.hardware
    if wanted is None:
        return line, repeat.config_of(line)
    torch = [] if config.backend.name == TORCH else [f"backend={TORCH}"]
    line = replace(line, words=[*line.words, *torch, f"hardware={wanted}"])
    try:
        return line, repeat.config_of(line)
    except ConfigError as error:
        told = [problem.removeprefix(f"hardware={wanted}: ") for problem in error.problems]
        raise ConfigError([f"export.notebook.hardware={wanted}: {problem}" for problem in told]) from None


def _of_the_place(config: Config) -> list[str]:
    stages = [stage for stage in config.stages if stage in REPEATED] or REPEATED
    return [f"stages=[{','.join(stages)}]", "export=none", "tracking=none", "cache_dir=cache", f"hydra.run.dir={RESULTS}"]


# --- its cells -------------------------------------------------------------------------------------------------------

Part = tuple[str, str]
"""Kind (markdown, code, hidden) and source of a cell."""


def _parts(job: Job, config: Config, carried: Parcel, words: list[str], needed: list[str]) -> Iterator[Part]:
    archive = carried.zipped()
    yield "markdown", _introduction(job, config, len(archive))
    yield "markdown", "## 1. What it needs"
    yield "code", cells.INSTALL.format(requirements=_listed(needed), skip=SKIP_INSTALL)
    yield "markdown", "## 2. Trivium, the settings and the files"
    yield "hidden", cells.UNPACK.format(data=_wrapped(archive), sha256=hashlib.sha256(archive).hexdigest())
    if carried.wanted:
        yield "markdown", _upload(carried)
        yield "code", cells.CHECK_UPLOADS.format(paths=sorted(carried.wanted))
    yield "markdown", f"## 3. The run\n\n```sh\n{shlex.join(['trivium', *words])}\n```\n\n{_settings(config, carried)}"
    yield "code", cells.RUN.format(words=_listed(words), source=parcel.SOURCE, results=RESULTS)
    yield "markdown", "## 4. What came out, beside the first run"
    yield "code", cells.SHOW.format(then=_listed_figures(job), results=RESULTS)
    yield "markdown", "## 5. Take it home"
    yield "code", cells.DOWNLOAD.format(name=config.name, results=RESULTS)


def _introduction(job: Job, config: Config, size: int) -> str:
    facts = [
        f"model `{config.model.name}`, data `{config.dataset.name}`, method `{config.method.name}`, loss `{config.loss.name}`, "
        f"seed {config.seed}",
        f"hardware `{config.hardware.name}` ({config.hardware.device}, {config.hardware.dtype}); choose a machine that has it",
        f"{size / 1e6:.1f} MB of source and files are inside; Python packages come from pip, in the versions that the "
        f"first run had with Python {platform.python_version()}",
        "figures of the same hardware and versions are the same; of others they may differ a little",
    ]
    if hub_id(config) is not None:
        facts.append("the base model comes from the Hub; one that is gated needs a token in the environment variable HF_TOKEN")
    if isinstance(config.generator, OpenAIGenerator) and config.dataset.kind == "library":
        facts.append("its data are written by a teacher model: `generator.base_url` must be within reach of the machine")
    return f"# {config.name}\n\nRepeats a run of Trivium{f' (`{job.run_id}`)' if job.run_id else ''}.\n\n{bullets(facts)}"


def _upload(carried: Parcel) -> str:
    rows = [(f"`{path}`", f"{size / 1e6:.1f} MB") for path, size in sorted(carried.wanted.items())]
    return f"Too large to be carried; upload them here, under these names:\n\n{table(['file or folder', 'size'], rows)}"


def _settings(config: Config, carried: Parcel) -> str:
    text = carried.rewritten(yaml.safe_dump(repeat.settings(config), sort_keys=False, allow_unicode=True))
    return f"<details><summary>Every setting</summary>\n\n```yaml\n{text}```\n\n</details>"


def _listed(texts: list[str]) -> str:
    return "".join(f"    {text!r},\n" for text in texts)


def _listed_figures(job: Job) -> str:
    shown = [name.removesuffix("_base") for name in job.metrics if name.endswith("_base")]
    return "".join(f"    {name!r}: {job.metrics[name]!r},\n" for name in sorted(shown) if name in job.metrics)


def _wrapped(data: bytes) -> str:
    return "\n".join(textwrap.wrap(base64.b64encode(data).decode(), _WIDTH))


def _cell(index: int, kind: str, source: str) -> dict[str, Any]:
    cell: dict[str, Any] = {"id": f"cell-{index}", "metadata": {}, "source": source.strip("\n").splitlines(keepends=True)}
    if kind == "markdown":
        return {"cell_type": "markdown", **cell}
    if kind == "hidden":
        cell["metadata"] = {"jupyter": {"source_hidden": True}, "collapsed": True}
    return {"cell_type": "code", "execution_count": None, "outputs": [], **cell}


def _metadata(config: Config) -> dict[str, Any]:
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    gpu = {"accelerator": "GPU"} if config.hardware.device == "cuda" else {}
    return {"kernelspec": kernel, "language_info": {"name": "python"}, **gpu}
