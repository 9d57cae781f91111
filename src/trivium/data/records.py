"""From a row of somebody's file to samples: known columns, their ranges, and long texts cut at paragraphs."""

import math
import re
from collections.abc import Iterator, Mapping
from typing import Any

from trivium.data.years import parse_year
from trivium.sample import Message, Sample
from trivium.schema import DatasetConfig

COLUMNS: dict[str, tuple[str, ...]] = {
    "text": ("text", "body", "content"),
    "messages": ("messages", "conversations", "prompt_messages"),
    "instruction": ("instruction", "prompt", "question"),
    "response": ("response", "output", "answer", "completion"),
    "title": ("title",),
    "year": ("year", "date", "published", "publication_date"),
    "source_type": ("source_type",),
    "authority": ("authority", "auth_weight"),
    "entropy": ("entropy", "prov_entropy"),
    "trivium": ("trivium", "trivium_category"),
    "document": ("document", "doc_id", "document_id", "identifier"),
}
"""Ours: the names that files use for it, best first. `dataset.fields` adds one's own."""

ROLES = ("system", "user", "assistant")
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+")


class BadRow(ValueError):
    """A row that cannot be used, with the reason."""


def samples(row: Mapping[str, Any], origin: str, config: DatasetConfig) -> Iterator[tuple[Sample, list[str]]]:
    """The samples of a row, with notes on what was odd; raises `BadRow`."""
    found, rest = _columns(row, config)
    messages = _messages(found)
    text = "" if messages else _text(found)
    length = len(text) or sum(len(m["content"]) for m in messages or ())
    if length < config.min_chars:
        raise BadRow(f"too short: {length} characters, dataset.min_chars={config.min_chars}")
    notes: list[str] = []
    year = parse_year(found.get("year"))
    if year is None and found.get("year") not in (None, ""):
        notes.append("year that cannot be read")
    document = str(found.get("document") or origin)
    facts = {
        "title": _optional(found.get("title")),
        "source_type": str(found.get("source_type") or config.source_type or "unknown"),
        "year": year,
        "authority": _number(found.get("authority"), "authority", 0.99),
        "entropy": _number(found.get("entropy"), "entropy", math.inf),
        "trivium": str(found.get("trivium") or "unknown"),
    }
    pieces = [text] if messages or len(text) <= config.max_chars else list(cut(text, config.max_chars))
    pieces = [piece for piece in pieces if messages or len(piece) >= config.min_chars]
    for number, piece in enumerate(pieces):
        identifier = origin if len(pieces) == 1 else f"{origin}#{number}"
        yield Sample(identifier, piece, messages, origin, document, **facts, metadata=rest), notes


def cut(text: str, size: int) -> Iterator[str]:
    """Pieces of at most `size` characters: whole paragraphs, else sentences, else words, else a hard cut."""
    piece = ""
    for part, joint in _parts(text, size):
        if piece and len(piece) + len(joint) + len(part) > size:
            yield piece
            piece = part
        else:
            piece = f"{piece}{joint}{part}" if piece else part
    if piece:
        yield piece


def _parts(text: str, size: int) -> Iterator[tuple[str, str]]:
    """Unbreakable parts with what joins each to the part before it."""
    for paragraph in (p.strip() for p in re.split(r"\n\s*\n", text)):
        if len(paragraph) <= size:
            if paragraph:
                yield paragraph, "\n\n"
            continue
        for i, sentence in enumerate(_SENTENCE_END.split(paragraph)):
            joint = " " if i else "\n\n"
            if len(sentence) <= size:
                yield sentence, joint
            else:
                yield from ((sentence[at : at + size], " ") for at in range(0, len(sentence), size))


def _columns(row: Mapping[str, Any], config: DatasetConfig) -> tuple[dict[str, Any], dict[str, Any]]:
    """Known columns by our names, and all others."""
    found: dict[str, Any] = {}
    used = set()
    for ours, theirs in COLUMNS.items():
        for name in (config.fields[ours], *theirs) if ours in config.fields else theirs:
            if row.get(name) is not None:
                found[ours] = row[name]
                used.add(name)
                break
    return found, {str(k): v for k, v in row.items() if k not in used and v is not None}


def _messages(found: Mapping[str, Any]) -> list[Message] | None:
    turns = found.get("messages")
    if turns is None and "text" not in found and isinstance(found.get("instruction"), list):
        turns = [*found["instruction"], {"role": "assistant", "content": found.get("response")}]
    if turns is None:
        if "text" in found or not ("instruction" in found and "response" in found):
            return None
        turns = [{"role": "user", "content": found["instruction"]}, {"role": "assistant", "content": found["response"]}]
    if not isinstance(turns, list) or not all(_is_turn(turn) for turn in turns):
        raise BadRow("messages: not a list of {role: system|user|assistant, content: text}")
    if not any(turn["role"] == "assistant" for turn in turns):
        raise BadRow("messages: no assistant turn to learn")
    return [{"role": turn["role"], "content": turn["content"]} for turn in turns]


def _is_turn(turn: Any) -> bool:
    return isinstance(turn, Mapping) and turn.get("role") in ROLES and isinstance(turn.get("content"), str)


def _text(found: Mapping[str, Any]) -> str:
    text = found.get("text")
    if text is None:
        raise BadRow("no text: a row needs text, messages, or instruction and response")
    if not isinstance(text, str):
        raise BadRow(f"text: {type(text).__name__}, not a text")
    if "\0" in text:
        raise BadRow("text: holds NUL bytes, so it is binary data")
    return text.replace("\r\n", "\n").strip() if "\r" in text else text.strip()


def _number(value: Any, name: str, most: float) -> float | None:
    if value is None or value == "":
        return None
    try:
        number = float(value)
    except (TypeError, ValueError):
        raise BadRow(f"{name}: {value!r} is not a number") from None
    if not 0 <= number <= most:
        raise BadRow(f"{name}: {number} is out of range, allowed 0 to {most}")
    return number


def _optional(value: Any) -> str | None:
    return None if value is None or value == "" else str(value)
