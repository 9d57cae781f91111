"""The parent of a training in other processes: starts them, listens, hands signals on, and leaves none of them behind."""

import logging
import os
import re
import selectors
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from trivium.backends.interrupt import Stop, graceful_stop
from trivium.backends.lines import Progress
from trivium.backends.process import words
from trivium.backends.process.request import Request
from trivium.errors import TrainingError
from trivium.tracking.tracker import Recorder

LOG = "processes"
"""What the processes and the libraries in them print, below the run: `processes.log`, of another machine `processes.1.log`."""
_GRACE = 10.0
"""Seconds that processes have to end by themselves."""
_TICK = 0.2
_LINES = 8
_LONGEST = 80
"""Characters of a folder's path in which a socket can still be named; systems take some 104 in all."""


def child(path: Path, module: str) -> list[str]:
    """What a Python interpreter, or a launcher of several, is told to run: `module.train` on the request at `path`."""
    return ["-m", "trivium.backends.process.child", str(path), module]


def train(
    command: Sequence[str], env: Mapping[str, str], request: Request, record: Recorder, progress: Progress
) -> dict[str, float]:
    """Run a training elsewhere, as if it ran here; returns its final metrics.

    `command` is whole, its end from `child`; `env` is added to the environment. SIGTERM and Ctrl-C are handed on. Raises the
    error that ended the training, and `TrainingError` when its process died without a word.
    """
    machine = request.config.hardware.machine_rank
    log = request.out / (f"{LOG}.log" if machine == 0 else f"{LOG}.{machine}.log")
    log.parent.mkdir(parents=True, exist_ok=True)
    with graceful_stop() as stop, _listening() as server, log.open("ab") as out:
        start = out.tell()
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True, env=_environment(env, server)
        )
        listener = _Listener(server, record, progress)
        try:
            listener.until_the_end_of(process, stop)
        finally:
            listener.close()
            _end(process)
    return _outcome(listener, stop, process.returncode, log, start)


def _outcome(listener: "_Listener", stop: Stop, code: int, log: Path, start: int) -> dict[str, float]:
    if listener.done is not None and code == 0:
        return listener.done
    with log.open("rb") as file:
        file.seek(start)
        text = file.read().decode(errors="replace")
    known = min(listener.errors, key=_weight, default=None)
    killed_by = _killed_by(code, text)
    if known is None or (_weight(known)[0] and killed_by and not stop):
        raise TrainingError(_death(killed_by, code, log, text))
    raise words.to_error(known, log)


def _weight(word: Mapping[str, Any]) -> tuple[int, float]:
    """The first error that was meant for the user; of several processes, the others fail because one of them did."""
    interrupted = word["error"] in ("Interrupted", "KeyboardInterrupt")
    return 0 if word["error"] in words.OURS else 2 if interrupted else 1, float(word["at"])


def _killed_by(code: int, text: str) -> str | None:
    """The signal that ended a process; torchrun, which sends SIGTERM to those that are left, tells it in its last words."""
    numbers = [-code] if code < 0 else [int(number) for number in re.findall(r"exitcode\s*:\s*-(\d+)", text)]
    names = [signal.Signals(number).name for number in numbers]
    return next((name for name in names if name != "SIGTERM"), names[0] if names else None)


def _death(killed_by: str | None, code: int, log: Path, text: str) -> str:
    why = f"was ended by {killed_by}" if killed_by else f"ended with exit code {code}"
    if killed_by == "SIGKILL":
        why += " (the system does that when memory runs out)"
    told = "".join(f"\n  {line}" for line in text.strip().splitlines()[-_LINES:]) or " nothing"
    return f"the training process {why} without a word; its last lines in {log}:{told}"


class _Listener:
    """Everything that the processes say, handed on as it comes."""

    def __init__(self, server: socket.socket, record: Recorder, progress: Progress) -> None:
        self._selector = selectors.DefaultSelector()
        self._selector.register(server, selectors.EVENT_READ)
        self._server = server
        self._begun: dict[socket.socket, bytes] = {}
        self._pids: list[int] = []
        self._asked = 0
        self._heard: dict[str, Callable[..., None]] = {
            "hello": self._on_hello,
            "metrics": record.metrics,
            "table": record.table,
            "progress": lambda done, total, latest: progress(done, total, latest),
            "log": self._on_log,
            "error": self._on_error,
            "done": self._on_done,
        }
        self.errors: list[words.Error] = []
        self.done: dict[str, float] | None = None

    def until_the_end_of(self, process: "subprocess.Popen[bytes]", stop: Stop) -> None:
        """Listen until the process has ended and everything said before has been heard.

        When one of several processes fails, others may wait for it for ever: they have a little time to end.
        """
        ended = False
        while not self.errors or time.time() < self.errors[0]["at"] + _GRACE:
            heard = self._hear(0.0 if ended else _TICK)
            if ended and not heard:
                return
            ended = process.poll() is not None
            if stop:
                self._ask_to_stop()

    def close(self) -> None:
        """Hang up, at which processes that still run end."""
        for connection in self._begun:
            connection.close()
        self._selector.close()

    def _hear(self, patience: float) -> bool:
        events = self._selector.select(patience)
        for key, _ in events:
            self._accept() if key.fileobj is self._server else self._read(key.fileobj)  # type: ignore[arg-type]
        return bool(events)

    def _accept(self) -> None:
        connection, _ = self._server.accept()
        self._begun[connection] = b""
        self._selector.register(connection, selectors.EVENT_READ)

    def _read(self, connection: socket.socket) -> None:
        data = b""
        with suppress(ConnectionError):
            data = connection.recv(1 << 16)
        if not data:
            self._selector.unregister(connection)
            del self._begun[connection]
            connection.close()
            return
        *lines, self._begun[connection] = (self._begun[connection] + data).split(b"\n")
        for kind, *content in filter(None, map(words.parse, lines)):
            self._heard[kind](*content)

    def _ask_to_stop(self) -> None:
        """Hand the signal on to every process that has not had it."""
        for pid in self._pids[self._asked :]:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)
        self._asked = len(self._pids)

    def _on_hello(self, pid: int) -> None:
        self._pids.append(pid)

    def _on_log(self, name: str, level: int, message: str) -> None:
        logging.getLogger(name).log(level, "%s", message)

    def _on_error(self, word: words.Error) -> None:
        self.errors.append(word)

    def _on_done(self, metrics: dict[str, float]) -> None:
        self.done = metrics


@contextmanager
def _listening() -> Iterator[socket.socket]:
    """A local socket that only this user can reach."""
    place = tempfile.gettempdir() if len(tempfile.gettempdir()) < _LONGEST else "/tmp"
    with tempfile.TemporaryDirectory(prefix="trivium-", dir=place) as folder, socket.socket(socket.AF_UNIX) as server:
        server.bind(f"{folder}/s")
        server.listen()
        yield server


def _environment(env: Mapping[str, str], server: socket.socket) -> dict[str, str]:
    """Ours, the caller's, and the way to this package for an interpreter that it is not installed in."""
    source = Path(__file__).resolve().parents[3]
    before = {**os.environ, **env}
    paths = [before["PYTHONPATH"]] if before.get("PYTHONPATH") else []
    if source.name not in ("site-packages", "dist-packages"):  # those of this interpreter are not for another
        paths.insert(0, str(source))
    told = {"PYTHONPATH": os.pathsep.join(paths)} if paths else {}
    return {**before, **told, "PYTHONSAFEPATH": "1", "PYTHONUNBUFFERED": "1", words.ADDRESS: server.getsockname()}


def _end(process: "subprocess.Popen[bytes]") -> None:
    """Leave no process of the group behind: asked to end, then made to."""
    if process.poll() is None:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            process.wait(_GRACE)
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
