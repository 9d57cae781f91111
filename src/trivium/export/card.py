"""The model card in the Hub's format: what the model is for, what was measured, what it was made from, how it is loaded."""

import math
import platform
import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from importlib import metadata
from pathlib import Path
from typing import Any

from trivium import __version__
from trivium.artifact import receipt, seal
from trivium.console import with_interval
from trivium.export import card_data
from trivium.export.card_load import how_to_load
from trivium.export.card_words import bullets, hub_id, limits, meaning, position, purpose, section, table
from trivium.export.job import Job
from trivium.schema import Config, GrpoMethod

CARD = "README.md"
CERTIFICATE = ("<!-- parity -->", "<!-- /parity -->")
_PLACE = re.compile(r"^(~|/|\.{1,2}[\\/]|[A-Za-z]:[\\/])")
_PRIVATE = ("base_url", "api_key_env")
"""Settings that say nothing of the model, but much of somebody's network."""
_LIBRARIES = ("torch", "transformers", "peft", "trl")


def evaluated(job: Job) -> bool:
    """Whether anything was measured beside the base model."""
    return any(name.endswith("_base") for name in job.metrics)


def model_card(job: Job, made: Mapping[str, Path]) -> str:
    """The whole card; `made` names the folders of the exported forms. It holds no token and no folder of this machine."""
    settings, config = job.config.export.hub, job.config
    parts = [
        f"---\n{_front(job).to_yaml()}\n---",
        f"# {config.name}",
        _lead(job),
        _warnings(job),
        section("Intended use", settings.intended_use),
        section(
            "Position and limits",
            *position(config),
            bullets([*limits(config, evaluated(job)), *filter(None, [settings.limits])]),
        ),
        section(
            "Training", table(["setting", "value"], _settings(config)), "Settings that are not named have Trivium's defaults."
        ),
        card_data.summary(job),
        _evaluation(job),
        _certificate({}),
        how_to_load(job, made),
        section("Run", table(["", ""], _run(job))),
        section(
            "Licence",
            f"`{settings.license_name or settings.license}` for these weights; the base model's own licence stays in force.",
        ),
    ]
    return "\n\n".join(filter(None, parts)) + "\n"


def with_certificate(folder: Path, report: Mapping[str, Any]) -> None:
    """Put the parity certificate into the card of a finished folder; `report` is what `parity.json` holds, or empty.

    The folder's manifest is sealed anew. Doing so again changes nothing.
    """
    path, (start, end) = folder / CARD, CERTIFICATE
    before, rest = path.read_text(encoding="utf-8").split(start)
    text = f"{before}{_certificate(report)}{rest.split(end)[1]}"
    path.write_text(text, encoding="utf-8", newline="\n")
    if (made := receipt(folder)) is not None:
        seal(folder, made.stage, made.key, [folder / name for name in made.files], made.metrics)


# --- the front matter ------------------------------------------------------------------------------------------------


def _front(job: Job) -> Any:
    from huggingface_hub import ModelCardData

    config, content = job.config, job.config.export.hub.content
    base = hub_id(config)
    relation = "adapter" if content == "adapter" else "finetune"
    return ModelCardData(
        base_model=base,
        base_model_relation=relation if base is not None else None,
        library_name={"adapter": "peft", "merged": "transformers"}.get(content),
        license=config.export.hub.license,
        license_name=config.export.hub.license_name,
        pipeline_tag="text-generation",
        tags=["trivium", config.method.name, config.adapter.name],
        model_name=config.name if evaluated(job) else None,
        eval_results=_results(job) or None,
    )


def _results(job: Job) -> list[Any]:
    from huggingface_hub import EvalResult

    data, suite = job.config.dataset.name, job.config.evaluation.name
    return [
        EvalResult(
            task_type="text-generation",
            dataset_type=data,
            dataset_name=f"{data}, evaluation {suite}",
            metric_type=name,
            metric_name=meaning(name) or name,
            metric_value=round(job.metrics[name], 6),
        )
        for name in _measured(job)
    ]


# --- the sections ----------------------------------------------------------------------------------------------------


def _lead(job: Job) -> str:
    config = job.config
    base = hub_id(config) or config.model.name
    after = f", after the training of the arm `{config.starts_from}`" if config.starts_from else ""
    return f"`{base}`, fine-tuned{after} {purpose(config)} ({config.adapter.name}, {config.method.name}, by Trivium)."


def _warnings(job: Job) -> str:
    parts = []
    if job.forced:
        parts.append("**Exported in spite of failed checks:**\n\n" + bullets(job.forced))
    if not evaluated(job):
        parts.append("**This model was not evaluated.** Nothing here says what the training changed, or what it broke.")
    return "\n\n".join(parts)


def _settings(config: Config) -> Iterator[tuple[str, str]]:
    """The loss, and every other setting of the training that differs from its default."""
    from trivium.summary import flatten

    groups = ["model", "adapter", "hardware", "method", "loss", "dataset", "evaluation"]
    groups += ["reward"] if isinstance(config.method, GrpoMethod) else []
    groups += ["generator"] if config.dataset.kind == "library" else []
    for group in groups:
        value = getattr(config, group)
        default = flatten(asdict(type(value)()))
        yield group, f"`{value.name}`"
        for key, setting in flatten(asdict(value)).items():
            changed = key not in default or default[key] != setting or group == "loss"
            if changed and key != "name" and key.split(".")[-1] not in _PRIVATE:
                yield f"`{group}.{key}`", f"`{_shown(setting)}`"


def _shown(value: Any) -> str:
    """A setting without the folders of this machine."""
    if isinstance(value, list):
        return f"[{', '.join(map(_shown, value))}]"
    if isinstance(value, str):
        return re.split(r"[\\/]", value.rstrip("\\/"))[-1] if _PLACE.match(value) else value
    return {None: "null", True: "true", False: "false"}[value] if value is None or isinstance(value, bool) else str(value)


def _evaluation(job: Job) -> str:
    from trivium.evaluation import delta_name

    rows = [
        (
            f"`{name}`",
            meaning(name),
            with_interval(job.metrics, name, 3),
            f"{job.metrics[f'{name}_base']:.3f}",
            with_interval(job.metrics, delta_name(name), 3),
            job.verdicts.get(name, ""),
        )
        for name in _measured(job)
    ]
    columns = ["metric", "what it is", "tuned", "base", "difference", "verdict"]
    told = "Tuned and base model answered the same items through the same code; in brackets the intervals."
    return section("Evaluation", told, table(columns, rows), _arms(job)) if rows else ""


def _arms(job: Job) -> str:
    """How control arms differ from this model on the same items."""
    found = [name.removesuffix("_vs_main").split("/", 2)[1:] for name in job.metrics if name.endswith("_vs_main")]
    rows = [
        (f"`{arm}`", f"`{name}`", with_interval(job.metrics, f"arms/{arm}/{name}_vs_main", 3)) for arm, name in sorted(found)
    ]
    return table(["control arm", "metric", "the arm's figure less this model's"], rows)


def _measured(job: Job) -> list[str]:
    """Figures that the base model has too."""
    named = (name.removesuffix("_base") for name in job.metrics if name.endswith("_base"))
    found = sorted(name for name in named if name.startswith(("eval/", "band/")))
    return [name for name in found if math.isfinite(job.metrics.get(name, math.nan))]


def _certificate(report: Mapping[str, Any]) -> str:
    """The section between its marks; they stay where nothing was compared."""
    columns = [
        "form",
        "same strings",
        "same tokens",
        "same stops",
        "KL, nats a token",
        "same likeliest token",
        "same answers",
        "",
    ]
    rows = [
        (
            f"`{form['name']}`",
            f"{form['templates']:.0%}",
            f"{form['tokens']:.0%}",
            "yes" if form["stops"] else "no",
            f"{form['kl']:.1e} (at most {form['limit']['kl']:g})",
            f"{form['top1']:.1%} (at least {form['limit']['top1']:.0%})",
            f"{form['answers']:.0%}",
            "passed" if form["passed"] else f"failed: {'; '.join(form['reasons'])}",
        )
        for form in report.get("forms", ())
    ]
    told = "Every exported form against the model as it was evaluated, on the same conversations and prompts:"
    nothing = "The exported forms were not compared with the model that was evaluated."
    text = section("Parity", told, table(columns, rows)) if rows else section("Parity", nothing)
    return f"{CERTIFICATE[0]}\n{text}\n{CERTIFICATE[1]}"


def _run(job: Job) -> Iterator[tuple[str, str]]:
    yield "run id", f"`{job.run_id}`" if job.run_id else "not tracked"
    yield "experiment", f"`{job.config.name}`"
    yield "seed", str(job.config.seed)
    yield "Trivium", __version__
    yield "Python", platform.python_version()
    for name in _LIBRARIES:
        yield name, metadata.version(name)
