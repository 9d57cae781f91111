"""The record types of question files, and the JSON Schemas (2020-12) made from them.

    python -m trivium.data.questions.record

writes the schemas anew. Names of categories (`difficulty`, `correction_for` …) are free words, lower-case with hyphens: what
they divide is the data's own affair.
"""

import sys
from pathlib import Path
from typing import Annotated, Any

import orjson
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

SCHEMAS = Path(__file__).parent / "schemas"

_SLUG = r"^[a-z0-9]+(-[a-z0-9]+)*$(?!\n)"
_DATE = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$(?!\n)"
_LINES = r"^[0-9]+-[0-9]+$(?!\n)"
_URL = r"^https?://[^\s]+$(?!\n)"
_ID = r"^[a-z0-9-]+/[a-z0-9-]+/[0-9]{3,}$(?!\n)"
_QA_ID = r"^[A-Za-z0-9-]+/[^#]+#[0-9]{3,}$(?!\n)"
_CHUNK_ID = r"^[A-Za-z0-9-]+/[^#]+#[0-9]+$(?!\n)"
_ROLE = r"^(system|user|assistant)$(?!\n)"
_WORD = r"\S"

PATTERNS = {
    _SLUG: "lower-case words and numbers joined by hyphens (`both-sides`)",
    _DATE: "a date as 2024-05-31",
    _LINES: "line numbers as 10-25",
    _URL: "an address that begins with http:// or https://",
    _ID: "an id as source-type/category/001",
    _QA_ID: "an id as Namespace/title#001",
    _CHUNK_ID: "an id as Namespace/title#1",
    _ROLE: "system, user or assistant",
    _WORD: "a text that is not blank",
}
"""What each pattern allows, in words."""


def _distinct(items: list[Any]) -> list[Any]:
    if len({str(item) for item in items}) < len(items):
        raise ValueError("an item stands twice in the list")
    return items


def _whole(value: Any) -> Any:
    """JSON Schema counts 2.0 as a whole number."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


Text = Annotated[str, Field(min_length=1)]
Said = Annotated[str, Field(pattern=_WORD)]
Slug = Annotated[str, Field(pattern=_SLUG)]
Date = Annotated[str, Field(pattern=_DATE)]
Count = Annotated[int, Field(ge=0), BeforeValidator(_whole)]
Ordinal = Annotated[int, Field(ge=1), BeforeValidator(_whole)]
_SET = {"uniqueItems": True}
Slugs = Annotated[list[Slug], AfterValidator(_distinct), Field(json_schema_extra=_SET)]
Texts = Annotated[list[Text], AfterValidator(_distinct), Field(json_schema_extra=_SET)]


class Closed(BaseModel):
    """A mapping without other keys than its own; values are taken as they are, `"1"` is no number."""

    model_config = ConfigDict(extra="forbid", strict=True, regex_engine="python-re")


class Source(Closed):
    """Where a question and its answer were taken from."""

    namespace: Text | None = None
    article_title: Text | None = None
    author: Text | None = None
    work: Text | None = None
    section: Text | None = None
    line_range: Annotated[str, Field(pattern=_LINES)] | None = None
    chunk_ids: Texts | None = None
    url: Annotated[str, Field(pattern=_URL)] | None = None


class Classification(Closed):
    """What the question is about."""

    categories: Annotated[Texts, Field(min_length=1)]
    tradition: Slug | None = None
    subtradition: Text | None = None
    historical_period: Text | None = None
    geographic_focus: Text | None = None


class Training(Closed):
    """What the row is meant to teach."""

    iteration: Ordinal | None = None
    correction_for: Slugs | None = None
    difficulty: Slug | None = None
    response_style: Slug | None = None
    adversarial_type: Slug | None = None


class Provenance(Closed):
    """Who made the row, and when."""

    created_date: Date | None = None
    created_by: Slug | None = None
    reviewed_by: Text | None = None
    review_date: Date | None = None
    modified_date: Date | None = None
    version: Ordinal | None = None


class Quality(Closed):
    """How good the row is."""

    is_stub: bool | None = None
    citation_needed_count: Count | None = None
    has_blockquote: bool | None = None
    human_verified: bool | None = None
    confidence: Slug | None = None
    notes: str | None = None
    flagged_issues: Texts | None = None


class Sections(BaseModel):
    """The parts that describe a row; they stand beside the question or inside `metadata`."""

    source: Source | str | None = None
    classification: Classification | None = None
    training: Training | None = None
    provenance: Provenance | None = None
    quality: Quality | None = None


class Metadata(Sections):
    """Everything else about a row; further columns of any name and value are allowed here."""

    model_config = ConfigDict(extra="allow", strict=True, regex_engine="python-re")

    id: Annotated[str, Field(pattern=_ID)] | None = None
    citations: list[Text] | None = None


class Row(Sections, Closed):
    """What the record types have in common."""

    id: Annotated[str, Field(pattern=_ID)] | None = None
    qa_id: Annotated[str, Field(pattern=_QA_ID)] | None = None
    title: Text | None = None
    document: Text | None = None
    source_type: Text | None = None
    year: Annotated[int, BeforeValidator(_whole)] | Text | None = None
    thinking: Text | None = None
    metadata: Metadata | None = None


class Message(Closed):
    """One turn."""

    role: Annotated[str, Field(pattern=_ROLE)]
    content: str


class QaRecord(Row):
    """A question and its answer, as written for fine-tuning."""

    instruction: Annotated[str, Field(min_length=10, max_length=2000)]
    response: Annotated[str, Field(min_length=50, max_length=15000)]


class PromptRecord(Row):
    """A prompt, as a text or as the turns so far, and the reference answer where there is one."""

    prompt: Said | Annotated[list[Message], Field(min_length=1)]
    answer: str | None = None


class MessagesRecord(Row):
    """A conversation; what an assistant says last is the reference answer."""

    messages: Annotated[list[Message], Field(min_length=1)]


class QuestionRecord(Row):
    """A question, and the reference answer where there is one; lengths are free."""

    question: Said
    answer: str | None = None


class InstructionRecord(Row):
    """An instruction, what it is to be done with, and what should come out."""

    instruction: Said
    input: str | None = None
    output: str | None = None


class Chunk(Row):
    """A piece of an article, for which a question is made from what is known of it."""

    text: Said
    chunk_id: Annotated[str, Field(pattern=_CHUNK_ID)] | None = None
    article_title: Text | None = None
    namespace: Text | None = None
    section: Text | None = None
    chunk_index: Count | None = None
    line_range: Annotated[str, Field(pattern=_LINES)] | None = None
    word_count: Count | None = None
    categories: list[Text] | None = None
    internal_links: list[Text] | None = None
    is_stub: bool | None = None
    citation_needed_count: Count | None = None
    has_blockquote: bool | None = None


RECORDS: dict[str, type[Row]] = {
    "messages": MessagesRecord,
    "prompt": PromptRecord,
    "question": QuestionRecord,
    "instruction": InstructionRecord,
    "qa": QaRecord,
    "chunk": Chunk,
}
"""The record types by the names of their schemas."""


def schema(name: str) -> dict[str, Any]:
    """The JSON Schema of a record type."""
    made = RECORDS[name].model_json_schema()
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **made}


def main() -> None:
    """Write all schemas into the package."""
    SCHEMAS.mkdir(exist_ok=True)
    for name in RECORDS:
        path = SCHEMAS / f"{name}.json"
        path.write_bytes(orjson.dumps(schema(name), option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))
        sys.stdout.write(f"{path}\n")


if __name__ == "__main__":
    main()
