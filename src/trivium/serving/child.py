"""A server as a child process: started, waited for, and stopped with everything that it started."""

import http.client
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from trivium.errors import ConfigError, TriviumError

_GRACE = 10.0
"""Seconds that a server has to end by itself."""
_LINES = 8
"""Last lines of its log that are told of one that died."""
_WATCH = """
import os, signal, sys
group, word = sys.stdin.buffer.readline(), sys.stdin.buffer.read(1)
if group and not word:
    os.killpg(int(group), signal.SIGKILL)
"""
"""A program that is told a group of processes, and kills it when its input ends without a further word."""


def free_port(host: str, port: int) -> int:
    """The port, or any free one for 0; raises `ConfigError` where it is taken or the address is none of this machine's."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise ConfigError(
                f"serve.port={port} on serve.host={host} cannot be listened on ({reason}); choose another, or serve.port=0 for "
                "any free one."
            ) from None
        found: int = probe.getsockname()[1]
        return found


def reachable(host: str) -> str:
    """Where a server that listens on `host` is asked from here."""
    return {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)


class Child:
    """A running server, and the log that it writes."""

    def __init__(self, name: str, process: "subprocess.Popen[bytes]", log: Path) -> None:
        self.name, self._process, self._log = name, process, log

    def await_up(self, host: str, port: int, path: str, timeout: float) -> None:
        """Until `path` answers 200. Raises `TriviumError` when it dies before, or takes longer than `timeout` seconds."""
        end = time.monotonic() + timeout
        while not _answers(reachable(host).strip("[]"), port, path):
            if self._process.poll() is not None:
                raise TriviumError(self._death("before it was up"))
            if time.monotonic() > end:
                raise TriviumError(
                    f"{self.name} was not up after {timeout:g} seconds; give it more with serve.timeout=…, or read {self._log}."
                )
            time.sleep(0.1)

    def wait(self) -> None:
        """Until it ends, which it should not do by itself: raises `TriviumError` with its last lines."""
        self._process.wait()
        raise TriviumError(self._death("while it served"))

    def _death(self, when: str) -> str:
        lines = self._log.read_text(encoding="utf-8", errors="replace").strip().splitlines()[-_LINES:]
        told = "".join(f"\n  {line}" for line in lines) or " nothing"
        return f"{self.name} ended {when} (exit code {self._process.returncode}); its last lines in {self._log}:{told}"


@contextmanager
def running(name: str, command: Sequence[str], log: Path) -> Iterator[Child]:
    """A server in a group of processes of its own, which is ended at the end: asked to, then made to.

    Where this process is killed before it can do so, another one kills the group.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    with _watcher() as tell:
        with log.open("wb") as out:
            process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True, env=_environment()
            )
        try:
            tell(f"{process.pid}\n".encode())
            yield Child(name, process, log)
        finally:
            _end(process)


@contextmanager
def _watcher() -> Iterator[Callable[[bytes], None]]:
    """What is written to a process that notices the end of this one: its pipe from here closes, whatever the end was."""
    command = [sys.executable, "-I", "-S", "-c", _WATCH]
    nowhere = subprocess.DEVNULL
    with subprocess.Popen(
        command, bufsize=0, stdin=subprocess.PIPE, stdout=nowhere, stderr=nowhere, start_new_session=True
    ) as process:
        pipe = process.stdin
        assert pipe is not None, "it was asked for"

        def tell(words: bytes) -> None:
            with suppress(BrokenPipeError):  # somebody has killed the watcher, which no server needs
                pipe.write(words)

        try:
            yield tell
        finally:
            tell(b"\n\n")


def _environment() -> dict[str, str]:
    """Everything that is served lies here; no server needs the Hub, but some look into its cache, which must be there."""
    from huggingface_hub import constants

    Path(constants.HF_HUB_CACHE).mkdir(parents=True, exist_ok=True)
    return {"HF_HUB_OFFLINE": "1", "PYTHONUNBUFFERED": "1", **os.environ}


def _end(process: "subprocess.Popen[bytes]") -> None:
    for asked, patience in ((signal.SIGTERM, _GRACE), (signal.SIGKILL, None)):
        with suppress(ProcessLookupError):
            os.killpg(process.pid, asked)
        with suppress(subprocess.TimeoutExpired, KeyboardInterrupt):  # a second Ctrl-C is impatience
            process.wait(patience)
            return


def _answers(host: str, port: int, path: str) -> bool:
    connection = http.client.HTTPConnection(host, port, timeout=5)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
