"""Worker processes: watched, replaced, stopped, and never two on one GPU."""

import json
import os
import signal
import sys
import tempfile
import textwrap
import threading
from pathlib import Path
from typing import Any

import pytest

from trivium.errors import ConfigError, GateError, TrainingError
from trivium.schema import SweepConfig
from trivium.sweep import crew
from trivium.sweep.crew import Crew, reserved


@pytest.fixture
def script(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Lets workers run a few lines of Python instead, with `folder` and `note`."""

    def put(lines: str) -> Path:
        body = "import json, os, signal, sys, time\nfolder, note = sys.argv[-2:]\n" + textwrap.dedent(lines)
        worker = tmp_path / "bin" / "worker"
        worker.parent.mkdir(exist_ok=True)
        worker.write_text(f"#!{sys.executable}\n{body}", encoding="utf-8")
        worker.chmod(0o755)
        monkeypatch.setattr(sys, "executable", str(worker))
        return tmp_path

    return put


def run(folder: Path, progress: Any = lambda: 0, tick: Any = lambda: None, **settings: Any) -> Crew:
    made = Crew(folder, SweepConfig(**settings), progress)
    made.run(tick)
    return made


def lines(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").splitlines() if path.exists() else []


SAY = "open(f'{folder}/said', 'a').write(f'{os.getpid()}\\n')\n"


def test_as_many_workers_as_asked_until_all_have_left(script: Any) -> None:
    folder = script(SAY)
    run(folder, workers=3)
    assert len(set(lines(folder / "said"))) == 3


def test_a_worker_that_leaves_the_next_trial_to_a_fresh_process_gets_one(script: Any) -> None:
    folder = script(SAY + "sys.exit(75 if len(open(f'{folder}/said').readlines()) < 4 else 0)")
    run(folder)
    assert len(set(lines(folder / "said"))) == 4


def test_a_dead_worker_is_replaced(script: Any) -> None:
    folder = script(SAY + "if len(open(f'{folder}/said').readlines()) < 3: os.kill(os.getpid(), signal.SIGKILL)")
    run(folder)
    assert len(lines(folder / "said")) == 3


def test_deaths_without_any_progress_end_the_sweep_and_name_the_log(script: Any) -> None:
    folder = script(SAY + "print('no room'); sys.exit(9)")
    with pytest.raises(TrainingError, match=r"workers died 6 times in a row.*exit code 9.*\.log\. Mend that") as ended:
        run(folder, retries=2)
    assert len(lines(folder / "said")) == 6
    log = next(Path(word) for word in str(ended.value).replace(".log.", ".log").split() if word.endswith(".log"))
    assert lines(log) == ["no room"]


def test_deaths_with_progress_between_do_not(script: Any) -> None:
    folder = script(SAY + "sys.exit(9 if len(open(f'{folder}/said').readlines()) < 12 else 0)")
    run(folder, lambda: len(lines(folder / "said")), retries=0)
    assert len(lines(folder / "said")) == 12


@pytest.mark.parametrize(("code", "kind"), [(2, ConfigError), (1, TrainingError), (3, GateError)])
def test_what_a_worker_cannot_go_on_from_is_raised_and_the_others_stop(script: Any, code: int, kind: type[Exception]) -> None:
    folder = script(
        SAY
        + "try: os.mkdir(f'{folder}/first')\nexcept FileExistsError: time.sleep(60)\n"
        + f"json.dump({{'code': {code}, 'problems': ['it is wrong']}}, open(note, 'w')); sys.exit({code})"
    )
    with pytest.raises(kind, match="it is wrong"):
        run(folder, workers=2)
    for pid in lines(folder / "said"):
        with pytest.raises(ProcessLookupError):
            os.kill(int(pid), 0)


def test_an_interrupt_stops_the_workers_first(script: Any) -> None:
    folder = script("signal.signal(15, lambda *_: (" + SAY.strip() + ", sys.exit(1)))\ntime.sleep(60)")
    before = signal.getsignal(signal.SIGTERM)
    threading.Timer(1.0, os.kill, (os.getpid(), signal.SIGTERM)).start()
    with pytest.raises(KeyboardInterrupt):
        run(folder, workers=2)
    assert len(lines(folder / "said")) == 2
    assert signal.getsignal(signal.SIGTERM) == before


def test_a_worker_that_does_not_go_is_made_to(script: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crew, "PATIENCE", 0.3)
    folder = script("signal.signal(15, signal.SIG_IGN)\n" + SAY + "time.sleep(60)")

    def tick() -> None:
        if lines(folder / "said"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(folder, tick=tick)
    with pytest.raises(ProcessLookupError):
        os.kill(int(lines(folder / "said")[0]), 0)


def test_workers_see_that_whoever_started_them_is_gone(script: Any) -> None:
    folder = script("sys.stdin.buffer.read(1) if sys.stdin else None\n" + SAY)
    made = Crew(folder, SweepConfig(), lambda: 0)
    hand = made._start(None)
    with pytest.raises(Exception, match="timed out"):
        hand.process.wait(0.5)
    assert hand.process.stdin is not None
    hand.process.stdin.close()
    assert hand.process.wait(5) == 0


# --- GPUs ------------------------------------------------------------------------------------------------------------

SHOW = "open(f'{folder}/gpu', 'a').write(os.environ.get('CUDA_VISIBLE_DEVICES', 'none') + '\\n'); time.sleep(0.5)"


@pytest.fixture(autouse=True)
def own_locks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))


def test_each_worker_has_a_gpu_of_its_own(script: Any) -> None:
    folder = script(SHOW)
    run(folder, workers=2, gpus=[3, 5, 7])
    assert sorted(lines(folder / "gpu")) == ["3", "5"]


def test_a_replaced_worker_keeps_its_gpu(script: Any) -> None:
    folder = script(SHOW + "\nsys.exit(75 if len(open(f'{folder}/gpu').readlines()) < 3 else 0)")
    run(folder, gpus=[4])
    assert lines(folder / "gpu") == ["4"] * 3


def test_without_gpus_the_environment_is_left_alone(script: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "6")
    folder = script(SHOW)
    run(folder)
    assert lines(folder / "gpu") == ["6"]


def test_two_sweeps_never_share_a_gpu() -> None:
    with reserved([0, 1, 2], 2) as mine:
        assert mine == [0, 1]
        with reserved([0, 1, 2], 1) as others:
            assert others == [2]
        taken = "0, 1 work for another sweep, and sweep.workers=2 need one each"
        with pytest.raises(TrainingError, match=taken), reserved([0, 1, 2], 2):
            pass
    with reserved([0, 1, 2], 2) as mine:
        assert mine == [0, 1]


def test_cores_are_shared_out(script: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 8)
    folder = script("json.dump(dict(os.environ), open(f'{folder}/env', 'w'))")
    run(folder, workers=2)
    assert json.loads((folder / "env").read_text(encoding="utf-8"))["OMP_NUM_THREADS"] == "4"
