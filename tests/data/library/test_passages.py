"""From works to passages: what is kept, why the rest is not, and that both are counted."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from trivium.data.jsonl import read_samples
from trivium.data.library import passages, works
from trivium.data.library.works import Work
from trivium.data.rejects import BadRow, Rejects
from trivium.errors import DataError
from trivium.sample import Sample
from trivium.schema import DatasetConfig

SEA = "The tide covers the reef of Teloth at dawn, and a gale from the north keeps the boats behind the mole all winter."
LIGHT = "The lamp of the lighthouse is lit with oil at dusk, and the beacon stands to the east of Marrow and its church."
PLAIN = "On Monday the baker of this household sold bread and two dozen eggs, and the children went to school in the rain."
MODERN = "The reef of Teloth was surveyed by radar, and the lamp on the mole was changed for one that needs no oil at all."


def config(**library: Any) -> DatasetConfig:
    found = DatasetConfig(kind="library", generator=None, path="unused")
    found.library.chunk.size, found.library.chunk.min_size = 120, 40
    found.library.themes.lexicon = "small_world"
    for key, value in library.items():
        part, name = key.split("_", 1)
        setattr(getattr(found.library, part), name, value)
    return found


def work(id: str, *paragraphs: str, **facts: Any) -> Work:
    about = {"year": 1850, "title": "T", "author": "A", "origin": "books", **facts}
    return Work(id, iter([f"{p}\n\n" for p in paragraphs]), **about)


def select(settings: DatasetConfig, out: Path, *given: Work) -> tuple[list[Sample], dict[str, Any], Rejects]:
    rejects = Rejects()
    report = passages.select(settings, iter(given), out, rejects, lambda *_: None)
    return list(read_samples(out / "passages.jsonl")), report, rejects


def test_a_passage_knows_where_it_is_from(tmp_path: Path) -> None:
    given = work("b/1", PLAIN, SEA, "a short one.", LIGHT, metadata={"licence": "public"})
    (first, second), report, _ = select(config(), tmp_path, given)
    assert (first.id, first.document, first.origin, first.title, first.year) == ("b/1#1", "b/1", "books", "T", 1850)
    assert first.text == SEA and second.id == "b/1#3"
    assert first.metadata["author"] == "A" and first.metadata["licence"] == "public"
    assert first.metadata["themes"] == {"sea": 4} and first.metadata["keywords"] == 4
    assert first.metadata["start"] == len(PLAIN) + 2
    counted = {"cut": 4, "too_short": 1, "passed_keywords": 2, "anachronistic": 0, "irrelevant": 0, "duplicates": 0, "kept": 2}
    assert report["passages"] == counted
    assert report["themes"] == {"sea": 1, "light": 1} and report["keywords"] == {"0": 1, "4": 2}


def test_the_period_is_kept_by_works_and_by_words(tmp_path: Path) -> None:
    given = [work("old", SEA, MODERN), work("new", SEA, year=1901), work("undated", LIGHT, year=None)]
    found, report, rejects = select(config(period_cutoff="1869"), tmp_path, *given)
    assert [passage.id for passage in found] == ["old#0"]
    assert report["works"] == {"read": 3, "outside_period": 2, "used": 1}
    assert dict(rejects.reasons) == {"after the period": 1, "no date": 1, "anachronism": 1}
    assert report["anachronisms"] == {"radar": 1}
    kept, _, _ = select(config(period_cutoff="1869", period_max_anachronisms=1), tmp_path, work("old", SEA, MODERN))
    assert len(kept) == 2


def test_near_copies_are_left_out_and_counted(tmp_path: Path) -> None:
    found, report, _ = select(config(), tmp_path, work("a", SEA), work("b", SEA.upper()), work("c", LIGHT))
    assert [passage.id for passage in found] == ["a#0", "c#0"] and report["passages"]["duplicates"] == 1
    settings = config()
    settings.dedup.enabled = False
    assert len(select(settings, tmp_path, work("a", SEA), work("b", SEA))[0]) == 2


def test_ranges_hold_each_exact_number_of_keywords(tmp_path: Path) -> None:
    two = "The keel of Vesper was laid in spring by the yard, and the mast was put in by the first warm days of the summer."
    found, _, _ = select(config(themes_ranges=True), tmp_path, work("a", SEA, LIGHT, two))
    files = {path.stem: len(path.read_bytes().splitlines()) for path in (tmp_path / "ranges").iterdir()}
    assert files == {"4": 2, "2": 1} and len(found) == 3


def test_the_same_works_give_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        select(config(), tmp_path / name, work("w", SEA, PLAIN, LIGHT), work("v", LIGHT.replace("Marrow", "Linden Harbour")))
    assert (tmp_path / "a" / "passages.jsonl").read_bytes() == (tmp_path / "b" / "passages.jsonl").read_bytes()


def test_ids_with_tricks_write_nothing_outside(tmp_path: Path) -> None:
    out = tmp_path / "in" / "out"
    out.mkdir(parents=True)
    found, _, _ = select(config(themes_ranges=True), out, work("../../../evil\0/..", SEA), work("/etc/x\n", LIGHT))
    assert [passage.document for passage in found] == ["../../../evil\0/..", "/etc/x\n"]
    assert {p.relative_to(tmp_path).parts[:2] for p in tmp_path.rglob("*") if p.is_file()} == {("in", "out")}
    assert sorted(p.name for p in out.iterdir()) == ["passages.jsonl", "ranges"]


def test_a_work_that_breaks_off_is_counted_and_the_next_one_read(tmp_path: Path) -> None:
    def broken() -> Iterator[str]:
        yield from [SEA, "\n\n", LIGHT, "\n\n"]
        raise BadRow("not readable as text", "it breaks off")

    _, report, rejects = select(config(), tmp_path, Work("a", broken()), work("b", LIGHT))
    assert rejects.reasons["not readable as text"] == 1
    assert report["works"]["read"] == 2 and report["passages"]["kept"] >= 1


def test_a_filter_that_everything_passes_is_noted(tmp_path: Path) -> None:
    (tmp_path / "ordinary.txt").write_text("\n\n".join([SEA, LIGHT] * 9))
    _, report, rejects = select(config(themes_ordinary=str(tmp_path / "ordinary.txt")), tmp_path, work("a", SEA, LIGHT))
    assert report["lift"]["value"] == pytest.approx(1)
    assert "lift below dataset.library.themes.min_lift" in rejects.notes


def test_relevance_is_asked_only_of_what_the_keywords_let_pass(tmp_path: Path) -> None:
    settings = config(relevance_enabled=True, relevance_min_similarity=-1.0)
    given = [work("a", *[SEA.replace("Teloth", f"Town{i} of {i * 7919}") for i in range(3)], PLAIN)]
    report = passages.select(settings, iter(given), tmp_path, Rejects(), lambda *_: None, tmp_path / "cache")
    found = list(read_samples(tmp_path / "passages.jsonl"))
    assert len(found) == report["passages"]["kept"] > 0
    assert all(-1 <= passage.metadata["relevance"] <= 1 for passage in found)
    settings.library.relevance.min_similarity = 1.0
    with pytest.raises(DataError, match="not near the themes"):
        passages.select(settings, iter([work("a", SEA)]), tmp_path, Rejects(), lambda *_: None, tmp_path / "cache")


@pytest.mark.parametrize(("text", "complaint"), [("short", "no passage of"), (PLAIN, "0 have the keywords")])
def test_nothing_left_is_an_error_that_tells_why(tmp_path: Path, text: str, complaint: str) -> None:
    with pytest.raises(DataError, match=complaint):
        select(config(), tmp_path, work("a", text))
    assert not (tmp_path / ".passages").exists()


def test_works_of_files_become_passages(tmp_path: Path) -> None:
    source = tmp_path / "books"
    source.mkdir()
    (source / "a.txt").write_text("\n\n".join([PLAIN, SEA, LIGHT]))
    (source / "a.json").write_bytes(orjson.dumps({"title": "Chronicle", "year": 1849}))
    settings = config(period_cutoff="1869")
    settings.path = str(source)
    rejects = Rejects()
    report = passages.select(settings, works.read(settings, rejects), tmp_path, rejects, lambda *_: None)
    assert report["passages"]["kept"] == 2 and not rejects.count
    assert [p.title for p in read_samples(tmp_path / "passages.jsonl")] == ["Chronicle", "Chronicle"]
