import errno
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from optuna.testing.pytest_storages import StorageTestCase

from trivium.errors import ConfigError, TriviumError
from trivium.schema import WandbTracking
from trivium.sweep.storage import open_storage, problems_in

LOCAL = ("sqlite", "journal")


def study_in(where: str, folder: Path) -> Any:
    import optuna

    return optuna.create_study(storage=open_storage(where, folder, None), study_name="s", load_if_exists=True)


def work(where: str, folder: Path, trials: int) -> None:
    """A worker without any lock of its own."""
    study = study_in(where, folder)
    for _ in range(trials):
        trial = study.ask()
        trial.set_user_attr("x", trial.suggest_float("loss.alpha", 0, 1))
        trial.report(0.5, 1)
        study.tell(trial, 1.0)


class TestJournal(StorageTestCase):  # type: ignore[misc]
    """What Optuna asks of every storage, by its own tests."""

    @pytest.fixture
    def storage(self, tmp_path: Path) -> Any:
        return open_storage("journal", tmp_path, None)


def test_nothing_heavy_is_loaded_before_a_storage_is_opened() -> None:
    code = "import sys, trivium.sweep.storage, trivium.sweep.search; print({'optuna', 'mlflow', 'torch'} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "set()\n"


@pytest.mark.parametrize("where", LOCAL)
def test_processes_that_open_and_ask_at_once_share_one_study(where: str, tmp_path: Path) -> None:
    context = get_context("spawn")
    workers = [context.Process(target=work, args=(where, tmp_path / "new", 8)) for _ in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(120)
    assert [worker.exitcode for worker in workers] == [0, 0]
    trials = study_in(where, tmp_path / "new").trials
    assert [t.number for t in trials] == list(range(16))
    assert all(t.state.name == "COMPLETE" and t.user_attrs["x"] == t.params["loss.alpha"] for t in trials)


WRITER = """
import sys
from pathlib import Path
sys.path.insert(0, {tests!r})
from test_storage import study_in
study = study_in(sys.argv[1], Path(sys.argv[2]))
print("ready", flush=True)
while True:
    trial = study.ask()
    trial.set_user_attr("text", "x" * 50_000)
    study.tell(trial, 1.0)
    print(trial.number, flush=True)
"""


@pytest.mark.parametrize("where", LOCAL)
def test_what_was_told_is_there_after_kill_9_at_any_moment(where: str, tmp_path: Path) -> None:
    code = WRITER.format(tests=str(Path(__file__).parent))
    told: set[int] = set()
    for delay in (0.02, 0.05, 0.11):
        with subprocess.Popen([sys.executable, "-c", code, where, str(tmp_path)], stdout=subprocess.PIPE, text=True) as writer:
            assert writer.stdout is not None and writer.stdout.readline() == "ready\n"
            time.sleep(delay)
            writer.send_signal(signal.SIGKILL)
            told |= {int(line) for line in writer.stdout if line.endswith("\n")}
        begun = time.monotonic()
        study = study_in(where, tmp_path)
        study.tell(study.ask(), 2.0)
        assert time.monotonic() - begun < 5
    trials = study.trials
    assert [t.number for t in trials] == list(range(len(trials)))
    assert {trials[number].state.name for number in told} <= {"COMPLETE"}
    assert [t.value for t in trials].count(2.0) == 3


@settings(deadline=None, max_examples=40)
@given(cut=st.integers(1, 300))
def test_a_journal_torn_anywhere_in_its_last_line_goes_on(cut: int, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("torn")
    work("journal", folder, 2)
    path = folder / "study.journal"
    lines = path.read_bytes().splitlines(keepends=True)
    last = len(lines[-1])
    os.truncate(path, path.stat().st_size - 1 - cut % last)
    work("journal", folder, 1)
    assert path.read_bytes().splitlines(keepends=True)[: len(lines) - 1] == lines[:-1]
    assert [t.state.name for t in study_in("journal", folder).trials] == ["COMPLETE", "RUNNING", "COMPLETE"]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Files of this process cannot grow beyond some bytes, as on a disk that is full."""
    work("journal", tmp_path, 2)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, ((tmp_path / "study.journal").stat().st_size + 400, hard))
    yield tmp_path
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    signal.signal(signal.SIGXFSZ, ignored)


def test_a_disk_that_fills_up_costs_the_write_and_not_the_journal(small_disk: Path) -> None:
    study = study_in("journal", small_disk)
    before = (small_disk / "study.journal").stat().st_size
    with pytest.raises(OSError, match="too large") as raised:
        study.set_user_attr("text", "x" * 5000)
    assert raised.value.errno == errno.EFBIG
    assert (small_disk / "study.journal").stat().st_size == before
    study.set_user_attr("text", "short")
    assert study_in("journal", small_disk).user_attrs == {"text": "short"}


def test_a_journal_that_something_else_wrote_into_is_named(tmp_path: Path) -> None:
    work("journal", tmp_path, 1)
    path = tmp_path / "study.journal"
    path.write_bytes(path.read_bytes() + b"rubbish\n" + path.read_bytes())
    with pytest.raises(TriviumError, match=r"study\.journal holds a line that no study wrote"):
        open_storage("journal", tmp_path, None)


def test_a_waiting_writer_outlasts_a_long_transaction(tmp_path: Path) -> None:
    import sqlite3
    import threading

    study = study_in("sqlite", tmp_path)
    other = sqlite3.connect(tmp_path / "study.db", check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    release = threading.Timer(6, other.rollback)
    release.start()
    study.tell(study.ask(), 1.0)
    assert study.best_value == 1.0


def test_a_second_opening_is_quick_and_silent(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    study_in("sqlite", tmp_path).tell(study_in("sqlite", tmp_path).ask(), 1.0)
    begun = time.monotonic()
    assert len(study_in("sqlite", tmp_path).trials) == 1
    assert time.monotonic() - begun < 1
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("url", "words"),
    [
        (
            "postgresql+psycopg2://me:se/cret@nowhere/studies",
            r"postgresql\+psycopg2://me:\*\*\*@nowhere/studies needs a database driver",
        ),
        (
            "sqlite:////no/such/folder/s.db",
            "sqlite:////no/such/folder/s.db cannot be opened: unable to open database file; check",
        ),
        ("nonsense://me:secret@host/x", r"nonsense://me:\*\*\*@host/x cannot be opened: .*plugin"),
        ("mysql+://", "cannot be opened"),
        ("redis://host", "cannot be opened"),
    ],
)
def test_a_database_that_does_not_open_is_told_in_one_sentence_without_its_password(
    url: str, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STUDIES", url)
    with pytest.raises(TriviumError, match=words) as raised:
        open_storage("env:STUDIES", tmp_path, None)
    assert "cret" not in str(raised.value) and "\n" not in str(raised.value)


def test_a_database_elsewhere_is_a_storage(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/elsewhere.db"
    work(url, tmp_path / "one", 2)
    work(url, tmp_path / "two", 1)
    assert len(study_in(url, tmp_path / "three").trials) == 3


def test_a_word_that_is_no_storage_is_answered_with_the_nearest() -> None:
    (problem,) = problems_in("sqlight")
    assert problem.startswith("sweep.storage: set to 'sqlight'; allowed: sqlite, journal, mlflow, a database's URL")
    assert problem.endswith("did you mean `sqlite`?")
    assert not list(problems_in("mysql://host/x"))


def test_a_password_is_not_for_the_configuration(monkeypatch: pytest.MonkeyPatch) -> None:
    (problem,) = problems_in("postgresql://me:secret@host/x")
    assert "env:<its name>" in problem and "secret" not in problem
    monkeypatch.delenv("NO_SUCH", raising=False)
    assert list(problems_in("env:NO_SUCH")) == [
        "sweep.storage=env:NO_SUCH: the environment has no NO_SUCH; set it to the database's URL."
    ]


def test_a_study_in_mlflow_needs_mlflow(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"set tracking=mlflow, or sweep.storage=sqlite"):
        open_storage("mlflow", tmp_path, WandbTracking())
