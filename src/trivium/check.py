"""The check pass: a composed configuration becomes typed, or every problem in it is reported at once.

Three kinds of problems are found together, before anything is loaded or created: keys that do not exist (with the nearest
spelling), values of the wrong type or out of range, and facts across groups that cannot hold at the same time.
"""

import math
import types
import typing
from collections.abc import Callable, Iterator, Mapping
from dataclasses import MISSING, Field, fields, is_dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from trivium.errors import ConfigError, ModelError
from trivium.schema import STAGES, TEXT_FILES, VARIANTS, Config


class Problems(list[str]):
    """Sentences; `typed` stays true as long as the values, in range or not, are such that the rules can look at them."""

    typed = True

    def wrong(self, sentence: str) -> None:
        """Add a problem after which there is no whole configuration."""
        self.typed = False
        self.append(sentence)


def bind(composed: Mapping[str, Any]) -> Config:
    """The typed configuration of a composed one.

    Raises `ConfigError` with all problems found, one line each.
    """
    problems = Problems()
    config = _bind_dataclass(Config, composed, "", problems)
    if problems.typed:
        problems.extend(_broken_rules(config, bool(problems)))
    if problems:
        raise ConfigError(problems)
    return typing.cast(Config, config)


def _broken_rules(config: Config, known_problems: bool) -> Iterator[str]:
    for rule in RULES:
        try:
            yield from list(rule(config))
        except ArithmeticError:  # a value out of range, which is reported already
            if not known_problems:
                raise


def bind_fields(schema: type, data: Any, path: str, problems: Problems) -> Any:
    """The dataclass `schema` filled from plain data, None where that is impossible; problems are added, `path` before them."""
    found = Problems()
    bound = _bind_dataclass(schema, data, path, found)
    problems.extend(found)
    return bound


def bind_value(kind: Any, value: Any) -> bool:
    """Whether a plain value is of a type, as annotations name it."""
    return _coerce(kind, value) is not _WRONG


def nearest(word: str, known: typing.Iterable[str]) -> str:
    """` Did you mean …?` when a known word is close, else a list of what is known."""
    names = sorted(known)
    if close := _close(word, names):
        return close
    return f"known here: {', '.join(names)}." if names else "nothing may be set here."


def _close(word: str, names: list[str]) -> str:
    import difflib

    close = difflib.get_close_matches(word, names, n=1, cutoff=0.6)
    return f"did you mean `{close[0]}`?" if close else ""


# --- binding ---------------------------------------------------------------------------------------------------------


def _bind_dataclass(schema: type, data: Any, path: str, problems: Problems) -> Any:
    if not isinstance(data, Mapping):
        problems.wrong(f"{path}: set to {data!r}; it holds keys ({', '.join(f.name for f in fields(schema))}), not one value.")
        return None
    known = {f.name: f for f in fields(schema)}
    for key in data:
        if key not in known:
            problems.append(f"{_join(path, str(key))}: no such key; {nearest(str(key), known)}")
    values = {name: _bind_field(f, data, _join(path, name), problems) for name, f in known.items()}
    return schema(**values) if problems.typed else None


def _bind_field(field: "Field[Any]", data: Mapping[str, Any], path: str, problems: Problems) -> Any:
    if field.name not in data:
        return default_of(field)
    value = data[field.name]
    if value == "???":
        problems.wrong(f"{path}: not set; give it a value, for example {path}=…")
        return None
    if path in VARIANTS:
        return _bind_variant(path, value, problems)
    if is_dataclass(field.type):
        return _bind_dataclass(typing.cast(type, field.type), value, path, problems)
    typed = _coerce(field.type, value)
    if typed is _WRONG and (entries := list(_wrong_entries(field.type, value, path))):
        for sentence in entries:
            problems.wrong(sentence)
        return None
    if typed is _WRONG:
        problems.wrong(f"{path}: set to {value!r}; allowed: {type_name(field.type, field.metadata)}.")
        return None
    for sentence in _range_problems(typed, field.metadata, path):
        (problems.wrong if "choices" in field.metadata else problems.append)(sentence)
    return typed


def default_of(field: "Field[Any]") -> Any:
    """A schema field's default value."""
    return field.default if field.default_factory is MISSING else field.default_factory()


def _bind_variant(group: str, value: Any, problems: Problems) -> Any:
    schemas = VARIANTS[group]
    name = value.get("name") if isinstance(value, Mapping) else value
    if name not in schemas:
        problems.wrong(f"{group}.name: set to {name!r}; allowed: {', '.join(schemas)}; choose it with {group}=<option>.")
        return None
    return _bind_dataclass(schemas[name], value, group, problems)


_WRONG = object()


def _coerce(kind: Any, value: Any) -> Any:
    """The value as `kind`, or `_WRONG`. Whole numbers pass for floats; nothing else is converted."""
    if kind is Any:
        return value
    origin, args = typing.get_origin(kind), typing.get_args(kind)
    if origin in (types.UnionType, typing.Union):
        return next((typed for arg in args if (typed := _coerce(arg, value)) is not _WRONG), _WRONG)
    if origin is list:
        items = [_coerce(args[0], item) for item in value] if isinstance(value, list) else [_WRONG]
        return _WRONG if any(item is _WRONG for item in items) else items
    if origin is dict:
        return _coerce_dict(args[1], value)
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if kind is type(None):
        return None if value is None else _WRONG
    return value if type(value) is kind else _WRONG


def _coerce_dict(kind: Any, value: Any) -> Any:
    if not isinstance(value, Mapping):
        return _WRONG
    items = {str(key): _coerce(kind, item) for key, item in value.items()}
    return _WRONG if any(item is _WRONG for item in items.values()) else items


def _wrong_entries(kind: Any, value: Any, path: str) -> Iterator[str]:
    """A sentence for each entry of a mapping that is of the wrong type."""
    kinds = [k for k in (kind, *typing.get_args(kind)) if typing.get_origin(k) is dict]
    if kinds and isinstance(value, Mapping):
        inner = typing.get_args(kinds[0])[1]
        for key, item in value.items():
            if _coerce(inner, item) is _WRONG:
                yield f"{path}.{key}: set to {item!r}; allowed: {_type_name(inner)}; ~{path}.{key} takes it away."


_BOUNDS: dict[str, tuple[str, Callable[[float, float], bool]]] = {
    "ge": ("≥", lambda value, bound: value >= bound),
    "gt": (">", lambda value, bound: value > bound),
    "le": ("≤", lambda value, bound: value <= bound),
    "lt": ("<", lambda value, bound: value < bound),
}


def _range_problems(value: Any, rules: Mapping[str, Any], path: str) -> Iterator[str]:
    for item in value if isinstance(value, list) else [value]:
        if item is None:
            continue
        if isinstance(item, float) and not math.isfinite(item):
            yield f"{path}: set to {item}; allowed: a finite number{_range_text(rules)}."
        elif "choices" in rules and item not in rules["choices"]:
            hint = _close(str(item), sorted(rules["choices"]))
            yield f"{path}: set to {item!r}; allowed: {', '.join(rules['choices'])}{'; ' + hint if hint else '.'}"
        elif isinstance(item, int | float) and not all(_BOUNDS[r][1](item, rules[r]) for r in _BOUNDS if r in rules):
            yield f"{path}: set to {item}; allowed:{_range_text(rules)}."


def _range_text(rules: Mapping[str, Any]) -> str:
    bounds = " and ".join(f"{_BOUNDS[rule][0]} {rules[rule]}" for rule in _BOUNDS if rule in rules)
    return f" {bounds}" if bounds else ""


def type_name(kind: Any, rules: Mapping[str, Any] = MappingProxyType({})) -> str:
    """A type and its bounds in words: `a number ≥ 0 and ≤ 1`."""
    if "choices" in rules:
        words = "one of " + ", ".join(map(str, rules["choices"]))
        named = f"a list, each {words}" if typing.get_origin(kind) is list else words
        return f"{named}, or null" if type(None) in typing.get_args(kind) else named
    return _type_name(kind) + _range_text(rules)


def _type_name(kind: Any) -> str:
    names = {int: "a whole number", float: "a number", str: "a text", bool: "true or false", type(None): "null"}
    origin, args = typing.get_origin(kind), typing.get_args(kind)
    if origin in (types.UnionType, typing.Union):
        return " or ".join(_type_name(arg) for arg in args)
    if origin is list:
        return f"a list, each {_type_name(args[0])}"
    if origin is dict:
        return "a mapping" if args[1] is Any else f"a mapping to {_type_name(args[1])}"
    return names.get(kind, str(kind))


def _join(path: str, key: str) -> str:
    return f"{path}.{key}" if path else key


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


def _backend_has_method(config: Config) -> Iterator[str]:
    folder = Path(__file__).parent / "backends"
    if not (folder / config.backend.name / f"{config.method.name}.py").is_file():
        having = sorted(p.parent.name for p in folder.glob(f"*/{config.method.name}.py"))
        yield f"backend={config.backend.name} has no method {config.method.name}; backends that have it: {', '.join(having)}."


def _batch_divides(config: Config) -> Iterator[str]:
    total, micro = config.method.total_batch_size, config.hardware.per_device_train_batch_size
    if total > micro and total % micro:
        yield (
            f"method.total_batch_size={total} is not a multiple of hardware.per_device_train_batch_size={micro}; "
            f"set one of them so that it is, for example method.total_batch_size={micro * -(-total // micro)}."
        )


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


def _paths_exist(config: Config) -> Iterator[str]:
    dataset, path = config.dataset, config.model.path
    if path == "":
        yield "model.path: not set; give a Hugging Face model directory or a hub id: model=hf model.path=owner/name."
        path = None
    if (dataset.generator is None) == (dataset.path is None):
        yield (
            "dataset: exactly one of dataset.path and dataset.generator must be set; for your own files: "
            "dataset=folder dataset.path=<folder>."
        )
    elif dataset.path == "":
        yield "dataset.path: not set; give a folder or file of .txt, .jsonl or .parquet: dataset=folder dataset.path=my/texts."
    elif dataset.path is not None and Path(dataset.path).is_file() and not dataset.path.lower().endswith(TEXT_FILES):
        yield f"dataset.path: {dataset.path} is none of {', '.join(TEXT_FILES)}; give such a file or a folder of them."
    elif dataset.path is not None and not Path(dataset.path).exists():
        yield f"dataset.path: {dataset.path} does not exist; give a folder or file of .txt, .jsonl or .parquet."
    if path is not None and path.startswith(("/", ".", "~")) and not Path(path).expanduser().is_dir():
        yield f"model.path: {path} is not a directory; give a Hugging Face model directory or a hub id such as owner/name."
    template = config.model.chat_template
    if template is not None and not Path(template).is_file():
        yield f"model.chat_template: {template} is not a file; give a Jinja file or null for the tokenizer's own."


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
        from trivium.models.load import require_files

        try:
            require_files(path)
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


def _best_needs_evaluations(config: Config) -> Iterator[str]:
    method = config.method
    if method.metric_for_best_model is not None and method.eval_steps is None:
        yield "method.metric_for_best_model needs method.eval_steps; set it to the steps between held-out evaluations."
    if method.metric_for_best_model is not None and config.dataset.test_size == 0:
        yield "method.metric_for_best_model needs held-out documents; set dataset.test_size above 0."


RULES: tuple[Callable[[Config], Iterator[str]], ...] = (
    _names_are_file_names,
    _stages_have_their_inputs,
    _backend_has_method,
    _batch_divides,
    _dtype_fits_device,
    _heads_divide_width,
    _paths_exist,
    _data_files_exist,
    _own_suites_can_be_read,
    _model_folder_is_whole,
    _filters_are_readable,
    _documents_can_be_read,
    _shares_fit,
    _best_needs_evaluations,
)
