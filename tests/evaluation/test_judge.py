"""The judge model: a real server on this machine, in all the moods that such servers have."""

import json
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from trivium.errors import ConfigError
from trivium.evaluation import compare, evaluate, load_items
from trivium.evaluation.judge import CRITERIA, mark, prompt, values
from trivium.sample import Sample
from trivium.schema import JudgeConfig

sys.path.insert(0, str(Path(__file__).parent))
from small_library import CONFIG, DATASET, VOICE, Oracle, Plain, written


def marks(value: object) -> str:
    return json.dumps(dict.fromkeys(CRITERIA, value))


class Server(ThreadingHTTPServer):
    """Says of an answer what `replies` has for the word that stands in it; a number is an HTTP status."""

    models: tuple[str, ...] = ("marker",)
    replies: dict[str, Any] = {}  # noqa: RUF012
    asked: list[dict[str, Any]]


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        self.answer(200, {"object": "list", "data": [{"id": name, "object": "model"} for name in self.server.models]})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.asked.append(body)
        said = body["messages"][-1]["content"].partition("<answer>")[2].partition("</answer>")[0]
        reply = next((reply for word, reply in self.server.replies.items() if word in said), marks(3))
        if isinstance(reply, int):
            return self.answer(reply, {"error": {"message": f"no: {self.headers['Authorization']}"}})
        message = {"role": "assistant", "content": reply}
        self.answer(200, {"id": "1", "object": "chat.completion", "choices": [{"index": 0, "message": message}]})

    def answer(self, status: int, body: dict[str, Any]) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.send_header("retry-after-ms", "1")
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server(("127.0.0.1", 0), Handler)
    server.asked = []
    server.models, server.replies = ("marker",), {}
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()


def at(server: Server, **settings: Any) -> JudgeConfig:
    return JudgeConfig(base_url=f"http://127.0.0.1:{server.server_address[1]}/v1", **settings)


def samples(count: int) -> list[Sample]:
    return [Sample(str(i), messages=[{"role": "user", "content": f"What of {i}?"}]) for i in range(count)]


def test_every_answer_is_marked_in_order_and_what_fails_is_none_and_counted(server: Server) -> None:
    server.replies = {
        "good": f"Here you are:\n```json\n{marks(5)}\n```",
        "thought": f"<think>{marks(1)}</think>{marks('4')}",
        "bad": marks(1),
        "prose": "A wonderful answer!",
        "half": marks(5)[:20],
        "range": marks(9),
        "lacking": '{"diction": 5}',
        "broken": 500,
        "refused": 400,
    }
    words = ["bad", "good", "prose", "half", "thought", "range", "lacking", "broken", "refused", "else"]
    found = values(at(server), samples(len(words)), words, "A ferryman.")
    assert found["character_voice"] == [0.0, 1.0, None, None, 0.75, None, None, None, None, 0.5]
    assert found["character_voice_failed"] == [0, 0, 1, 1, 0, 1, 1, 1, 1, 0]
    assert {body["model"] for body in server.asked} == {"marker"}


def test_the_judge_is_told_the_speaker_the_question_and_the_rubric_and_nothing_of_who_answered() -> None:
    text = prompt("Who goes there?", "Aye, it is I.", "An old ferryman.")
    for part in ("An old ferryman.", "Who goes there?", "Aye, it is I.", *CRITERIA, *CRITERIA.values()):
        assert part in text
    assert not {"base", "tuned", "model", "fine-tuned"} & set(text.lower().split())
    assert len(CRITERIA) == 5


def test_the_voice_stands_beside_the_base_models(server: Server, tmp_path: Path) -> None:
    server.replies = {"ferryman": "no marks today", "Row on": marks(5), "water": marks(5), "river": marks(5), "ferry": marks(2)}
    config = replace(CONFIG, judge=at(server), dialogues=0)
    items = load_items(config, DATASET, written(tmp_path), VOICE)
    base, tuned = (evaluate(who, items, config) for who in (Plain(), Oracle()))
    metrics = compare(tuned, base, items.parts, config)
    assert metrics["eval/character_voice"] > metrics["eval/character_voice_base"]
    assert 0 < metrics["eval/character_voice_failed"] < 1 and metrics["eval/character_voice_failed_base"] == 0
    assert any(row["character_voice"] is None for row in tuned.answers["questions"])
    assert all(VOICE.description in body["messages"][0]["content"] for body in server.asked)


def test_a_mark_within_the_answer_is_not_the_judges() -> None:
    assert mark("The answer says it deserves 5, 5, 5, 5, 5.") is None


@pytest.mark.parametrize(("models", "said"), [((), "offers none"), (("a", "b"), "offers a, b")])
def test_a_model_must_be_named_where_there_is_not_just_one(server: Server, models: tuple[str, ...], said: str) -> None:
    server.models = models
    with pytest.raises(ConfigError, match=said):
        values(at(server), samples(1), ["aye"], "")
    assert values(at(server, model="a"), samples(1), ["aye"], "")["character_voice"] == [0.5]


@pytest.mark.parametrize("status", [401, 404, 422])
def test_a_server_that_will_not_have_us_ends_it(server: Server, status: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "very-secret")
    server.replies = {"aye": status}
    with pytest.raises(ConfigError, match=r"evaluation\.judge\.base_url") as found:
        values(at(server), samples(1), ["aye"], "")
    assert "very-secret" not in str(found.value)


def test_a_server_that_is_not_there_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JUDGE_KEY", "very-secret")
    config = JudgeConfig(base_url="http://127.0.0.1:9/v1", api_key_env="JUDGE_KEY")
    with pytest.raises(ConfigError, match=r"no server answers at .*base_url=null") as found:
        values(config, samples(1), ["aye"], "")
    assert "\n" not in str(found.value) and "very-secret" not in str(found.value)
