"""Lists of works and subjects as YAML: shipped ones by their names, one's own by their paths."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

SHIPPED = Path(__file__).parent


@dataclass(frozen=True)
class Listed:
    """A work as a list expects it: `titles` are the forms its title may have, `year` that of its first publication."""

    id: str
    titles: tuple[str, ...]
    author: str
    year: int | None
    source_type: str | None


def shipped() -> list[str]:
    """Names of the shipped lists."""
    return sorted(path.stem for path in SHIPPED.glob("*.yaml"))


def place_of(name: str) -> Path:
    """Where a list lies."""
    return SHIPPED / f"{name}.yaml" if name in shipped() else Path(name).expanduser()


def problem_with(key: str, name: str | None) -> list[str]:
    """A sentence when there is no such list."""
    if name is None or place_of(name).is_file():
        return []
    return [f"{key}: set to {name!r}; give a shipped list ({', '.join(shipped())}) or a YAML file."]


def works(name: str) -> list[Listed]:
    """The works of a list. Raises `ConfigError` where the file is not one."""
    from trivium.data.yamlfile import Entry

    entries = Entry.read(place_of(name), "acquire.sources").keys("works", "version source").entries("works")
    return [_listed(entry.keys("id title author", "also year genre source_type")) for entry in entries]


def _listed(entry: Any) -> Listed:
    entry.require(isinstance(entry.value["id"], int), f"id is {entry.value['id']!r}; write a number")
    year = int(entry.number("year", -3000, 2100)) if entry.value.get("year") is not None else None
    kind = entry.text("source_type") if "source_type" in entry.value else None
    titles = (entry.text("title"), *entry.phrases("also", missing=()))
    return Listed(str(entry.value["id"]), titles, entry.text("author"), year, kind)


def subjects(name: str) -> tuple[str, ...]:
    """The subject headings of a list. Raises `ConfigError` where the file is not one."""
    from trivium.data.yamlfile import Entry

    return tuple(Entry.read(place_of(name), "acquire.sources").keys("subjects", "version source").phrases("subjects"))
