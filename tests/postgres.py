"""A real PostgreSQL server on this machine, killed and started again as a test wants it."""

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

BINARIES = max(Path("/usr/lib/postgresql").glob("*/bin"), default=None, key=lambda path: float(path.parent.name))
if BINARIES is None and (found := shutil.which("postgres")):
    BINARIES = Path(found).resolve().parent

needs_postgres = pytest.mark.skipif(BINARIES is None, reason="no PostgreSQL found: apt-get install postgresql")


class Postgres:
    """A cluster in a folder of its own. PostgreSQL refuses to work for root, so that for root its own user does."""

    def __init__(self, home: Path) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self._port = free.getsockname()[1]
        self._home = home
        self._user = {"user": "postgres", "group": "postgres"} if os.geteuid() == 0 else {}
        if self._user:
            shutil.chown(home, **self._user)
        self._do("initdb", "--pgdata", home / "data", "--auth", "trust", "--username", "trivium", "--no-sync")
        self.start()

    def uri(self, database: str) -> str:
        """The address of a database, which is made if it is missing."""
        import psycopg

        with psycopg.connect(self._address("postgres"), autocommit=True) as connection:
            found = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [database]).fetchone()
            if found is None:
                connection.execute(f'CREATE DATABASE "{database}"')
        return self._address(database).replace("postgresql://", "postgresql+psycopg://")

    def start(self) -> None:
        """Until it answers; what a killed one left in shared memory may hold it up for a moment."""
        for _ in range(50):
            with (self._home / "log").open("ab") as log:
                command = [BINARIES / "postgres", "-D", self._home / "data", "-k", self._home, "-p", str(self._port)]
                self._process = subprocess.Popen(command, stdout=log, stderr=log, **self._user)  # type: ignore[operator, list-item]
            if self._answers():
                return
            time.sleep(0.2)
        raise TimeoutError((self._home / "log").read_text(encoding="utf-8")[-2000:])

    def kill(self) -> None:
        """SIGKILL; the processes of its connections notice and go."""
        self._process.kill()
        self._process.wait()

    def _answers(self) -> bool:
        while self._process.poll() is None:
            if self._do("pg_isready", "--host", "127.0.0.1", "--port", str(self._port), check=False) == 0:
                return True
            time.sleep(0.05)
        return False

    def _address(self, database: str) -> str:
        return f"postgresql://trivium@127.0.0.1:{self._port}/{database}"

    def _do(self, program: str, *words: str | Path, check: bool = True) -> int:
        assert BINARIES is not None
        done = subprocess.run([BINARIES / program, *words], capture_output=True, text=True, check=False, **self._user)  # type: ignore[call-overload]
        assert not check or done.returncode == 0, done.stderr
        return int(done.returncode)


@contextmanager
def running() -> Iterator[Postgres]:
    """A server, which is gone afterwards with all that it held."""
    with tempfile.TemporaryDirectory(prefix="postgres-") as home:  # where its own user can go
        server = Postgres(Path(home))
        try:
            yield server
        finally:
            server.kill()
