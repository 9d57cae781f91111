import subprocess
import sys
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from trivium.acquire.kinds import kind_of, kinds, problems_in
from trivium.binding import default_of
from trivium.schema import AcquireConfig, EndpointsConfig


def problems(source: Any, **settings: Any) -> str:
    return "\n".join(problems_in(AcquireConfig(sources={"s": source}, **settings)))


def test_the_kinds_are_the_files() -> None:
    assert kinds() == ("files", "gutenberg", "hub", "internet_archive", "newspapers")
    for name in kinds():
        for field in fields(kind_of(name).Options):
            assert field.metadata["doc"].endswith("."), field.name
            default_of(field)


@pytest.mark.parametrize(
    ("source", "sentence"),
    [
        ({}, "acquire.sources.s.kind: not set; known here: files, gutenberg, hub, internet_archive, newspapers."),
        ({"kind": "newspaper"}, "did you mean `newspapers`?"),
        ({"kind": "newspapers", "stat": 1}, "acquire.sources.s.stat: no such key; did you mean `state`?"),
        ({"kind": "newspapers", "n": 0}, "acquire.sources.s.n: set to 0; allowed: ≥ 1."),
        ({"kind": "newspapers", "start": "spring"}, "start: set to 'spring'; allowed: a day (YYYY-MM-DD) or a year"),
        ({"kind": "newspapers", "start": 1850}, "start: set to 1850; allowed: a text."),
        ({"kind": "newspapers", "start": "1930"}, "start: set to 1930, after end=1920"),
        ({"kind": "gutenberg"}, "works: not set, nor subjects"),
        ({"kind": "gutenberg", "works": "nowhere"}, "works: set to 'nowhere'; give a shipped list (gutenberg_priority"),
        ({"kind": "gutenberg", "works": "gutenberg_priority", "unknown_date": "maybe"}, "allowed: reject, accept"),
        ({"kind": "internet_archive", "min_year": 1950}, "min_year: set to 1950, after max_year=1923"),
        ({"kind": "internet_archive", "n": 1, "subjects": ["a", "b"]}, "at least one for each of the 2 subjects"),
        ({"kind": "hub"}, "repo: set to ''; give a dataset as owner/name."),
        ({"kind": "hub", "repo": "../x"}, "repo: set to '../x'"),
        ({"kind": "hub", "repo": "a/b", "fields": {"titel": "x"}}, "fields.titel: no such column"),
        ({"kind": "files"}, "path: not set"),
        ({"kind": "files", "path": "/no/such/place"}, "path: /no/such/place does not exist"),
        ("gutenberg", "set to 'gutenberg'; it holds keys"),
    ],
)
def test_what_is_wrong_is_said(source: Any, sentence: str) -> None:
    assert sentence in problems(source)


def test_all_problems_are_told_together() -> None:
    config = AcquireConfig(
        sources={"A b": {"kind": "hub"}, "../x": {"kind": "web"}, "none": None},
        endpoints=EndpointsConfig(gutenberg="https://www.gutenberg.org", archive="archive.org", loc="ftp://loc.gov"),
    )
    found = list(problems_in(config))
    assert len(found) == 7
    assert sum("names a folder" in sentence for sentence in found) == 2
    assert any("not for robots" in sentence and "gutenberg.pglaf.org" in sentence for sentence in found)


def test_more_sources_than_there_are_cannot_succeed() -> None:
    assert "set to 2; allowed: at most the 1 there are." in problems({"kind": "newspapers"}, min_sources=2)


def test_checking_loads_nothing_heavy(tmp_path: Path) -> None:
    code = (
        "import sys; from trivium.acquire.kinds import problems_in; from trivium.schema import AcquireConfig\n"
        "sources = {k: {'kind': k} for k in ('files', 'gutenberg', 'hub', 'internet_archive', 'newspapers')}\n"
        "list(problems_in(AcquireConfig(sources=sources)))\n"
        "print(sorted({'httpx', 'numpy', 'pyarrow', 'orjson', 'yaml', 'stamina', 'aiolimiter'} & set(sys.modules)))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=tmp_path)
    assert run.stdout.strip() == "[]"
