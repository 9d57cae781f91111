"""The part of Go's text/template that exported Ollama templates use, read; all else is refused rather than guessed."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from trivium.errors import ModelError

_PIECE = re.compile(r'(?P<text>.*?)(?:\{\{ (?P<action>(?:"(?:[^"\\]|\\.)*"|[^"{}])*) \}\}|\Z)', re.DOTALL)
_WORD = re.compile(r'\s*("(?:[^"\\]|\\.)*"|:=|[=(),]|\$?\.?\w+|\$\.\w+|\$|\.)')
_ESCAPE = re.compile(r"\\(u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|.)", re.DOTALL)

FUNCTIONS = ("eq", "ne", "not", "and", "or", "len", "slice")


@dataclass(frozen=True)
class Text:
    """Stands for itself."""

    text: str


@dataclass(frozen=True)
class Show:
    """`{{ value }}`."""

    value: "Value"


@dataclass(frozen=True)
class Let:
    """`{{ $name := value }}`, or `=` for a name that is there already."""

    name: str
    value: "Value"
    new: bool


@dataclass(frozen=True)
class Branch:
    """`{{ if }} … {{ else if }} … {{ else }} … {{ end }}`; the test of else is None."""

    cases: "tuple[tuple[Value | None, Block], ...]"


@dataclass(frozen=True)
class Each:
    """`{{ range $i, $x := value }} … {{ end }}`."""

    index: str
    item: str
    value: "Value"
    block: "Block"


@dataclass(frozen=True)
class Use:
    """`{{ template "name" value }}`: a block that was defined, with `.` as the value."""

    name: str
    value: "Value"


Node = Text | Show | Let | Branch | Each | Use
Block = tuple[Node, ...]


@dataclass(frozen=True)
class Value:
    """A constant, a variable or field (`names`), or a call of `function` with `parts`."""

    constant: Any = None
    names: tuple[str, ...] = ()
    function: str = ""
    parts: "tuple[Value, ...]" = ()


def parse(template: str) -> tuple[Block, dict[str, Block]]:
    """A template, and the blocks that it defines. Raises `ModelError` where it holds anything that is not written here."""
    reader = _Reader(list(_pieces(template)))
    block, ended = reader.block()
    if ended:
        raise unknown(ended)
    return block, reader.defined


def _pieces(template: str) -> Iterator[Text | str]:
    """Texts, and actions without their braces."""
    at = 0
    while at < len(template):
        found = _PIECE.match(template, at)
        if found is None or "{{" in found["text"]:
            raise unknown(template[at : at + 60])
        if found["text"]:
            yield Text(found["text"])
        if found["action"] is not None:
            yield found["action"]
        at = found.end()


class _Reader:
    """Goes through the pieces once."""

    def __init__(self, pieces: Sequence[Text | str]) -> None:
        self._pieces, self._at = pieces, 0
        self.defined: dict[str, Block] = {}

    def block(self) -> tuple[Block, str]:
        """Everything up to the action that ends the block, and that action; empty at the end of the template."""
        made: list[Node] = []
        while self._at < len(self._pieces):
            piece = self._pieces[self._at]
            self._at += 1
            if isinstance(piece, Text):
                made.append(piece)
            elif piece == "end" or piece.split(" ")[0] == "else":
                return tuple(made), piece
            elif piece.startswith("define "):
                self._define(_quoted(piece.removeprefix("define ")))
            else:
                made.append(self._action(piece))
        return tuple(made), ""

    def _define(self, name: str) -> None:
        self.defined[name], ended = self.block()
        if ended != "end":
            raise unknown(ended or "a define without its end")

    def _action(self, action: str) -> Node:
        first, _, rest = action.partition(" ")
        if first == "if":
            return self._branch(rest)
        if first == "range":
            return self._each(rest)
        words = _words(action)
        if first == "template" and len(words) > 2:
            return Use(_quoted(words[1]), _value(words[2:]))
        if len(words) > 2 and words[1] in (":=", "=") and words[0].startswith("$"):
            return Let(words[0], _value(words[2:]), words[1] == ":=")
        return Show(_value(words))

    def _branch(self, test: str) -> Branch:
        cases: list[tuple[Value | None, Block]] = []
        condition: Value | None = _value(_words(test))
        while True:
            block, ended = self.block()
            cases.append((condition, block))
            if ended == "end":
                return Branch(tuple(cases))
            if condition is None or not ended:
                raise unknown(ended or "an if without its end")
            condition = None if ended == "else" else _value(_words(ended.removeprefix("else if ")))

    def _each(self, head: str) -> Each:
        words = _words(head)
        if len(words) < 5 or words[1] != "," or words[3] != ":=":
            raise unknown(f"range {head}")
        block, ended = self.block()
        if ended != "end":
            raise unknown(ended or "a range without its end")
        return Each(words[0], words[2], _value(words[4:]), block)


def _words(text: str) -> list[str]:
    words, at = [], 0
    while at < len(text):
        found = _WORD.match(text, at)
        if found is None:
            raise unknown(text)
        words.append(found[1])
        at = found.end()
    return words


def _value(words: list[str]) -> Value:
    """A whole expression."""
    rest = list(words)
    made = _call(rest) if rest and rest[0] in FUNCTIONS else _operand(rest)
    if rest:
        raise unknown(" ".join(words))
    return made


def _call(rest: list[str]) -> Value:
    name = rest.pop(0)
    arguments = []
    while rest and rest[0] != ")":
        arguments.append(_operand(rest))
    return Value(function=name, parts=tuple(arguments))


def _operand(rest: list[str]) -> Value:
    word = rest.pop(0) if rest else ""
    if word == "(":
        inner = _call(rest) if rest and rest[0] in FUNCTIONS else _operand(rest)
        if not rest or rest.pop(0) != ")":
            raise unknown("( without )")
        return inner
    if word.startswith('"'):
        return Value(constant=_quoted(word))
    if word.isdecimal():
        return Value(constant=int(word))
    if word in (".", "$"):
        return Value(names=(word,))
    if re.fullmatch(r"\$\.\w+", word):
        return Value(names=("$", word[2:]))
    if re.fullmatch(r"\.\w+", word):
        return Value(names=(".", word[1:]))
    if re.fullmatch(r"\$\w+", word):
        return Value(names=(word,))
    raise unknown(word or "an empty action")


def _quoted(word: str) -> str:
    if len(word) < 2 or word[0] != '"' or word[-1] != '"':
        raise unknown(word)
    return _ESCAPE.sub(_unescaped, word[1:-1])


def _unescaped(found: "re.Match[str]") -> str:
    code = found[1]
    if code[0] in "uU" and len(code) > 1:
        return chr(int(code[1:], 16))
    if code not in _ESCAPES:
        raise unknown(f"\\{code}")
    return _ESCAPES[code]


_ESCAPES = {'"': '"', "\\": "\\", "n": "\n", "t": "\t", "r": "\r"}


def unknown(what: str) -> ModelError:
    """The error on what is not understood."""
    return ModelError(
        f"the Ollama template holds {what!r}, which is not of the kind that an export writes; make the export again, or try "
        "the template in Ollama itself."
    )
