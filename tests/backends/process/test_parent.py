import json
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from trivium.backends.process import parent, request
from trivium.errors import ConfigError, GateError, Interrupted, TrainingError
from trivium.schema import Config

HERE = str(Path(__file__).parent)


class Heard:
    def __init__(self) -> None:
        self.lines: list[Any] = []
        self.tables: list[Any] = []
        self.steps: list[int] = []

    def metrics(self, values: Any, step: int | None = None) -> None:
        self.lines.append((dict(values), step))

    def table(self, name: str, columns: Any, step: int) -> None:
        self.tables.append((name, columns, step))

    def progress(self, done: int, total: int, latest: Any) -> None:
        self.steps.append(done)


def asked(config_of: Callable[..., Config], out: Path, name: str) -> request.Request:
    return request.Request(config_of(f"name={name}", "method.learning_rate=0.1"), "some/base", out / "prepared", out)


def started(asked: request.Request, heard: Heard | None = None) -> dict[str, float]:
    heard = heard or Heard()
    path = request.write(asked, asked.out / "request.json")
    command = [sys.executable, *parent.child(path, "pretend")]
    return parent.train(command, {"PYTHONPATH": HERE}, asked, heard, heard.progress)


def test_a_training_elsewhere_is_one_here(
    config_of: Callable[..., Config], tmp_path: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    heard = Heard()
    with caplog.at_level(logging.INFO):
        assert started(asked(config_of, tmp_path, "whole"), heard) == {"train/loss": 0.1 + 0.2}
    assert [(values["loss"], step) for values, step in heard.lines] == [(1 / 3 / step, step) for step in (1, 2, 3)]
    assert all(values["nan"] != values["nan"] for values, _ in heard.lines)
    (name, columns, step), *others = heard.tables
    assert (name, step, others) == ("completions", 3, [])
    assert columns["prompt"] == ["é" * 100_000, None]
    assert heard.steps == [1, 2, 3]
    assert (tmp_path / "adapter/told.txt").read_text() == f"some/base {tmp_path}/prepared 0.1"
    assert ("trivium.pretend", logging.WARNING, "a word of ours") in caplog.record_tuples
    assert capfd.readouterr().out == ""
    assert "a library talks" in (tmp_path / "processes.log").read_text()


def test_errors_travel_with_their_class(config_of: Callable[..., Config], tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as wrong:
        started(asked(config_of, tmp_path, "wrong"))
    assert wrong.value.problems == ["this is wrong.", "and that."]
    with pytest.raises(GateError, match=r"^no further\.$"):
        started(asked(config_of, tmp_path, "gate"))
    with pytest.raises(FileNotFoundError) as missing:
        started(asked(config_of, tmp_path, "full"))
    assert missing.value.filename == str(tmp_path / "missing/file")


def test_a_mistake_of_ours_is_told_with_the_place_of_its_traceback(config_of: Callable[..., Config], tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=r"failed with KeyError \('mistake'\); the traceback is in .*processes\.log"):
        started(asked(config_of, tmp_path, "broken"))
    assert 'raise KeyError("mistake")' in (tmp_path / "processes.log").read_text()


def test_a_process_that_dies_without_a_word_is_told_by_the_signal(config_of: Callable[..., Config], tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=r"was ended by SIGKILL .*memory runs out"):
        started(asked(config_of, tmp_path, "killed"))
    with pytest.raises(TrainingError, match="ended with exit code 7"):
        started(asked(config_of, tmp_path, "silent"))


def test_an_interpreter_that_is_not_there_is_an_error_of_its_own(config_of: Callable[..., Config], tmp_path: Path) -> None:
    made = asked(config_of, tmp_path, "whole")
    with pytest.raises(FileNotFoundError) as missing:
        parent.train([str(tmp_path / "python")], {}, made, Heard(), Heard().progress)
    assert missing.value.filename == str(tmp_path / "python")


@pytest.mark.parametrize(("name", "kind"), [("long", Interrupted), ("early", KeyboardInterrupt)])
def test_a_signal_reaches_the_training(
    config_of: Callable[..., Config], tmp_path: Path, name: str, kind: type[BaseException]
) -> None:
    threading.Thread(target=lambda: (await_pid(tmp_path), os.kill(os.getpid(), signal.SIGTERM)), daemon=True).start()
    begun = time.monotonic()
    with pytest.raises(kind):
        started(asked(config_of, tmp_path, name))
    assert time.monotonic() - begun < 20
    assert gone(await_pid(tmp_path))


def test_an_error_here_ends_the_training_there(config_of: Callable[..., Config], tmp_path: Path) -> None:
    class Failing(Heard):
        def progress(self, done: int, total: int, latest: Any) -> None:
            raise TrainingError("no more.")

    with pytest.raises(TrainingError, match=r"^no more\.$"):
        started(asked(config_of, tmp_path, "long"), Failing())
    assert gone(await_pid(tmp_path))


def test_the_training_ends_when_its_parent_is_killed(config_of: Callable[..., Config], tmp_path: Path) -> None:
    path = request.write(asked(config_of, tmp_path, "early"), tmp_path / "request.json")
    code = f"""
import sys; sys.path.insert(0, {HERE!r})
from pathlib import Path
from trivium.backends.process import parent, request
from test_parent import Heard
parent.train([sys.executable, *parent.child(Path({str(path)!r}), "pretend")], {{"PYTHONPATH": {HERE!r}}},
    request.read(Path({str(path)!r})), Heard(), Heard().progress)
"""
    process = subprocess.Popen([sys.executable, "-c", code], env={**os.environ, "TMPDIR": str(tmp_path)})
    pid = await_pid(tmp_path)
    assert not gone(pid, patience=0.5)
    process.kill()
    process.wait()
    assert gone(pid)


def test_the_child_needs_none_of_the_heavy_packages_of_the_parent(config_of: Callable[..., Config], tmp_path: Path) -> None:
    path = request.write(asked(config_of, tmp_path, "whole"), tmp_path / "request.json")
    blocked = dict.fromkeys(("hydra", "omegaconf", "mlflow", "optuna", "rich", "torch", "transformers"))
    code = f"""
import sys; sys.modules.update({blocked!r})
import trivium.backends.process.child as child
child.main([{str(path)!r}, "pretend"])
"""
    made = request.read(path)
    heard = Heard()
    assert parent.train([sys.executable, "-c", code], {"PYTHONPATH": HERE}, made, heard, heard.progress)


def await_pid(out: Path) -> int:
    for _ in range(300):
        if (out / "pid").is_file() and (text := (out / "pid").read_text()):
            return int(text)
        time.sleep(0.05)
    raise AssertionError("the training did not begin")


def gone(pid: int, patience: float = 5.0) -> bool:
    end = time.monotonic() + patience
    while time.monotonic() < end:
        try:
            if Path(f"/proc/{pid}/stat").read_text().split()[2] == "Z":
                return True
            os.kill(pid, 0)
        except (ProcessLookupError, FileNotFoundError):
            return True
        time.sleep(0.05)
    return False


def test_a_request_that_was_cut_is_no_request(config_of: Callable[..., Config], tmp_path: Path) -> None:
    path = request.write(asked(config_of, tmp_path, "whole"), tmp_path / "request.json")
    text = path.read_text()
    path.write_text(text[: len(text) // 2])
    with pytest.raises(ConfigError, match="is not the request of a training"):
        request.read(path)
    path.write_text(json.dumps({**json.loads(text), "config": {**json.loads(text)["config"], "sed": 1}}))
    with pytest.raises(ConfigError, match="did you mean `seed`"):
        request.read(path)
