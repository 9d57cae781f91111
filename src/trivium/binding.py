"""Binding: plain data becomes a dataclass of the schema, or a sentence for every key and value that does not fit."""

import math
import types
import typing
from collections.abc import Callable, Iterator, Mapping
from dataclasses import MISSING, Field, fields, is_dataclass
from types import MappingProxyType
from typing import Any

from trivium.schema import VARIANTS


class Problems(list[str]):
    """Sentences; `typed` stays true as long as the values, in range or not, are such that the rules can look at them."""

    typed = True

    def wrong(self, sentence: str) -> None:
        """Add a problem after which there is no whole configuration."""
        self.typed = False
        self.append(sentence)


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


def bind_fields(schema: type, data: Any, path: str, problems: Problems) -> Any:
    """The dataclass `schema` filled from plain data, None where that is impossible; problems are added, `path` before each."""
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
        return bind_fields(typing.cast(type, field.type), value, path, problems)
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
    return bind_fields(schemas[name], value, group, problems)


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
            allowed = [str(choice) for choice in rules["choices"]]
            hint = _close(str(item), sorted(allowed))
            yield f"{path}: set to {item!r}; allowed: {', '.join(allowed)}{'; ' + hint if hint else '.'}"
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
