"""From a row of somebody's file to a sample: the turns up to the question, the reference answer, and all else as metadata."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from trivium.data import chat
from trivium.data.questions import generate
from trivium.data.records import COLUMNS, as_text, is_turn, plain, require_column, year_of
from trivium.data.rejects import BadRow, Rejects, place
from trivium.sample import Message, Sample
from trivium.schema import DatasetConfig
from trivium.scores.completion import split

Row = Mapping[str, Any]

QUESTION_COLUMNS: dict[str, tuple[str, ...]] = {
    "messages": COLUMNS["messages"],
    "prompt": (*COLUMNS["prompt"], "question"),
    "response": (*COLUMNS["response"], "answer"),
    "input": ("input",),
    "title": (*COLUMNS["title"], "article_title"),
    "year": COLUMNS["year"],
    "source_type": COLUMNS["source_type"],
    "document": (*COLUMNS["document"], "article_title"),
}
"""Ours: the names that files use for it, best first. `dataset.fields` names one's own. All other columns are metadata."""

NO_REFERENCE = "row without a reference answer, kept"
NO_QUESTION = "no question"


@dataclass
class Conversation:
    """The turns up to the question, and the reference answer as it stands in the row."""

    turns: list[Message]
    reference: Any


class Rows:
    """Turns rows into samples by `dataset.fields`, `dataset.questions` and the think format of `dataset.chat`.

    `sample.document` names the group of the row: the value of `questions.group`, the document, or else the row itself.
    """

    def __init__(self, config: DatasetConfig, rejects: Rejects) -> None:
        self._config, self._rejects = config, rejects
        self._aliases = QUESTION_COLUMNS | {"text": COLUMNS["text"]}
        self._aliases |= {ours: (theirs,) for ours, theirs in config.fields.items()}
        self._tags = chat.tags(config.chat)
        self._columns: set[str] = set()

    def sample(self, row: Row, file: str, line: int | None) -> Sample:
        """The sample of a row. Raises `BadRow` when there is no question in it, or what there is cannot be read."""
        where = place(file, line)
        self._columns.update(row)
        ours, metadata = self._parts(row)
        said = self._conversation(ours, metadata, where)
        thinking, reference = self._thinking(metadata, self._reference(said.reference, where), where)
        if reference is None:
            self._rejects.note(NO_REFERENCE, where)
        return Sample(
            id=where,
            text=reference or "",
            messages=[*said.turns, *([] if reference is None else [Message(role="assistant", content=reference)])],
            thinking=thinking if reference is not None else None,
            origin=file,
            document=self._group(row, metadata) or as_text(ours.get("document")) or where,
            title=as_text(ours.get("title")),
            source_type=as_text(ours.get("source_type")) or self._config.source_type or "unknown",
            year=year_of(ours.get("year"), where, self._rejects),
            metadata=metadata,
        )

    def check_columns(self) -> None:
        """Raise `DataError` for a name in `dataset.fields`, or a `questions.group`, that no row had."""
        if not self._columns:
            return
        for ours, theirs in self._config.fields.items():
            require_column(f"dataset.fields.{ours}", theirs, self._columns)
        if self._config.questions.group is not None:
            require_column("dataset.questions.group", self._config.questions.group, self._columns)

    def _parts(self, row: Row) -> tuple[dict[str, Any], dict[str, Any]]:
        """Values by our names, and the metadata: every column that does not become the question or its answer."""
        found = {ours: next((n for n in names if row.get(n) is not None), None) for ours, names in self._aliases.items()}
        ours = {column: row[name] for column, name in found.items() if name is not None}
        used = {found[column] for column in self._content(ours)}
        metadata = flat({name: value for name, value in row.items() if name not in used})
        self._columns.update(metadata)
        return ours, metadata

    def _content(self, ours: Row) -> tuple[str, ...]:
        """What the conversation is made from."""
        if "messages" in ours:
            return ("messages",)
        if "prompt" in ours:
            return ("prompt", "response") if isinstance(ours["prompt"], list) else ("prompt", "response", "input")
        return ("text",) if self._config.questions.generate else ()

    def _conversation(self, ours: dict[str, Any], metadata: dict[str, Any], where: str) -> Conversation:
        if "messages" in ours:
            return _of_messages(ours["messages"])
        if "prompt" in ours:
            return _of_prompt(ours)
        if self._config.questions.generate and ours.get("text"):
            made = generate.question(metadata | {"title": ours.get("title")}, f"{self._config.seed} {where}")
            metadata["question_from"] = made.kind
            return Conversation([{"role": "user", "content": made.text}], ours["text"])
        hint = "; dataset.questions.generate=true makes questions for articles" if ours.get("text") else ""
        raise BadRow(NO_QUESTION, f"a row needs messages, prompt, instruction or question{hint}")

    def _reference(self, value: Any, where: str) -> str | None:
        """The reference answer as text; None for null and blank ones."""
        if isinstance(value, list) and len(value) == 1 and is_turn(value[0]) and value[0]["role"] == "assistant":
            value = value[0]["content"]
        if isinstance(value, int | float) and not isinstance(value, bool):
            self._rejects.note("answer that is a number, taken as text", where)
            value = str(value)
        if value is not None and not isinstance(value, str):
            raise BadRow("answer is not a text", f"it is {type(value).__name__}")
        return plain(value) or None if value is not None else None

    def _thinking(self, metadata: dict[str, Any], reference: str | None, where: str) -> tuple[str | None, str | None]:
        """The reference's thinking part, from its column or split off by the tags, and what is left as the reference."""
        told = metadata.pop(self._config.questions.thinking, None)
        if told is not None and not isinstance(told, str):
            self._rejects.note("thinking that is not a text, not used", where)
            told = None
        thinking = plain(told) or None if told is not None else None
        if reference is None or not any(tag in reference for tag in self._tags):
            return thinking, reference
        parts = split(reference, self._tags)
        if parts.thinking is None:
            self._rejects.note("thinking in an answer that is never closed, not used", where)
        return thinking or parts.thinking, parts.answer or None

    def _group(self, row: Row, metadata: Mapping[str, Any]) -> str | None:
        name = self._config.questions.group
        return None if name is None else as_text(metadata.get(name, row.get(name)))


def flat(row: Row) -> dict[str, Any]:
    """Metadata of a row: nested mappings by their path (`classification.tradition`), those in `metadata` without that word.

    What `training` holds also goes by its bare name, which rewards and filters ask for, unless a column has it already.
    """
    try:
        orjson.dumps(row, default=str)
    except TypeError as error:
        raise BadRow("metadata that JSON cannot hold", str(error)) from error
    values = {name: value for name, value in row.items() if name != "metadata"}
    inner = row.get("metadata")
    values |= {n: v for n, v in inner.items() if n not in values} if isinstance(inner, Mapping) else {}
    found: dict[str, Any] = {}
    _flatten("", values, found)
    training = values.get("training")
    for name, value in training.items() if isinstance(training, Mapping) else ():
        found.setdefault(name, value)
    if inner is not None and not isinstance(inner, Mapping):
        found.setdefault("metadata", inner)
    return found


def _flatten(prefix: str, values: Row, found: dict[str, Any]) -> None:
    for name, value in values.items():
        if isinstance(value, Mapping) and value:
            _flatten(f"{prefix}{name}.", value, found)
        else:
            found[f"{prefix}{name}"] = value


def _of_messages(turns: Any) -> Conversation:
    """A conversation; what an assistant says last is the reference."""
    messages = _turns(turns)
    last = messages.pop()["content"] if messages and messages[-1]["role"] == "assistant" else None
    return Conversation(_asking(messages), last)


def _of_prompt(ours: Mapping[str, Any]) -> Conversation:
    prompt = ours["prompt"]
    if isinstance(prompt, list):
        return Conversation(_asking(_turns(prompt)), ours.get("response"))
    if not isinstance(prompt, str):
        raise BadRow("question is not a text", f"it is {type(prompt).__name__}")
    extra = ours.get("input")
    prompt = f"{prompt}\n\n{extra}" if isinstance(extra, str) and extra.strip() else prompt
    return Conversation(_asking([{"role": "user", "content": plain(prompt)}]), ours.get("response"))


def _turns(turns: Any) -> list[Message]:
    if not isinstance(turns, list) or not all(is_turn(turn) for turn in turns):
        raise BadRow("messages not readable", "wanted is a list of {role: system | user | assistant, content: text}")
    messages = [{"role": turn["role"], "content": plain(turn["content"])} for turn in turns]
    return [turn for turn in messages if turn["content"] or turn["role"] != "system"]


def _asking(turns: list[Message]) -> list[Message]:
    """The turns, if they end with a question of the user."""
    if not turns or turns[-1]["role"] != "user" or not turns[-1]["content"]:
        said = "nothing" if not turns else f"a turn of {turns[-1]['role']}" if turns[-1]["content"] else "a blank turn"
        raise BadRow(NO_QUESTION, f"before the answer stands {said}; wanted is what the user asks")
    return turns
