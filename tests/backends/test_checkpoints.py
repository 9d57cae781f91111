"""Checkpoints under kills: at every single file operation, and what is damaged afterwards."""

import json
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trivium import durable
from trivium.backends import checkpoints
from trivium.backends.best import Best
from trivium.errors import ConfigError, TrainingError

KEY = "this training"
KILLED = 9


def save(folder: Path, step: int, keep: int = 2, key: str = KEY) -> None:
    """A checkpoint of three files, written as a training does."""
    with checkpoints.new_folder(folder / f"checkpoint-{step}") as temporary:
        (temporary / "weights").write_bytes(bytes([step]) * 4000)
        (temporary / "optimizer").write_bytes(bytes([step + 1]) * 9000)
        (temporary / "below").mkdir()
        (temporary / "below" / "state").write_text(str(step))
        checkpoints.mark(temporary, step, key)
    checkpoints.prune(folder, key, keep)


def step_of(path: Path | None) -> int:
    return 0 if path is None else int(path.name.split("-")[1])


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """A kill of the process, unlike one of the machine, does not care what is on the disk."""
    monkeypatch.setattr(os, "fsync", lambda handle: None)


def killed_at(operation: int, act: Callable[[], None]) -> bool:
    """Act in a process of its own, which ends without a word before its n-th operation on files; whether it did."""
    child = os.fork()
    if child == 0:
        left = [operation]

        def count(event: str, _: object) -> None:
            if event == "open" or event.startswith(("os.", "shutil.", "glob.")):
                left[0] -= 1
                if left[0] < 0:
                    os._exit(KILLED)

        sys.addaudithook(count)
        act()
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == KILLED


def kills(act: Callable[[Path], None], start: Path, place: Path) -> Iterator[Path]:
    """The folder as every possible kill leaves it, from the same start."""
    for operation in range(1000):
        shutil.rmtree(place, ignore_errors=True)
        shutil.copytree(start, place)
        if not killed_at(operation, lambda: act(place)):
            assert operation > 10, "the process was to be killed many times before it came through"
            return
        yield place
    raise AssertionError("the process never came to its end")


def hidden(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob(".*"))


def test_a_kill_at_any_instant_leaves_the_last_whole_checkpoint_or_the_new_one(tmp_path: Path) -> None:
    start = tmp_path / "start"
    for step in (1, 2):
        save(start, step)
    seen = set()
    for folder in kills(lambda place: save(place, 3), start, tmp_path / "place"):
        found = checkpoints.latest(folder, KEY)
        seen.add(step_of(found))
        assert found is not None and (found / "weights").read_bytes() == bytes([step_of(found)]) * 4000
        assert hidden(folder) == []
        save(folder, 3)
        assert sorted(path.name for path in folder.iterdir()) == ["checkpoint-2", "checkpoint-3"]
    assert seen == {2, 3}


def test_a_kill_while_a_checkpoint_is_written_again_loses_neither(tmp_path: Path) -> None:
    """As after a resumption from an earlier step: the folder is there already and gives way to its equal."""
    save(tmp_path / "start", 3)
    for folder in kills(lambda place: save(place, 3), tmp_path / "start", tmp_path / "place"):
        assert step_of(checkpoints.latest(folder, KEY)) == 3
        assert hidden(folder) == []


def test_a_kill_at_any_instant_leaves_the_best_or_a_better_one(tmp_path: Path) -> None:
    def offer(place: Path) -> None:
        Best(place / "best", "eval_nll").offer(1.0, 20, lambda folder: (folder / "weights").write_text("second"))

    Best(tmp_path / "start" / "best", "eval_nll").offer(2.0, 10, lambda folder: (folder / "weights").write_text("first"))
    seen = set()
    for folder in kills(offer, tmp_path / "start", tmp_path / "place"):
        durable.recover(folder)
        found = Best(folder / "best", "eval_nll").best()
        seen.add(found)
        assert (folder / "best" / "weights").read_text() == {(2.0, 10): "first", (1.0, 20): "second"}[found]
        assert hidden(folder) == []
    assert seen == {(2.0, 10), (1.0, 20)}


def test_a_kill_at_any_instant_leaves_a_files_old_text_or_its_new_one(tmp_path: Path) -> None:
    (tmp_path / "start").mkdir()
    (tmp_path / "start" / "result.json").write_text("old")
    seen = set()
    for operation in range(100):
        shutil.rmtree(tmp_path / "place", ignore_errors=True)
        shutil.copytree(tmp_path / "start", tmp_path / "place")
        if not killed_at(operation, lambda: durable.write_text(tmp_path / "place" / "result.json", "new")):
            break
        seen.add((tmp_path / "place" / "result.json").read_text())
        durable.recover(tmp_path / "place")
        assert [path.name for path in (tmp_path / "place").iterdir()] == ["result.json"]
    assert seen == {"old", "new"}


def test_files_are_on_the_disk_before_they_have_their_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a power cut may undo is what was not forced to disk: every file, then the names, in this order."""
    told: list[str] = []
    force, replace = durable.force, os.replace
    monkeypatch.setattr(durable, "force", lambda path: (told.append(path.name), force(path))[1])
    monkeypatch.setattr(os, "replace", lambda a, b: (told.append("moved"), replace(a, b))[1])
    save(tmp_path, 1)
    moved = told.index("moved")
    assert {"weights", "optimizer", "state", "below", "complete.json"} <= set(told[:moved])
    assert told[moved + 1 :] == [tmp_path.name]


@given(name=st.sampled_from(["weights", "optimizer", "below/state", "complete.json"]), place=st.floats(0, 1, exclude_max=True))
@settings(max_examples=40, deadline=None)
def test_a_flipped_byte_anywhere_is_noticed(tmp_path_factory: pytest.TempPathFactory, name: str, place: float) -> None:
    folder = tmp_path_factory.mktemp("flipped")
    save(folder, 1)
    save(folder, 2)
    path = folder / "checkpoint-2" / name
    content = bytearray(path.read_bytes())
    content[int(place * len(content))] ^= 0x80
    path.write_bytes(content)
    assert step_of(checkpoints.latest(folder, KEY)) == 1


@pytest.mark.parametrize(
    ("damage", "word"),
    [
        (lambda path: path.write_bytes(path.read_bytes()[:4500]), "optimizer is not as it was written"),
        (lambda path: path.write_bytes(bytes(9000)), "optimizer is not as it was written"),
        (lambda path: path.unlink(), "optimizer is missing"),
        (lambda path: (path.parent / "complete.json").unlink(), "complete.json cannot be read"),
        (lambda path: (path.parent / "complete.json").write_text("{}"), "complete.json cannot be read"),
    ],
    ids=["cut", "zeros", "gone", "unmarked", "empty"],
)
def test_a_damaged_checkpoint_is_passed_over_with_a_sentence(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, damage: Callable[[Path], None], word: str
) -> None:
    save(tmp_path, 1)
    save(tmp_path, 2)
    damage(tmp_path / "checkpoint-2" / "optimizer")
    assert step_of(checkpoints.latest(tmp_path, KEY)) == 1
    assert f"{tmp_path / 'checkpoint-2'} is passed over, for it is damaged ({word})." in caplog.text


def test_the_sentence_is_also_told_aloud(tmp_path: Path) -> None:
    save(tmp_path, 1)
    (tmp_path / "checkpoint-1" / "weights").unlink()
    said: list[str] = []
    with checkpoints.aloud(said.append):
        checkpoints.latest(tmp_path, KEY)
    checkpoints.latest(tmp_path, KEY)
    assert said == [f"{tmp_path / 'checkpoint-1'} is passed over, for it is damaged (weights is missing)."]


def test_without_a_whole_checkpoint_there_is_none(tmp_path: Path) -> None:
    assert checkpoints.latest(tmp_path / "none", KEY) is None
    save(tmp_path, 1)
    (tmp_path / "checkpoint-1" / "weights").write_text("")
    assert checkpoints.latest(tmp_path, KEY) is None


def test_checkpoints_of_another_training_are_neither_resumed_nor_removed(tmp_path: Path) -> None:
    save(tmp_path, 5, key="another")
    with pytest.raises(ConfigError, match=r"unfinished training \(step 5\) on other data.*another hydra\.run\.dir"):
        checkpoints.latest(tmp_path, KEY)
    checkpoints.prune(tmp_path, KEY, 1)
    assert (tmp_path / "checkpoint-5" / "weights").is_file()


def test_a_large_file_is_hashed_at_both_ends_and_between(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpoints, "_WHOLE", 1000)
    monkeypatch.setattr(checkpoints, "_BLOCK", 50)
    monkeypatch.setattr(checkpoints, "_BLOCKS", 5)
    path = tmp_path / "large"
    content = bytes(i % 251 for i in range(2001))
    path.write_bytes(content)
    told = checkpoints.digest(path)
    assert told.startswith("2001:")
    for at in (0, 49, 1000, 1951, 2000):
        path.write_bytes(content[:at] + b"\xff" + content[at + 1 :])
        assert checkpoints.digest(path) != told, at
    path.write_bytes(content[:-1])
    assert checkpoints.digest(path) != told


def test_recovering_touches_nothing_else(tmp_path: Path) -> None:
    for name in (".lock", ".hydra", ".gitkeep", ".notes.tmp", "a.tmp", ".run.0123456.tmp"):
        (tmp_path / name).write_text("mine")
    (tmp_path / ".adapter.0123abcd.tmp").mkdir()
    durable.recover(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        ".gitkeep",
        ".hydra",
        ".lock",
        ".notes.tmp",
        ".run.0123456.tmp",
        "a.tmp",
    ]


def test_what_cannot_be_written_is_one_sentence_and_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=r"could not write .*checkpoint-1 \(no space\).*free some space"):  # noqa: SIM117
        with checkpoints.new_folder(tmp_path / "checkpoint-1") as temporary:
            (temporary / "weights").write_text("half")
            raise OSError("no space")
    assert list(tmp_path.iterdir()) == []


def test_the_marker_is_written_last_and_names_every_file(tmp_path: Path) -> None:
    save(tmp_path, 1)
    marker = json.loads((tmp_path / "checkpoint-1" / "complete.json").read_text())
    assert sorted(marker["files"]) == ["below/state", "optimizer", "weights"]
