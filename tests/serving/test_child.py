import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from trivium.errors import ConfigError, TriviumError
from trivium.serving import child

HOST = "127.0.0.1"
SERVER = """
import http.server, subprocess, sys
grandchild = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
print("grandchild", grandchild.pid, flush=True)
http.server.test(http.server.SimpleHTTPRequestHandler, port=int(sys.argv[1]), bind="127.0.0.1")
"""
KEEPER = """
import sys, time
from pathlib import Path
from trivium.serving import child
with child.running("server", [sys.executable, "-c", sys.argv[1], sys.argv[2]], Path(sys.argv[3])) as server:
    server.await_up("127.0.0.1", int(sys.argv[2]), "/", 30)
    print(server._process.pid, flush=True)
    time.sleep(600)
"""
STUBBORN = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); time.sleep(600)"
DEAF = [sys.executable, "-c", STUBBORN]


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z"
    except FileNotFoundError:
        return False


def gone(pid: int) -> bool:
    """Whether a process ends within some seconds."""
    end = time.monotonic() + 5
    while alive(pid) and time.monotonic() < end:
        time.sleep(0.05)
    return not alive(pid)


def text_of(log: Path, word: str) -> str:
    while word not in log.read_text():
        time.sleep(0.02)
    return log.read_text()


def test_a_server_comes_up_and_goes_with_all_that_it_started(tmp_path: Path) -> None:
    port = child.free_port(HOST, 0)
    with child.running("server", [sys.executable, "-c", SERVER, str(port)], tmp_path / "log") as server:
        server.await_up(HOST, port, "/", 30)
        pid = int(text_of(tmp_path / "log", "grandchild").split()[1])
        assert alive(pid)
        with pytest.raises(ConfigError, match=rf"serve.port={port} .* in use.*serve.port=0"):
            child.free_port(HOST, port)
    assert child.free_port(HOST, port) == port
    assert gone(pid)


def test_a_server_does_not_outlive_a_killed_keeper(tmp_path: Path) -> None:
    port = child.free_port(HOST, 0)
    command = [sys.executable, "-c", KEEPER, SERVER, str(port), str(tmp_path / "log")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as keeper:
        server = int(keeper.stdout.readline() if keeper.stdout else "")
        other = int(text_of(tmp_path / "log", "grandchild").split()[1])
        assert alive(server) and alive(other)
        keeper.kill()
    assert gone(server) and gone(other)


def test_a_second_interrupt_kills_a_server_that_takes_its_time(tmp_path: Path) -> None:
    began = time.monotonic()
    with pytest.raises(KeyboardInterrupt, match="the first"), child.running("server", DEAF, tmp_path / "log") as server:
        pid = server._process.pid
        text_of(tmp_path / "log", "deaf")
        threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGINT)).start()
        raise KeyboardInterrupt("the first")
    assert not alive(pid) and time.monotonic() - began < child._GRACE / 2


def test_a_server_that_dies_says_its_last_lines(tmp_path: Path) -> None:
    command = [sys.executable, "-c", "print('loading'); raise SystemExit('no memory for the weights')"]
    dies = pytest.raises(TriviumError, match=r"(?s)ended before it was up \(exit code 1\).*\n  no memory for the weights")
    with dies, child.running("server", command, tmp_path / "log") as server:
        server.await_up(HOST, child.free_port(HOST, 0), "/", 30)


def test_a_server_that_is_killed_while_it_serves_is_noticed(tmp_path: Path) -> None:
    port = child.free_port(HOST, 0)
    noticed = pytest.raises(TriviumError, match="ended while it served")
    with noticed, child.running("server", [sys.executable, "-c", SERVER, str(port)], tmp_path / "log") as server:
        server.await_up(HOST, port, "/", 30)
        os.kill(server._process.pid, signal.SIGKILL)
        server.wait()


def test_a_server_that_never_comes_up_is_given_up_and_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(child, "_GRACE", 0.2)
    late = pytest.raises(TriviumError, match=r"not up after 0.3 seconds; give it more with serve.timeout")
    with late, child.running("server", DEAF, tmp_path / "log") as server:
        pid = server._process.pid
        text_of(tmp_path / "log", "deaf")
        server.await_up(HOST, child.free_port(HOST, 0), "/", 0.3)
    assert not alive(pid)


def test_an_address_of_another_machine_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"serve.host=192.0.2.1 cannot be listened on"):
        child.free_port("192.0.2.1", 0)


def test_a_taken_port_is_refused_before_anything_is_started() -> None:
    with socket.socket() as other:
        other.bind((HOST, 0))
        other.listen()
        with pytest.raises(ConfigError, match=r"in use"):
            child.free_port(HOST, other.getsockname()[1])
