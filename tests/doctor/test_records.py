import sqlite3
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import huggingface_hub
import pytest

from trivium.doctor import records
from trivium.doctor.finding import ABSENT, FAIL, OK, Finding
from trivium.schema import Config
from trivium.tracking.store import connect

ConfigOf = Callable[..., Config]
TOKEN = "hf_notARealTokenButLongEnough"


def looked_at(config: Config) -> Finding:
    (found,) = records.mlflow(config)
    return found


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_looking_makes_no_database(config_of: ConfigOf, place: Path) -> None:
    found = looked_at(config_of())
    assert found.status == OK and "the first run makes it" in found.detail and not list(place.iterdir())


def test_a_database_of_this_mlflow_is_fine_and_an_older_one_is_not_migrated(config_of: ConfigOf, place: Path) -> None:
    config, file = config_of("tracking.uri=sqlite:///runs.db"), place / "runs.db"
    connect(config.tracking)
    assert looked_at(config).status == OK and "0 runs" in looked_at(config).detail
    with sqlite3.connect(file) as connection:
        connection.execute("UPDATE alembic_version SET version_num = 'older'")
    connection.close()
    before = file.read_bytes()
    found = looked_at(config)
    assert found.status == FAIL and "has schema older, and this MLflow wants" in found.detail
    assert "mlflow db upgrade sqlite:///runs.db" in found.remedy and file.read_bytes() == before


@pytest.mark.parametrize("content", [b"", b"not a database, whatever its name says" * 40])
def test_a_file_that_is_no_database_of_runs_is_told(config_of: ConfigOf, place: Path, content: bytes) -> None:
    (place / "runs.db").write_bytes(content)
    found = looked_at(config_of("tracking.uri=sqlite:///runs.db"))
    assert found.status == FAIL and "runs.db cannot be read" in found.detail and "tracking=none" in found.remedy


class Health(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200 if self.path == "/good/health" else 503)
        self.end_headers()

    def log_message(self, *_: object) -> None: ...


@pytest.fixture
def server() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Health) as http:
        threading.Thread(target=http.serve_forever, daemon=True).start()
        yield f"http://somebody:{TOKEN}@127.0.0.1:{http.server_port}"
        http.shutdown()


def test_a_server_is_asked_how_it_is_and_its_password_is_not_told(config_of: ConfigOf, server: str) -> None:
    good, bad = (looked_at(config_of(f"tracking.uri='{server}/{path}'")) for path in ("good", "bad"))
    assert (good.status, bad.status) == (OK, FAIL) and "answers 503" in bad.detail
    assert TOKEN not in str(good) + str(bad)
    gone = looked_at(config_of("tracking.uri='http://127.0.0.1:1'", "tracking.timeout=2"))
    assert gone.status == FAIL and "does not answer" in gone.detail and "start the server" in gone.remedy


def test_another_tracker_needs_none(config_of: ConfigOf) -> None:
    assert looked_at(config_of("tracking=none")).status == ABSENT


def test_a_token_is_told_by_where_it_comes_from_only(
    config_of: ConfigOf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(huggingface_hub.constants, "HF_TOKEN_PATH", str(tmp_path / "token"))
    monkeypatch.setattr(huggingface_hub.constants, "HF_STORED_TOKENS_PATH", str(tmp_path / "tokens"))
    (none,) = records.hub_token(config_of())
    (tmp_path / "token").write_text(TOKEN)
    (of_file,) = records.hub_token(config_of())
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    (of_variable,) = records.hub_token(config_of())
    assert [f.status for f in (none, of_file, of_variable)] == [ABSENT, OK, OK]
    assert str(tmp_path / "token") in of_file.detail and "HF_TOKEN" in of_variable.detail
    assert TOKEN[:8] not in str(of_file) + str(of_variable)
