"""Preparation from end to end, with the real scorer: what lands in the files and what the report says."""

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from trivium.data.jsonl import read_samples
from trivium.data.prepare import prepare
from trivium.errors import DataError
from trivium.sample import Sample, band
from trivium.schema import DatasetConfig, ProvenanceConfig, RebalanceConfig, WorldConfig

GIVEN = ProvenanceConfig(mode="given")
SUBJECTS = ("harbour", "mill", "orchard", "observatory", "viaduct", "quarry", "archive", "lighthouse")


def rows(count: int) -> list[dict[str, Any]]:
    """Three samples a document, all bands, no two texts alike."""
    return [
        {
            "text": f"Entry {i * 7919}, {SUBJECTS[i % 8]}: {' '.join(str((i * 31 + k) * 48271 % 9973) for k in range(9))}",
            "doc_id": f"d{i // 3}",
            "authority": [*[0.1] * 3, *[0.5] * 4, *[0.9] * 5][(i // 3) % 12],
            "entropy": 0.5 + (i % 5) / 2,
            "kind": ("patent", "journal", "press release")[(i // 3) % 3],
            "year": 1850 + i % 150,
            "town": f"t{i % 4}",
        }
        for i in range(count)
    ]


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "in"
    folder.mkdir()
    text = "".join(json.dumps(row) + "\n" for row in rows(240))
    (folder / "a.jsonl").write_text(text + "{broken\n" + json.dumps(rows(1)[0]) + "\n")
    return folder


def run(source: Path, out: Path, **changes: Any) -> tuple[dict[str, Any], list[Sample], list[Sample]]:
    config = replace(DatasetConfig(name="folder", path=str(source), provenance=GIVEN), **changes)
    out.mkdir(exist_ok=True)
    report = prepare(config, out)
    assert report == json.loads((out / "report.json").read_text())
    return report, list(read_samples(out / "train.jsonl")), list(read_samples(out / "heldout.jsonl"))


def test_everything_is_accounted_for(source: Path, tmp_path: Path) -> None:
    report, train, heldout = run(source, tmp_path / "out")
    counts = report["counts"]
    assert counts["read"] == 241 and counts["rejected"] == 1 and counts["duplicates"] == 1 and counts["filtered"] == 0
    assert counts["train"] == len(train) and counts["heldout"] == len(heldout) == 24
    assert counts["read"] == counts["duplicates"] + counts["train"] + counts["heldout"] + counts["balanced_away"]
    (reject,) = [json.loads(line) for line in (tmp_path / "out" / "rejects.jsonl").read_text().splitlines()]
    assert (reject["file"], reject["line"]) == ("a.jsonl", 241) and report["rejected"] == {"not valid JSON": 1}
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == [
        "heldout.jsonl",
        "rejects.jsonl",
        "report.json",
        "train.jsonl",
    ]


def test_siblings_stay_together_and_bands_are_balanced(source: Path, tmp_path: Path) -> None:
    report, train, heldout = run(source, tmp_path / "out")
    assert not {s.document for s in train} & {s.document for s in heldout}
    bands = Counter(band(s.authority or 0) for s in train)
    assert report["rebalance"]["reached"] and report["rebalance"]["kept"] == dict(bands)
    low = [s for s in (*train, *heldout) if band(s.authority or 0) == "low"]
    assert len(low) == 63, "low authority is never dropped"
    for name, (least, most) in {"low": (0.25, 0.30), "mid": (0.25, 0.35), "high": (0.35, 0.40)}.items():
        assert least <= bands[name] / len(train) <= most
        assert report["distribution"]["bands"][name] == pytest.approx(bands[name] / len(train), abs=1e-6)


def test_the_report_describes_the_training_part(source: Path, tmp_path: Path) -> None:
    report, train, _ = run(source, tmp_path / "out")
    found, entropies = report["distribution"], [s.entropy or 0 for s in train]
    assert found["entropy"]["mean"] == pytest.approx(sum(entropies) / len(train), abs=1e-5)
    assert (found["entropy"]["min"], found["entropy"]["max"]) == (min(entropies), max(entropies))
    assert {t["name"]: t["count"] for t in found["source_types"]} == Counter(s.source_type for s in train)
    years = [s.year or 0 for s in train]
    assert found["years"] == {"known": len(train), "min": min(years), "max": max(years)}
    assert found["trivium"] == {
        tag: pytest.approx(sum(s.trivium == tag for s in train) / len(train), abs=1e-6) for tag in found["trivium"]
    }


def test_the_same_again_and_another_seed(source: Path, tmp_path: Path) -> None:
    for name, seed in (("one", 1), ("two", 1), ("three", 2)):
        run(source, tmp_path / name, seed=seed)
    one, two, three = ((tmp_path / n / "train.jsonl").read_bytes() for n in ("one", "two", "three"))
    assert one == two != three


def test_filters_come_after_scoring(source: Path, tmp_path: Path) -> None:
    off = RebalanceConfig(enabled=False)
    where = {"authority": {"max": 0.6}, "town": ["t1", "t2"], "year": {"min": 1900}}
    report, train, heldout = run(source, tmp_path / "out", where=where, rebalance=off)
    kept = [r for r in rows(240) if r["authority"] <= 0.6 and r["town"] in ("t1", "t2") and r["year"] >= 1900]
    assert len(train) + len(heldout) == len(kept) and report["rebalance"] is None
    assert report["counts"]["filtered"] == 241 - len(kept)
    with pytest.raises(DataError, match=r"dataset\.where: none of 241 samples meets .*; widen it"):
        run(source, tmp_path / "out", where={"year": 1066})
    with pytest.raises(DataError, match=r"dataset\.where\.towm: no sample has such a field; did you mean town"):
        run(source, tmp_path / "out", where={"towm": "t1"})


def test_the_placebo_deals_out_the_same_facts(source: Path, tmp_path: Path) -> None:
    _, plain, _ = run(source, tmp_path / "plain")
    report, dealt, _ = run(source, tmp_path / "dealt", provenance=replace(GIVEN, shuffle=True))
    facts = [Counter((s.authority, s.entropy, json.dumps(s.evidence)) for s in part) for part in (plain, dealt)]
    assert facts[0] == facts[1] and [s.id for s in plain] == [s.id for s in dealt]
    moved = sum(a.authority != b.authority for a, b in zip(plain, dealt, strict=True))
    assert moved > len(plain) / 2
    assert [(s.text, s.year, s.source_type) for s in plain] == [(s.text, s.year, s.source_type) for s in dealt]
    assert report["gate"] == run(source, tmp_path / "again")[0]["gate"]


def test_max_samples_is_taken_evenly(source: Path, tmp_path: Path) -> None:
    (source / "b.txt").write_text("\n\n".join(f"Paragraph number {i * 7919} of the book, {'x' * (i % 9)}." for i in range(400)))
    off = RebalanceConfig(enabled=False)
    report, train, heldout = run(source, tmp_path / "out", max_samples=60, max_chars=60, rebalance=off)
    assert Counter(s.origin for s in (*train, *heldout)) == {"a.jsonl": 30, "b.txt": 30}
    assert report["counts"]["left_out"] == report["counts"]["read"] - 60


def test_a_single_document_cannot_be_split(tmp_path: Path) -> None:
    (tmp_path / "book.txt").write_text("\n\n".join(f"Paragraph number {i * 7919} of the only book." for i in range(30)))
    report, train, heldout = run(tmp_path / "book.txt", tmp_path / "out", max_chars=60)
    assert len(heldout) == 0 and {s.document for s in train} == {"book.txt"}
    assert "nothing is held out: all samples belong to one document" in report["notes"]


def test_the_generated_world(tmp_path: Path) -> None:
    world = WorldConfig(disputed=12, coordinated_only=6, corrected=6)
    report = prepare(DatasetConfig(generator="micro_archive", world=world), tmp_path)
    train, heldout = (list(read_samples(tmp_path / f"{part}.jsonl")) for part in ("train", "heldout"))
    assert {s.metadata["split"] for s in train} == {"train"} and {s.metadata["split"] for s in heldout} == {"heldout"}
    assert report["counts"]["duplicates"] == 0 and report["rebalance"]["reached"]
    facts = json.loads((tmp_path / "world.json").read_text())["facts"]
    assert len(facts) == 24 and all(s.evidence and s.entropy is not None for s in train)


def test_progress_is_told(source: Path, tmp_path: Path) -> None:
    told: list[tuple[str, int]] = []
    (tmp_path / "out").mkdir()
    prepare(DatasetConfig(path=str(source)), tmp_path / "out", lambda step, done: told.append((step, done)))
    assert ("scoring", 241) in told and {step for step, _ in told} == {"scoring", "near-duplicates", "writing"}


def test_an_interruption_leaves_no_scratch_files(source: Path, tmp_path: Path) -> None:
    def stop(step: str, done: int) -> None:
        if step == "writing":
            raise KeyboardInterrupt

    (tmp_path / "out").mkdir()
    with pytest.raises(KeyboardInterrupt):
        prepare(DatasetConfig(path=str(source)), tmp_path / "out", stop)
    assert [p.name for p in (tmp_path / "out").iterdir()] == ["rejects.jsonl"]
