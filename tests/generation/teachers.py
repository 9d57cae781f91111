"""Passages to tell of, and a local server that speaks as a teacher does, with every fault that one may have."""

import json
import random
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from trivium.data.jsonl import to_line
from trivium.sample import Sample

THINGS = ("anchor", "barrel", "cellar", "dory", "eel trap", "ferry", "gate", "hawser", "inn", "jetty", "kiln", "loft")
DONE = (
    "was sold for nine crowns",
    "stood open all the winter",
    "went down in the great gale",
    "was painted white by the smith",
)


def tell_of(works: int, each: int) -> list[Sample]:
    """Passages of some works, with themes in turn."""
    rng = random.Random(3)
    rows = []
    for work in range(works):
        for number in range(each):
            told = [f"The {rng.choice(THINGS)} of Harrow{work}-{number}{c} {rng.choice(DONE)}." for c in "abc"]
            metadata = {"author": "A. Holm", "themes": {("sea", "light")[number % 2]: 2}, "keywords": 2}
            rows.append(
                Sample(f"work{work}#{number}", " ".join(told), document=f"work{work}", title=f"Book {work}", metadata=metadata)
            )
    return rows


def write_passages(path: Path, rows: list[Sample]) -> Path:
    path.write_bytes(b"".join(map(to_line, rows)))
    return path


def good(body: dict[str, Any]) -> str:
    """What a teacher should reply: it depends on the seed alone."""
    rng = random.Random(body["seed"])
    told = ", ".join(f"the {rng.choice(THINGS)} {rng.choice(DONE)}" for _ in range(2))
    answer = f"Aye, hark now. In the year of the {rng.randrange(10**9)} nets {told}. Mind the tide, friend."
    return json.dumps({"question": f"What is told of the {rng.choice(THINGS)} in the harbour?", "answer": answer})


FRENCH = {
    "question": "Que racontez-vous du vieux phare, mon ami, quand vient la nuit ?",
    "answer": "Aye, hark ! Le vieux gardien du phare allume sa lampe chaque soir, puis il regarde longtemps la mer.",
}
REPLIES: dict[str, Callable[[dict[str, Any]], str]] = {
    "good": good,
    "thinking": lambda body: f'<think>Which one? {{"question": "no"}}</think>Here it is:\n```json\n{good(body)}\n```',
    "nonsense": lambda body: "blue seven of of lamp the the, no object at all",
    "nothing": lambda body: "",
    "broken": lambda body: "half a pair \ud83d of " + good(body)[:40] + "\ud83d",
    "half": lambda body: good(body)[: len(good(body)) // 2],
    "language": lambda body: json.dumps(FRENCH, ensure_ascii=False),
}
"""Replies by name; everything else that a server may do is in `FakeTeacher`."""


class FakeTeacher:
    """An OpenAI-compatible server. `behave` names what it does with the n-th request of the same body (n from 0)."""

    def __init__(self) -> None:
        self.behave: Callable[[dict[str, Any], int], str] = lambda body, n: "good"
        self.models: list[str] | None = ["teacher"]
        self.delay, self.late = 0.0, 5.0
        self.usage: dict[str, int] | None = {"prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120}
        self.bodies: list[dict[str, Any]] = []
        self.keys: set[str | None] = set()
        self.peak, self.lost = 0, 0
        self._under_way, self._seen, self._lock = 0, Counter[str](), threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/v1"
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def enter(self, body: dict[str, Any]) -> int:
        with self._lock:
            self._under_way += 1
            self.peak = max(self.peak, self._under_way)
            self.bodies.append(body)
            name = json.dumps(body, sort_keys=True)
            self._seen[name] += 1
            return self._seen[name] - 1

    def leave(self) -> None:
        with self._lock:
            self._under_way -= 1

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        teacher = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *args: Any) -> None:
                pass

            def do_GET(self) -> None:
                if teacher.models is None:
                    return self.say(404, b"{}")
                self.say(200, json.dumps({"object": "list", "data": [{"id": name} for name in teacher.models]}).encode())

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                teacher.keys.add(self.headers["Authorization"])
                number = teacher.enter(body)
                try:
                    time.sleep(teacher.delay)
                    with suppress(BrokenPipeError, ConnectionResetError):
                        self.do(teacher.behave(body, number), body)
                finally:
                    teacher.leave()

            def do(self, what: str, body: dict[str, Any]) -> None:
                if what in REPLIES:
                    message = {"role": "assistant", "content": REPLIES[what](body)}
                    choice = {"index": 0, "message": message, "finish_reason": "stop"}
                    self.say(200, json.dumps({"id": "x", "choices": [choice], "usage": teacher.usage}).encode())
                elif what == "drop":
                    self.close_connection = True
                    self.connection.close()
                elif what == "cut":
                    self.close_connection = True
                    self.say(200, b'{"choices": [', length=1000)
                elif what == "drip":
                    self.say(200, b"{", length=1000)
                    for _ in range(40):
                        time.sleep(teacher.late / 40)
                        self.wfile.write(b" ")
                elif what == "late":
                    time.sleep(teacher.late)
                    self.say(200, b"{}")
                elif what == "page":
                    self.say(200, b"<html>Welcome</html>")
                else:
                    status, _, said = what.partition(" ")
                    self.say(int(status), json.dumps({"error": {"message": said or "no"}}).encode())

            def say(self, status: int, data: bytes, length: int | None = None) -> None:
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(length or len(data)))
                if status >= 429:
                    self.send_header("retry-after-ms", "20")
                self.end_headers()
                self.wfile.write(data)

        return Handler
