import math
from pathlib import Path
from typing import Any

import pytest
import yaml

from trivium.data.lexicon import SHIPPED, load_markers, load_priors
from trivium.data.provenance import entropy_bits
from trivium.errors import ConfigError

PUBLISHED = {
    "patents_us": (0.05, "logic"),
    "classical_philosophy": (0.08, "logic"),
    "internet_archive_books": (0.10, "rhetoric"),
    "classical_literature": (0.10, "rhetoric"),
    "classical_rhetoric": (0.12, "grammar"),
    "historical_news": (0.15, "rhetoric"),
    "arxiv": (0.50, "logic"),
    "logical_reasoning": (0.55, "logic"),
    "scientific_papers": (0.60, "logic"),
    "news_summaries": (0.75, "rhetoric"),
    "medical_guidelines": (0.85, "logic"),
    "wikipedia_simple": (0.90, "grammar"),
    "government": (0.95, "rhetoric"),
}
PRIMARY = ("patent", "laboratory notebook", "field survey", "letter", "old book", "diary", "historical newspaper")
COORDINATED = ("encyclopedia", "press release", "news summary", "guideline", "government statement")


def rewritten(tmp_path: Path, kind: str, change: dict[str, Any]) -> str:
    """The shipped lexicon with dotted keys changed; a value of None removes the key."""
    data = yaml.safe_load((SHIPPED / f"{kind}.yaml").read_text())
    for dotted, value in change.items():
        *path, last = dotted.split("/")
        inner = data
        for key in path:
            inner = inner[key]
        inner.pop(last) if value is None else inner.update({last: value})
    file = tmp_path / "own.yaml"
    file.write_text(yaml.safe_dump(data))
    return str(file)


@pytest.mark.parametrize(("name", "expected"), PUBLISHED.items())
def test_published_priors(name: str, expected: tuple[float, str]) -> None:
    priors = load_priors("default")
    prior = priors.of_type(name) or priors.of_publisher(name)
    assert prior is not None
    assert (prior.authority, prior.trivium) == expected


def distrust(name: str) -> float:
    prior = load_priors("default").of_type(name)
    assert prior is not None
    return max(0.0, entropy_bits(prior.evidence.values()) + math.log2(1 - prior.authority))


def test_primary_records_are_distrusted_least_and_coordinated_sources_not_at_all() -> None:
    assert all(1.5 < distrust(name) < 3 for name in PRIMARY)
    assert all(distrust(name) == 0 for name in COORDINATED)


def test_every_prior_is_a_distribution() -> None:
    for prior in load_priors("default").names.values():
        assert math.isclose(sum(prior.evidence.values()), 1)
        assert 0 <= prior.authority <= 0.99


@pytest.mark.parametrize(
    "name", ["Laboratory-Notebook", "laboratory_notebook", " LABORATORY  notebook", "old laboratory notebook"]
)
def test_names_without_regard_to_case_and_joints(name: str) -> None:
    prior = load_priors("default").of_type(name)
    assert prior is not None and prior.name == "laboratory_notebook"


def test_publishers_by_words_within_the_longest_first() -> None:
    priors = load_priors("default")
    found = {
        p: priors.of_publisher(p) for p in ("Wikipedia (English), via a dump", "U.S. Geological Survey", "The Newsham Mill")
    }
    assert [prior.name if prior else None for prior in found.values()] == ["encyclopedia", "government", None]


def test_the_same_word_means_another_source_later() -> None:
    priors = load_priors("default")
    newspaper = priors.of_type("newspaper")
    assert newspaper is not None
    assert [priors.at(newspaper, year).name for year in (None, 1890, 2019)] == ["newspaper", "newspaper", "news_summary"]


@pytest.mark.parametrize(
    ("kind", "change", "words"),
    [
        ("markers", {"base": 1.2}, ["base is 1.2", "0 to 0.99"]),
        ("markers", {"base": float("nan")}, ["base is nan"]),
        ("markers", {"base": True}, ["base is True"]),
        ("markers", {"bias": 1}, ["unknown key bias"]),
        ("markers", {"negations": None}, ["negations is missing"]),
        ("markers", {"version": "one"}, ["version is 'one'"]),
        ("markers", {"source": None}, ["source is missing"]),
        ("markers", {"institution/words/ministry": 7}, ["institution.words: ministry is 7"]),
        ("markers", {"primary/words/i swear": 0.2}, ["primary.words: i swear is 0.2", "-1 to 0"]),
        ("markers", {"consensus/words": ["a"]}, ["consensus.words: expected `key: value`"]),
        ("markers", {"evidence/letter": "dear"}, ["evidence: letter is 'dear'", "list"]),
        ("markers", {"negations": ["not", False]}, ["negations holds [False]", "quotes"]),
        ("markers", {"age/since": 1900}, ["age: before must not be later than since"]),
        ("priors", {"types/patent/authority": 1.0}, ["types.patent: authority is 1.0"]),
        ("priors", {"types/patent/trivium": "music"}, ["types.patent: trivium is 'music'", "grammar, logic, rhetoric"]),
        ("priors", {"types/patent/evidence": {}}, ["types.patent: evidence needs"]),
        ("priors", {"types/patent/evidence": {"patent": -1}}, ["types.patent.evidence: patent is -1"]),
        ("priors", {"types/patent/name": "p"}, ["types.patent: unknown key name", "names"]),
        ("priors", {"types/patent/names": ["Encyclopedia"]}, ["'Encyclopedia' belongs to encyclopedia already"]),
        ("priors", {"types/unknown": None}, ["`unknown`"]),
        ("priors", {"types/book/later": {"since": 1970, "type": "scroll"}}, ["types.book: later.type 'scroll'"]),
    ],
)
def test_a_wrong_lexicon_is_one_sentence_with_file_and_key(
    tmp_path: Path, kind: str, change: dict[str, Any], words: list[str]
) -> None:
    path = rewritten(tmp_path, kind, change)
    with pytest.raises(ConfigError) as caught:
        (load_markers if kind == "markers" else load_priors)(path)
    message = str(caught.value)
    assert message.startswith(path) and "\n" not in message
    assert all(word in message for word in words), message


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (None, "no such file"),
        (b"{a: [", "not YAML"),
        (b"\xff\xff", "not YAML"),
        (b"", "expected `key: value`"),
        (b"- a", "expected"),
    ],
)
def test_an_unreadable_lexicon_says_why(tmp_path: Path, text: bytes | None, reason: str) -> None:
    path = tmp_path / "own.yaml"
    if text is not None:
        path.write_bytes(text)
    with pytest.raises(ConfigError, match=reason) as caught:
        load_markers(str(path))
    assert str(path) in str(caught.value)


def test_code_in_yaml_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "own.yaml"
    path.write_text("version: !!python/object/apply:os.getcwd []\n")
    with pytest.raises(ConfigError, match="not YAML"):
        load_priors(str(path))
