"""Reading questions: folders and files of .jsonl and .parquet, or a generated world, as samples."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trivium.artifact import file_hash
from trivium.data.questions.rows import Rows
from trivium.data.questions.validate import breaks
from trivium.data.rejects import BadRow, Rejects, place
from trivium.data.sources import files, name_of, rows_of
from trivium.errors import DataError
from trivium.sample import Sample
from trivium.schema import DatasetConfig


@dataclass
class SourceFile:
    """A file: its name below `dataset.path`, sha256 (hex, empty when unreadable), rows, and how many lines were left out."""

    file: str
    sha256: str
    rows: int = 0
    rejected: int = 0


class Reader:
    """All usable samples in a fixed order; `sources` then tells what each file gave."""

    def __init__(self, config: DatasetConfig, rejects: Rejects) -> None:
        self._config, self._rejects = config, rejects
        self._rows = Rows(config, rejects)
        self.sources: list[SourceFile] = []

    def samples(self) -> Iterator[Sample]:
        """The samples, one at a time; what cannot be used is counted.

        Raises `DataError` when there is nothing to read or to use, and with strict validation when any row was left out.
        """
        if self._config.generator is not None:
            from trivium.data.micro_qa import documents

            yield from documents(self._config.logic)
            return
        root = Path(str(self._config.path)).expanduser()
        count = 0
        for path in files(root, self._rejects):
            for sample in self._of_file(path, root):
                count += 1
                yield sample
        self._judge(root, count)

    def _of_file(self, path: Path, root: Path) -> Iterator[Sample]:
        name, before = name_of(path, root), self._rejects.count
        source = SourceFile(name, "")
        self.sources.append(source)
        try:
            source.sha256 = file_hash(path)
            if path.suffix.lower() == ".txt":
                raise BadRow("a text file holds no questions", "give .jsonl or .parquet")
            for line, row in rows_of(path, name, self._rejects):
                source.rows += 1
                if (sample := self._of_row(row, name, line)) is not None:
                    yield sample
        except BadRow as problem:
            self._rejects.add(name, None, problem)
        except OSError as error:
            self._rejects.add(name, None, BadRow("unreadable file", error.strerror or str(error)))
        source.rejected = self._rejects.count - before

    def _of_row(self, row: dict[str, Any], name: str, line: int) -> Sample | None:
        try:
            self._validate(row, place(name, line))
            return self._rows.sample(row, name, line)
        except BadRow as problem:
            self._rejects.add(name, line, problem)
            return None

    def _validate(self, row: dict[str, Any], where: str) -> None:
        strict = self._config.questions.validation == "strict"
        wrong = breaks(row, self._own_names(), own_columns=not strict)
        if wrong is None:
            return
        if strict:
            raise BadRow("breaks the published schema", wrong)
        self._rejects.note("row that breaks the published schema, read as far as possible", f"{where} ({wrong})")

    def _own_names(self) -> dict[str, str]:
        return self._config.fields | {"thinking": self._config.questions.thinking}

    def _judge(self, root: Path, count: int) -> None:
        rejects = self._rejects
        if self._config.questions.validation == "strict" and rejects.count:
            more = f", and {rejects.count - rejects.shown} more" if rejects.count > rejects.shown else ""
            raise DataError(
                f"dataset.questions.validation=strict: {rejects.first()}{more}. Mend the rows, or set "
                "dataset.questions.validation=lenient to leave out only what has no question."
            )
        self._rows.check_columns()
        if not count:
            first = f" The first: {rejects.first()}." if rejects.count else ""
            raise DataError(f"dataset.path: no question in {root}; {rejects.count} lines or files were rejected.{first}")
