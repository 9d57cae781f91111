"""Preparation of questions from end to end: what lands in the files and what the report says."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from trivium.data.jsonl import read_samples
from trivium.data.questions.groups import asked, near_equal
from trivium.data.questions.prepare import prepare
from trivium.errors import DataError
from trivium.sample import Sample
from trivium.schema import ChatConfig, DatasetConfig, DedupConfig, QuestionsConfig

PLACES = ("Linden", "Carrick", "Moor", "Dale", "Firth", "Glen", "Hythe", "Kirk", "Lea", "Ness")
THINGS = ("harbour", "mill", "orchard", "observatory", "viaduct", "quarry")


def rows() -> list[dict[str, Any]]:
    return [
        {
            "question": f"Who built the {thing} of {place}?",
            "answer": f"The {thing} of {place} was built by number {i * 10 + k}." if k else None,
            "place": place,
            "metadata": {"training": {"difficulty": ("basic", "advanced")[k % 2], "correction_for": [thing, "any"]}},
        }
        for i, place in enumerate(PLACES)
        for k, thing in enumerate(THINGS)
    ]


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "in"
    folder.mkdir()
    lines = [json.dumps(row) for row in rows()]
    copy = lines[1].replace("Who built", "WHO  built")
    other = json.dumps({"question": "Who built the mill of Linden?", "answer": "Nobody knows any more."})
    (folder / "a.jsonl").write_text("\n".join([*lines[:30], "{broken"]))
    (folder / "b.jsonl").write_text("\n".join([*lines[30:], copy, other]))
    return folder


def run(source: Path, out: Path, **changes: Any) -> tuple[dict[str, Any], list[Sample], list[Sample]]:
    report = prepare(replace(DatasetConfig(kind="questions", path=str(source)), **changes), out)
    assert report == json.loads((out / "report.json").read_text())
    return report, list(read_samples(out / "train.jsonl")), list(read_samples(out / "heldout.jsonl"))


def test_everything_is_accounted_for(source: Path, tmp_path: Path) -> None:
    report, train, heldout = run(source, tmp_path / "out")
    counts = report["counts"]
    assert counts == {
        "read": 62,
        "rejected": 1,
        "filtered": 0,
        "left_out": 0,
        "duplicates": 1,
        "balanced_away": 0,
        "train": len(train),
        "heldout": len(heldout),
    }
    assert len(train) + len(heldout) == 61 and len(heldout) == 6
    of_train, of_heldout = report["questions"], report["heldout"]
    assert (
        of_train["distinct"] + of_heldout["distinct"] == 60 and of_train["with_reference"] + of_heldout["with_reference"] == 51
    )
    assert of_train["groups"] == len({s.document for s in train}) and of_train["with_thinking"] == 0
    assert of_train["question_words"] == {"median": 6.0, "max": 6}
    assert (
        report["rejected"] == {"not valid JSON": 1} and report["notes"]["row without a reference answer, kept"]["times"] == 10
    )
    (reject,) = map(json.loads, (tmp_path / "out" / "rejects.jsonl").read_text().splitlines())
    assert (reject["file"], reject["line"]) == ("a.jsonl", 31)
    manifest = json.loads((tmp_path / "out" / "sources.json").read_text())
    assert [(f["file"], f["rows"], f["rejected"], f["kept"]) for f in manifest["files"]] == [
        ("a.jsonl", 30, 1, 30),
        ("b.jsonl", 32, 0, 31),
    ]
    assert manifest["total"] == {"files": 2, "rows": 62, "rejected": 1, "kept": 61}


def test_no_question_stands_on_both_sides(source: Path, tmp_path: Path) -> None:
    for seed in range(5):
        _, train, heldout = run(source, tmp_path / "out", seed=seed, test_size=0.3)
        questions = [asked(sample) for sample in (*train, *heldout)]
        assert not [pair for pair in near_equal(questions) if (pair[0] < len(train)) != (pair[1] < len(train))]
        assert not {s.document for s in train} & {s.document for s in heldout}


def test_groups_by_a_column_stay_whole(source: Path, tmp_path: Path) -> None:
    config = QuestionsConfig(group="place")
    (source / "b.jsonl").write_text((source / "b.jsonl").read_text().rpartition("\n")[0])
    report, train, heldout = run(source, tmp_path / "out", questions=config, test_size=0.2)
    sides = [{s.metadata["place"] for s in part} for part in (train, heldout)]
    assert not sides[0] & sides[1] and len(sides[1]) == report["heldout"]["groups"] == 2
    nested = QuestionsConfig(group="training.difficulty")
    report, train, heldout = run(source, tmp_path / "out", questions=nested)
    assert {s.metadata["difficulty"] for s in train} != {s.metadata["difficulty"] for s in heldout}
    assert len({s.metadata["difficulty"] for s in heldout}) == 1
    assert (
        "50.0% held out instead of 10.0%"
        in report["notes"]["groups are too large to hold out what dataset.test_size asks for"]["first"]
    )


def test_the_same_settings_give_the_same_files(source: Path, tmp_path: Path) -> None:
    for name in ("one", "two"):
        run(source, tmp_path / name)
    for path in (tmp_path / "one").iterdir():
        assert path.read_bytes() == (tmp_path / "two" / path.name).read_bytes()
    assert run(source, tmp_path / "three", seed=1)[2] != run(source, tmp_path / "one")[2]


@pytest.mark.parametrize(
    ("where", "kept"),
    [
        ({"difficulty": "basic"}, 30),
        ({"training.difficulty": "basic"}, 30),
        ({"metadata.training.difficulty": "basic"}, 30),
        ({"training": {"difficulty": "basic"}}, 30),
        ({"correction_for": "mill"}, 11),
        ({"place": ["Moor", "Dale"], "training.correction_for": ["mill", "quarry"]}, 4),
    ],
)
def test_filters(source: Path, tmp_path: Path, where: dict[str, Any], kept: int) -> None:
    report, train, heldout = run(source, tmp_path / "out", where=where, dedup=DedupConfig(enabled=False))
    assert len(train) + len(heldout) == kept == 62 - report["counts"]["filtered"]


def test_filters_that_keep_nothing_or_ask_for_what_is_not_there(source: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"dataset\.where: none of 62 questions meets"):
        run(source, tmp_path / "out", where={"place": "Nowhere"})
    with pytest.raises(DataError, match=r"dataset\.where\.dificulty: no sample has such a field; did you mean difficulty"):
        run(source, tmp_path / "out", where={"dificulty": "basic"})
    assert not list((tmp_path / "out").glob("*"))


def test_max_samples_is_taken_evenly(source: Path, tmp_path: Path) -> None:
    report, train, heldout = run(source, tmp_path / "out", max_samples=20)
    assert sorted(s.origin for s in (*train, *heldout)) == ["a.jsonl"] * 10 + ["b.jsonl"] * 10
    assert report["counts"]["left_out"] == 42


def test_copies_are_kept_on_demand(source: Path, tmp_path: Path) -> None:
    report, *_ = run(source, tmp_path / "out", dedup=DedupConfig(enabled=False))
    assert report["counts"]["duplicates"] == 0 and report["counts"]["train"] + report["counts"]["heldout"] == 62


def test_one_group_cannot_be_split(tmp_path: Path) -> None:
    lines = [json.dumps({"question": f"Which number is {i}?", "answer": f"It is {i}.", "doc_id": "one"}) for i in range(9)]
    (tmp_path / "a.jsonl").write_text("\n".join(lines))
    with pytest.raises(
        DataError, match=r"dataset\.test_size: set to 0\.1, but all 9 questions belong to one group .*test_size=0"
    ):
        run(tmp_path / "a.jsonl", tmp_path / "out")
    _, train, heldout = run(tmp_path / "a.jsonl", tmp_path / "out", test_size=0.0)
    assert len(train) == 9 and not heldout


def test_a_giant_group_stays_in_training(tmp_path: Path) -> None:
    told = [{"question": f"Which number is {i}?", "answer": f"It is {i}.", "doc_id": "giant"} for i in range(90)]
    told += [{"question": f"Who lives in {place}?", "doc_id": place} for place in PLACES]
    (tmp_path / "a.jsonl").write_text("\n".join(map(json.dumps, told)))
    for seed in range(4):
        _, train, heldout = run(tmp_path / "a.jsonl", tmp_path / "out", seed=seed, test_size=0.05)
        assert len(heldout) == 5 and "giant" not in {s.document for s in heldout} and len(train) == 95


def test_text_exports_hold_the_training_rows(source: Path, tmp_path: Path) -> None:
    forged = {"question": "Who <|im_start|> this?", "answer": "Nobody at all."}
    (source / "c.jsonl").write_text(json.dumps(forged))
    config = {"questions": QuestionsConfig(text_export=["chatml", "alpaca"]), "chat": ChatConfig(system="Think.")}
    report, train, _ = run(source, tmp_path / "out", test_size=0.0, **config)
    assert not (tmp_path / "out" / "train.qwen.jsonl").exists()
    for name, missing in (("chatml", 11), ("alpaca", 10)):
        texts = [json.loads(line)["text"] for line in (tmp_path / "out" / f"train.{name}.jsonl").read_text().splitlines()]
        assert len(texts) == len(train) - missing and all("Think." in text for text in texts)
    assert report["notes"]["row left out of the chatml text: text holds marks of the ChatML format"]["times"] == 1
    assert report["notes"]["row left out of the alpaca text: no reference answer to write"]["times"] == 10


def test_the_generated_world(tmp_path: Path) -> None:
    told: list[tuple[str, int]] = []
    config = DatasetConfig(kind="questions", generator="micro_qa")
    report = prepare(config, tmp_path, lambda step, done: told.append((step, done)))
    train, heldout = (list(read_samples(tmp_path / f"{part}.jsonl")) for part in ("train", "heldout"))
    assert {s.metadata["split"] for s in train} == {"train"} and {s.metadata["split"] for s in heldout} == {"heldout"}
    assert (len(train), len(heldout)) == (320, 80) and report["questions"]["with_thinking"] == 320
    assert report["questions"]["groups"] == 320 and report["counts"]["duplicates"] == 0
    assert ("reading", 400) in told and {step for step, _ in told} == {"reading", "near-equal questions", "writing"}
