"""The check pass: a composed configuration becomes typed, or every problem in it is reported at once.

Three kinds of problems are found together, before anything is loaded or created: keys that do not exist (with the nearest
spelling), values of the wrong type or out of range, and facts across groups that cannot hold at the same time.
"""

import importlib
import typing
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from trivium import tiers
from trivium.acquire import place
from trivium.binding import Problems, bind_fields, nearest
from trivium.errors import ConfigError, ModelError
from trivium.schema import (
    STAGES,
    TEXT_FILES,
    Config,
    GrpoMethod,
    LoraAdapter,
    SftMethod,
    SweepConfig,
    UniformLoss,
)


def bind(composed: Mapping[str, Any]) -> Config:
    """The typed configuration of a composed one.

    Raises `ConfigError` with all problems found, one line each.
    """
    problems = Problems()
    config = bind_fields(Config, composed, "", problems)
    if problems.typed:
        _read_what_is_fetched(config)
        problems.extend(_broken_rules(config, bool(problems)))
    if problems:
        raise ConfigError(problems)
    return typing.cast(Config, config)


def bind_sweep(data: Mapping[str, Any]) -> SweepConfig:
    """A sweep's settings from plain data that were checked before; raises `ConfigError` where they were spoilt since."""
    problems = Problems()
    sweep = bind_fields(SweepConfig, data, "sweep", problems)
    if problems:
        raise ConfigError(problems)
    return typing.cast(SweepConfig, sweep)


def _read_what_is_fetched(config: Config) -> None:
    """A dataset without a path of its own reads what the same configuration fetches."""
    if config.dataset.path == "" and config.acquire.sources:
        config.dataset.path = str(place.texts(config.acquire))


def _broken_rules(config: Config, known_problems: bool) -> Iterator[str]:
    for rule in RULES if config.from_run is None else RULES_OF_FINISHED:
        try:
            yield from list(rule(config))
        except ArithmeticError:  # a value out of range, which is reported already
            if not known_problems:
                raise


# --- facts across groups ---------------------------------------------------------------------------------------------


def _names_are_file_names(config: Config) -> Iterator[str]:
    named = {"name": config.name, "model.name": config.model.name, "dataset.name": config.dataset.name}
    for key, name in named.items():
        if not name.strip() or name.startswith(".") or any(c in name for c in "/\\\0\n"):
            yield f"{key}: set to {name!r}; it names a folder: give a text without slashes that does not begin with a dot."


def _stages_have_their_inputs(config: Config) -> Iterator[str]:
    stages = config.stages
    if not stages:
        yield f"stages: empty; name at least one of {', '.join(STAGES)}."
    for stage in ("train", "evaluate"):
        if stage in stages and "prepare" not in stages[: stages.index(stage)]:
            yield f"stages: {stage} needs prepare before it; it is skipped when it was done already."


def _a_run_is_there(config: Config) -> Iterator[str]:
    if config.task in ("chat", "serve"):
        yield f"task={config.task} needs a finished run; name its folder with from_run=outputs/<name>/<time>, or from_run=last."


def _exports_can_be_made(config: Config) -> Iterator[str]:
    from trivium.export.problems import problems_in

    yield from problems_in(config)


def _backend_has_method(config: Config) -> Iterator[str]:
    folder = Path(__file__).parent / "backends"
    if not (folder / config.backend.name / f"{config.method.name}.py").is_file():
        having = sorted(p.parent.name for p in folder.glob(f"*/{config.method.name}.py"))
        yield f"backend={config.backend.name} has no method {config.method.name}; backends that have it: {', '.join(having)}."


def _backend_can_train_it(config: Config) -> Iterator[str]:
    if (Path(__file__).parent / "backends" / config.backend.name / "problems.py").is_file():
        yield from importlib.import_module(f"trivium.backends.{config.backend.name}.problems").problems_in(config)


def _batch_divides(config: Config) -> Iterator[str]:
    from trivium.backends.shape import batch_shape

    try:
        batch_shape(config.method, config.hardware)
    except ConfigError as error:
        yield from error.problems


def _processes_can_train_it(config: Config) -> Iterator[str]:
    from trivium.backends.process.problems import problems_in

    yield from problems_in(config)


def _dtype_fits_device(config: Config) -> Iterator[str]:
    if config.hardware.device == "cpu" and config.hardware.dtype == "float16":
        yield "hardware.dtype=float16 does not train on hardware.device=cpu; set hardware.dtype=float32 or bfloat16."


def _heads_divide_width(config: Config) -> Iterator[str]:
    build = config.model.build
    if config.model.path is None and build.hidden_size % build.num_attention_heads:
        yield (
            f"model.build.hidden_size={build.hidden_size} is not a multiple of "
            f"model.build.num_attention_heads={build.num_attention_heads}; change one of them."
        )


def _model_exists(config: Config) -> Iterator[str]:
    path, template = config.model.path, config.model.chat_template
    if config.model.init == "random":
        yield from _shape_is_told(config)
    elif path == "":
        yield "model.path: not set; give a Hugging Face model directory or a hub id: model=hf model.path=owner/name."
    elif path is not None and path.startswith(("/", ".", "~")) and not Path(path).expanduser().is_dir():
        yield f"model.path: {path} is not a directory; give a Hugging Face model directory or a hub id such as owner/name."
    if template is not None and not Path(template).is_file():
        yield f"model.chat_template: {template} is not a file; give a Jinja file or null for the tokenizer's own."


def _shape_is_told(config: Config) -> Iterator[str]:
    shape = config.model.shape
    sizes = ("hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads", "vocab_size")
    told = {**asdict(shape), "model_type": shape.model_type or 0}
    if missing := [name for name in ("model_type", *sizes) if not told[name]]:
        yield f"model.init=random needs model.shape.{missing[0]}; set it, or choose a model whose option tells its shape."


def _blocks_are_named(config: Config) -> Iterator[str]:
    adapter = config.adapter
    if isinstance(adapter, LoraAdapter) and adapter.num_layers is not None and isinstance(adapter.target_modules, str):
        yield (
            f"adapter.num_layers={adapter.num_layers} needs the modules by name; set adapter.target_modules, for example "
            "[q_proj,k_proj,v_proj,o_proj]."
        )


def _data_exist(config: Config) -> Iterator[str]:
    dataset = config.dataset
    if (dataset.generator is None) == (dataset.path is None):
        yield (
            "dataset: exactly one of dataset.path and dataset.generator must be set; for your own files: "
            "dataset=folder dataset.path=<folder>."
        )
    elif dataset.path == "":
        name = dataset.name
        yield f"dataset.path: not set; give a file or folder of .txt, .jsonl or .parquet: dataset={name} dataset.path=<path>."
    elif dataset.path is not None and Path(dataset.path).is_file() and not dataset.path.lower().endswith(TEXT_FILES):
        yield f"dataset.path: {dataset.path} is none of {', '.join(TEXT_FILES)}; give such a file or a folder of them."
    elif dataset.path is not None and not Path(dataset.path).exists() and not _to_be_fetched(config):
        yield f"dataset.path: {dataset.path} does not exist; give a folder or file of .txt, .jsonl or .parquet."


def _to_be_fetched(config: Config) -> bool:
    return "acquire" in config.stages and config.dataset.path == str(place.texts(config.acquire))


def _sources_can_be_fetched(config: Config) -> Iterator[str]:
    if config.acquire.sources:
        from trivium.acquire.kinds import problems_in

        yield from problems_in(config.acquire)
    if config.acquire.dry_run and config.stages != ["acquire"]:
        yield "acquire.dry_run=true only counts, so there is nothing to go on with; set stages=[acquire]."


def _library_can_be_prepared(config: Config) -> Iterator[str]:
    library = config.dataset.library
    if config.dataset.kind != "library":
        return
    from trivium.data.library.problems import problems_in as of_library
    from trivium.generation.mixture import problems_in as of_generation

    yield from of_library(library)
    yield from of_generation(config.generator, library)
    if library.period.share + library.general.share >= 1:
        yield (
            f"dataset.library: period.share={library.period.share:g} and general.share={library.general.share:g} leave no room "
            "for the persona; lower one of them, so that they stay below 1 together."
        )
    if library.period.share and library.period.cutoff is None:
        yield "dataset.library.period.share needs dataset.library.period.cutoff; set the last year of the period, or share=0."
    general = library.general.path
    if general is not None and not Path(general).expanduser().exists():
        yield f"dataset.library.general.path: {general} does not exist; give a file or folder of conversations, or null."


def _data_files_exist(config: Config) -> Iterator[str]:
    """Lexicons and suites are named, or given as YAML files."""
    provenance = config.dataset.provenance
    named = [("dataset.provenance.markers", ["default"], provenance.markers)]
    named += [("dataset.provenance.priors", ["default"], provenance.priors)]
    if config.evaluation.name != "none":
        named += [("evaluation.suites", _shipped_suites(), suite) for suite in config.evaluation.suites]
    for key, shipped, value in named:
        if value not in shipped and not Path(value).is_file():
            yield f"{key}: {value!r} is neither shipped nor a file; {nearest(value, shipped)}"


def _own_suites_can_be_read(config: Config) -> Iterator[str]:
    own = [s for s in getattr(config.evaluation, "suites", []) if s not in _shipped_suites() and Path(s).is_file()]
    if own:
        from trivium.evaluation import suites

        try:
            suites.require_distinct([part for name in config.evaluation.suites for part in suites.load(name, None, 0)])
        except ConfigError as error:
            yield from error.problems


def _model_folder_is_whole(config: Config) -> Iterator[str]:
    path = config.model.path
    if path and Path(path).expanduser().is_dir():
        from trivium.models.load import require_chat_template, require_files

        try:
            require_files(path)
            if config.model.chat_template is None:
                require_chat_template(path)
        except ModelError as error:
            yield f"model.path: {error}"


def _shipped_suites() -> list[str]:
    return [p.stem for p in (Path(__file__).parent / "evaluation/suites").glob("*.yaml")]


def _filters_are_readable(config: Config) -> Iterator[str]:
    from trivium.data.where import Where

    try:
        Where(config.dataset.where)
    except ConfigError as error:
        yield from error.problems


def _documents_can_be_read(config: Config) -> Iterator[str]:
    from trivium.data.records import COLUMNS

    dataset = config.dataset
    if dataset.min_chars > dataset.max_chars:
        yield f"dataset.min_chars={dataset.min_chars} is more than dataset.max_chars={dataset.max_chars}; change one of them."
    for ours in dataset.fields:
        if ours not in COLUMNS:
            yield f"dataset.fields.{ours}: no such column of ours; {nearest(ours, COLUMNS)}"
    for key in ("prompt", "prompt_untitled"):
        text = getattr(dataset.chat, key)
        try:
            empty = not text.format_map({"title": "t", "source_type": "s", "year": "y"}).strip()
        except (KeyError, ValueError, IndexError, AttributeError):
            empty = True
        if empty:
            yield f"dataset.chat.{key}: set to {text!r}; allowed: words, with {{title}}, {{source_type}} and {{year}}."


def _shares_fit(config: Config) -> Iterator[str]:
    shares = config.dataset.rebalance
    pairs = {"low": shares.low, "mid": shares.mid, "high": shares.high, "trivium": config.dataset.targets.trivium}
    pairs["entropy_mean"] = config.dataset.targets.entropy_mean
    wrong = [key for key, pair in pairs.items() if len(pair) != 2 or pair[0] > pair[1]]
    yield from (f"dataset: {key} is {pairs[key]}; give [least, most] with least ≤ most." for key in wrong)
    bands = [shares.low, shares.mid, shares.high]
    if not wrong and not sum(b[0] for b in bands) <= 1 <= sum(b[1] for b in bands):
        yield "dataset.rebalance: no shares inside these ranges add up to 1; widen low, mid or high."


def _rewards_can_be_given(config: Config) -> Iterator[str]:
    if config.reward.terms or config.reward.gold or getattr(config.evaluation, "scores", None):
        from trivium.rewards.terms import problems_in

        yield from problems_in(config)
    if isinstance(config.method, GrpoMethod) and not config.reward.terms:
        yield "method=grpo needs rewards; choose a set with reward=<option>, for example reward=full_coherence."


def _groups_fill_batches(config: Config) -> Iterator[str]:
    method = config.method
    if not isinstance(method, GrpoMethod):
        return
    total, group = method.total_batch_size, method.num_generations
    if group and total % group:
        yield (
            f"method.total_batch_size={total} (completions) is not a multiple of method.num_generations={group}; set one "
            f"of them so that it is, for example method.total_batch_size={group * max(1, round(total / group))}."
        )
    if method.loss_type == "luspo" and method.importance_sampling_level != "sequence":
        yield "method.loss_type=luspo works on whole sequences; set method.importance_sampling_level=sequence."
    if method.save_steps and method.save_steps % method.num_iterations:
        yield (
            f"method.save_steps={method.save_steps} is not a multiple of method.num_iterations={method.num_iterations}; the "
            "steps on one batch of completions belong together: set one of them so that it is."
        )
    if not method.max_steps and not method.warm_start.max_steps:
        yield "method.max_steps=0 trains the warm start only, and there is none; set method.warm_start.max_steps."


MADE = {"micro_archive": "documents", "micro_qa": "questions", "micro_library": "library"}
"""What each generated world is made of."""
MEASURED = {"coherence": ("asks held-out questions", "questions"), "provenance": ("reads held-out documents", "documents")}
MEASURED["persona"] = ("asks about held-out books", "library")
"""What an evaluation does, and the kind of data that it does it with."""


def _kinds_agree(config: Config) -> Iterator[str]:
    """Documents, questions and libraries are prepared, trained on and measured in different ways; an audit does neither."""
    if config.task == "audit" and config.reward.terms:
        return
    dataset = config.dataset
    kind = f"dataset={dataset.name} holds {'books' if dataset.kind == 'library' else dataset.kind}"
    if dataset.generator is not None and MADE[dataset.generator] != dataset.kind:
        made = f"dataset.generator={dataset.generator}"
        yield f"dataset.kind={dataset.kind} and {made} do not fit; choose dataset=<option>."
    if isinstance(config.method, GrpoMethod) and dataset.kind != "questions":
        yield f"method=grpo asks questions, and {kind}; choose dataset=micro_qa, or dataset=qa dataset.path=<file>."
    if isinstance(config.method, GrpoMethod) and not isinstance(config.loss, UniformLoss):
        yield f"loss={config.loss.name} weighs documents and has no meaning with method=grpo; set loss=uniform."
    elif dataset.kind != "documents" and not isinstance(config.loss, UniformLoss):
        yield f"loss={config.loss.name} needs the provenance of documents, and {kind}; set loss=uniform."
    does, wanted = MEASURED.get(config.evaluation.name, ("", dataset.kind))
    if wanted != dataset.kind:
        fitting = next(name for name, (_, one) in MEASURED.items() if one == dataset.kind)
        yield f"evaluation={config.evaluation.name} {does}, and {kind}; choose evaluation={fitting} or none."


def _thinking_can_be_told(config: Config) -> Iterator[str]:
    talk = config.dataset.chat
    if not talk.think_open.strip() or not talk.think_close.strip() or talk.think_open == talk.think_close:
        yield (
            f"dataset.chat.think_open={talk.think_open!r} and think_close={talk.think_close!r}: give two different tags, for "
            "example <think> and </think>."
        )


def _scorers_are_there(config: Config) -> Iterator[str]:
    for group in ("scorers", "gold_scorers"):
        for name in ("nli", "embeddings", "syntax"):
            path = getattr(getattr(config.reward, group), name).path
            if path is not None and path.startswith(("/", ".", "~")) and not Path(path).expanduser().is_dir():
                yield f"reward.{group}.{name}.path: {path} is not a directory; give a model directory, a hub id, or null."


def _best_needs_evaluations(config: Config) -> Iterator[str]:
    method = config.method
    if not isinstance(method, SftMethod):
        return
    if method.metric_for_best_model is not None and method.eval_steps is None:
        yield "method.metric_for_best_model needs method.eval_steps; set it to the steps between held-out evaluations."
    if method.metric_for_best_model is not None and config.dataset.test_size == 0:
        yield "method.metric_for_best_model needs held-out documents; set dataset.test_size above 0."


def _alerts_can_be_sent(config: Config) -> Iterator[str]:
    if config.task in ("run", "reproduce") and config.alerts.enabled and config.alerts.webhook is not None:
        from trivium.backends.webhook import problems_in

        yield from problems_in(config.alerts.webhook)


RULES: tuple[Callable[[Config], Iterator[str]], ...] = (
    _names_are_file_names,
    _a_run_is_there,
    _stages_have_their_inputs,
    _exports_can_be_made,
    _backend_has_method,
    _backend_can_train_it,
    _batch_divides,
    _processes_can_train_it,
    _dtype_fits_device,
    tiers.problems_in,
    _heads_divide_width,
    _model_exists,
    _blocks_are_named,
    _data_exist,
    _data_files_exist,
    _own_suites_can_be_read,
    _model_folder_is_whole,
    _filters_are_readable,
    _documents_can_be_read,
    _shares_fit,
    _kinds_agree,
    _rewards_can_be_given,
    _groups_fill_batches,
    _scorers_are_there,
    _sources_can_be_fetched,
    _library_can_be_prepared,
    _thinking_can_be_told,
    _best_needs_evaluations,
    _alerts_can_be_sent,
)

RULES_OF_FINISHED = (
    _names_are_file_names,
    _exports_can_be_made,
    _dtype_fits_device,
    _model_exists,
    _model_folder_is_whole,
)
"""What must still hold of a run that is taken up: its data may be gone, its base model not."""
