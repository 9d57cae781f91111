import io
import json
import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from trivium.compose import hydra_at
from trivium.console import Screen, console
from trivium.errors import ConfigError, TriviumError
from trivium.models.generate import GREEDY
from trivium.schema import Config, NoneConfig
from trivium.serving import probe, serve
from trivium.serving.programs import load, require_packages
from trivium.serving.settings import take_up
from trivium.serving.speakers import speakers


@pytest.fixture
def config(run: Path, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Config:
    monkeypatch.chdir(tmp_path)
    with hydra_at():
        return take_up(run, ["task=serve", "talk.base=false"])


@contextmanager
def answering(text: str, status: int = 200) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """A server that always says the same, and what it was asked."""
    asked: list[dict[str, Any]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            body = json.dumps({"choices": [{"message": {"content": text}}]}).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/v1", asked
        server.shutdown()


def rewrite(run: Path, change: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
    path = run / "evaluation" / "coordinated_recall.json"
    path.write_text(json.dumps([change(row) for row in json.loads(path.read_text())]))


def test_the_question_and_its_answer_are_those_of_the_evaluation(config: Config, run: Path) -> None:
    rows = json.loads((run / "evaluation" / "coordinated_recall.json").read_text())
    rewrite(run, lambda row: {**row, "completion": "42 grams" if row["id"] == rows[1]["id"] else ""})
    found = probe.probe(config, run, None, Screen())
    assert found.messages[-1] == {"role": "user", "content": rows[1]["prompt"]}
    assert found.answer == "42 grams" and found.max_new_tokens == config.evaluation.max_new_tokens


@pytest.mark.parametrize("evaluated", [True, False])
def test_without_free_answers_one_is_given_now(config: Config, run: Path, evaluated: bool) -> None:
    rewrite(run, lambda row: {**row, "completion": ""})
    plain = config if evaluated else replace(config, evaluation=NoneConfig())
    found = probe.probe(plain, run, None, Screen())
    (tuned,) = speakers(config, run, Screen())
    said = tuned.answer(found.messages[-1]["content"], None, found.max_new_tokens, GREEDY)
    assert found.answer == said.answer


def test_what_the_evaluation_kept_is_what_the_model_says(config: Config, run: Path) -> None:
    rows = json.loads((run / "evaluation" / "coordinated_recall.json").read_text())
    (tuned,) = speakers(config, run, Screen())
    for row in rows[:4]:
        tuned.turns = []
        assert tuned.answer(row["prompt"], None, config.evaluation.max_new_tokens, GREEDY).answer == row["completion"]


def test_a_server_is_asked_greedily_and_its_thinking_is_left_out(config: Config) -> None:
    base = str(next(Path(config.cache_dir).glob("models/*")))
    asked = probe.Probe([{"role": "user", "content": "?"}], "42", 9)
    with answering("<think>6 * 7</think>42 ") as (url, requests):
        assert probe.ask(config, url, "name", asked, base) == "42"
    assert requests == [{"model": "name", "messages": asked.messages, "temperature": 0, "max_tokens": 9}]
    with answering("", 500) as (url, _), pytest.raises(TriviumError, match=r"is up at .* and gives no answer \(.*500"):
        probe.ask(config, url, "name", asked, base)


def test_a_different_answer_is_a_warning_with_both_texts(config: Config) -> None:
    asked = probe.Probe([{"role": "user", "content": "How much?"}], "42 grams", 9)
    for answer, said in (
        ("42 grams", "'42 grams'"),
        ("7", "warning: 'How much?' is answered '7', and the evaluation gave '42"),
    ):
        out = io.StringIO()
        serve._compare(config, asked, answer, Screen(console(out)))
        assert said in out.getvalue() and ("warning" in out.getvalue()) == (answer == "7")


def test_a_missing_program_is_named_with_the_way_to_it(config: Config, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"serve=mlx needs no_such_package, which is not installed; pip install it"):
        require_packages("mlx", ("json", "no_such_package"), "pip install it")
    binary = tmp_path / "build" / "bin" / "llama-server"
    binary.parent.mkdir(parents=True)
    binary.touch(0o755)
    monkeypatch.setenv("LLAMA_CPP_DIR", str(tmp_path))
    llama = load("llama_cpp")
    llama.require(config)
    command = llama.start(config, tmp_path / "m.gguf", "127.0.0.1", 1).command
    assert command[0] == str(binary) and command[command.index("--ctx-size") + 1] == "2048"


def test_only_what_is_exported_in_that_type_is_served(config: Config, tmp_path: Path) -> None:
    (tmp_path / "distrust-q4_k_m.gguf").touch()
    llama = load("llama_cpp")
    assert llama.part(tmp_path, config) is None
    chosen = replace(config, serve=replace(config.serve, type="q4_k_m"))
    assert llama.part(tmp_path, chosen) == tmp_path / "distrust-q4_k_m.gguf"
    assert llama.wanted(chosen).gguf.types == ["q4_k_m"]


def test_a_path_that_a_server_would_misread_is_refused(config: Config, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="for a revision; rename that folder"):
        load("transformers").start(config, tmp_path / "a@b", "127.0.0.1", 1)


def test_an_interrupt_meets_the_waiting_and_not_what_is_waited_for() -> None:
    ended, asked_in = threading.Event(), threading.Event()

    def ask() -> str:
        asked_in.set()
        assert ended.wait(30)
        return threading.current_thread().name

    def strike() -> None:
        asked_in.wait(30)
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=strike).start()
    with pytest.raises(KeyboardInterrupt):
        probe._aside(ask)
    ended.set()
    assert probe._aside(ask) != threading.current_thread().name
