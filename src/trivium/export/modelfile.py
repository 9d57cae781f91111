"""Ollama's Modelfile: written, and read as Ollama reads it, so that nothing is written that would be read as something else."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from trivium.errors import ConfigError, ModelError

_LINE = re.compile(
    r"[ \t]*(?:parameter[ \t](?P<key>\w+)|(?P<name>(?!parameter\b)[a-z]+))[ \t](?P<value>.*)", re.DOTALL | re.IGNORECASE
)


@dataclass(frozen=True)
class Modelfile:
    """What a Modelfile says; `base` and `adapter` are paths, relative to it."""

    base: str
    adapter: str | None = None
    template: str | None = None
    system: str | None = None
    parameters: tuple[tuple[str, str], ...] = ()
    licenses: tuple[str, ...] = ()

    def stops(self) -> tuple[str, ...]:
        """Texts at which an answer ends."""
        return tuple(value for name, value in self.parameters if name == "stop")


def write(file: Modelfile, comment: str = "") -> str:
    """The text of a Modelfile, a comment above.

    Raises `ConfigError` for a value that Ollama would read as another: it drops characters that cannot be printed, and ends a
    value at three quotes and a line's end.
    """
    lines = [*(f"# {line}\n" for line in comment.splitlines()), _line("FROM", file.base, file.base)]
    for name, value in (("ADAPTER", file.adapter), ("TEMPLATE", file.template), ("SYSTEM", file.system)):
        lines += [_line(name, value, value if name == "ADAPTER" else _long(value))] if value is not None else []
    lines += [_line(f"PARAMETER {name}", value, _short(value)) for name, value in file.parameters]
    lines += [_line("LICENSE", text, _long(text)) for text in file.licenses]
    return "".join(lines)


def read(text: str) -> Modelfile:
    """What Ollama would read. Raises `ModelError` where it would stop, or for an instruction that is not written here."""
    known: dict[str, list[str]] = {name: [] for name in ("from", "adapter", "template", "system", "license")}
    parameters = []
    for name, key, value in _instructions(text):
        if key:
            parameters.append((key, value))
        elif name in known:
            known[name].append(value)
        else:
            raise ModelError(f"the Modelfile holds {name.upper()}, which an export does not write; make the export again.")
    if not known["from"]:
        raise ModelError("the Modelfile has no FROM line; make the export again.")
    last = {name: values[-1] if values else None for name, values in known.items()}
    licenses = tuple(known["license"])
    return Modelfile(str(last["from"]), last["adapter"], last["template"], last["system"], tuple(parameters), licenses)


def _line(instruction: str, value: str, written: str) -> str:
    """An instruction, once it is sure that it will be read as it is meant."""
    text = f"{instruction} {written}\n"
    try:
        found = [said for *_, said in _instructions(text)]
    except ModelError:
        found = []
    if found != [value]:
        raise ConfigError(
            f"export.ollama: this cannot stand as {instruction} in a Modelfile, since Ollama would read something else: "
            f"{value!r}; leave out characters that cannot be printed, and three quotes at the end of a line."
        )
    return text


def _instructions(text: str) -> Iterator[tuple[str, str, str]]:
    """Name in lower case or a parameter's key, and the value, which goes on until a line's end finds its quotes closed."""
    name, key, value = "", "", None
    for line in re.findall(r"[^\r\n]*(?:[\r\n]|.\Z)", text):
        if value is None:
            if not line.strip() or line.lstrip(" \t").startswith("#"):
                continue
            if (found := _LINE.fullmatch(line)) is None:
                raise ModelError(f"the Modelfile holds the line {line.strip()!r}, no instruction; make the export again.")
            name, key, value = (found["name"] or "").lower(), found["key"] or "", ""
            line = found["value"]
        value += line
        if (said := _unquoted(value)) is not None:
            yield name, key, said
            value = None
    if value is not None:
        raise ModelError(f"the Modelfile ends within the quotes of {(name or key).upper()}; make the export again.")


def _unquoted(value: str) -> str | None:
    """The value without its quotes, and without what cannot be printed, which Ollama drops; None while they are open."""
    kept = "".join(c for c in value if c.isprintable() or c in "\r\n\t").strip()
    quote = '"""' if kept.startswith('"""') else kept[:1] if kept.startswith('"') else ""
    if len(kept) < 2 * len(quote) or not kept.endswith(quote):
        return None
    return kept[len(quote) : len(kept) - len(quote)]


def _long(text: str) -> str:
    return f'"""{text}"""'


def _short(text: str) -> str:
    if re.fullmatch(r"[\w.+-]+", text):
        return text
    return _long(text) if re.search(r'["\r\n]', text) else f'"{text}"'
