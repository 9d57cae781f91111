"""A teacher behind a server: every fault it may have, interruptions, cost, and secrets that stay secret."""

import json
import logging
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from trivium.data.jsonl import to_line
from trivium.data.rejects import Rejects
from trivium.errors import DataError, TriviumError
from trivium.generation import persona, run
from trivium.generation.server import TeacherError
from trivium.schema import ChecksConfig, LibraryConfig, OpenAIGenerator

sys.path.insert(0, str(Path(__file__).parent))
from teachers import REPLIES

KEEPER = persona.load("keeper")


class Asked:
    """One run of generation and what it left behind."""

    def __init__(self, folder: Path, passages: Path, url: str, **settings: Any) -> None:
        self.rejects, self.report, self.ledger = Rejects(), run.Report(), folder / "ledger.sqlite"
        given = {"model": "teacher", "concurrency": 8, "retries": 2, "timeout": 5.0, "examples_per_passage": 1, **settings}
        checks = ChecksConfig(**given.pop("checks", {}))
        generator = OpenAIGenerator(base_url=url, checks=checks, **given)
        library = LibraryConfig(persona="keeper")
        self.rows = list(
            run.generate(generator, library, KEEPER, passages, self.ledger, self.rejects, lambda step, done: None, self.report)
        )

    @property
    def bytes(self) -> bytes:
        return b"".join(map(to_line, self.rows))


def test_persona_system_message_and_passage_are_given_to_the_teacher(tmp_path: Path, passages: Path, teacher: Any) -> None:
    made = Asked(tmp_path, passages, teacher.url)
    assert made.report.written == len(made.rows) == 24 and made.rejects.count == 0
    told = {body["seed"]: body["messages"] for body in teacher.bodies}
    assert len(told) == 24
    for system, user in told.values():
        assert KEEPER.description in system["content"] and all(rule in system["content"] for rule in KEEPER.rules)
        assert "The passage:\nThe " in user["content"] and "title: Book" in user["content"]
    for name, text in KEEPER.systems.items():
        rows = [row for row in made.rows if row.metadata["system"] == name]
        given = sum(f"was told: {text}" in s["content"] if text else "told nothing" in s["content"] for s, _ in told.values())
        assert len(rows) == given > 0
        assert all((row.messages[0] == {"role": "system", "content": text}) == bool(text) for row in rows)


def test_a_row_keeps_its_work_and_tells_how_it_was_made(tmp_path: Path, passages: Path, teacher: Any) -> None:
    row = Asked(tmp_path, passages, teacher.url).rows[0]
    assert row.document == "work0" and row.metadata["passage"] == "work0#0" and row.id.startswith("work0#0/")
    assert row.text == row.reference and row.metadata["markers"] >= 1 and row.metadata["plain"] is None


FAULTS = {
    "nonsense": "no question with an answer",
    "nothing": "reply is empty",
    "half": "no question with an answer",
    "broken": "no question with an answer",
    "language": "not English",
    "page": "reply is empty",
    "late": "no reply in time",
    "drip": "no reply in time",
    "drop": "the connection failed",
    "cut": "the connection failed",
    "500 out of memory": "500: out of memory",
    "429 slow down": "429: slow down",
    "400 the prompt is too long": "400: the prompt is too long",
}


@pytest.mark.parametrize(("fault", "reason"), FAULTS.items())
def test_a_fault_costs_its_row_and_is_told(tmp_path: Path, passages: Path, teacher: Any, fault: str, reason: str) -> None:
    teacher.late = 2.5
    teacher.behave = lambda body, n: fault if "title: Book 1," in _user(body) else "good"
    timeout = 1.0 if fault in ("late", "drip") else 30.0
    made = Asked(tmp_path, passages, teacher.url, retries=0, timeout=timeout, checks={"attempts": 2})
    assert {row.document for row in made.rows} == {f"work{i}" for i in (0, 2, 3, 4, 5)} and len(made.rows) == 20
    assert made.rejects.count == 4 and reason in made.rejects.first()


def _user(body: dict[str, Any]) -> str:
    return str(body["messages"][1]["content"])


@pytest.mark.parametrize("fault", ["429", "500", "503", "drop", "cut"])
def test_a_passing_fault_is_asked_through(tmp_path: Path, passages: Path, teacher: Any, fault: str) -> None:
    teacher.behave = lambda body, n: "good" if n or body["seed"] % 4 else fault
    made = Asked(tmp_path, passages, teacher.url)
    assert len(made.rows) == 24 and len(teacher.bodies) > 24


def test_a_bad_reply_is_asked_again_with_another_seed_and_the_reason(tmp_path: Path, passages: Path, teacher: Any) -> None:
    teacher.behave = lambda body, n: "good" if "refused" in _user(body) else "nothing"
    made = Asked(tmp_path, passages, teacher.url)
    assert len(made.rows) == 24 and made.report.teacher["requests"] == 48
    assert len({body["seed"] for body in teacher.bodies}) == 48
    assert sum("was refused: the reply is empty." in _user(body) for body in teacher.bodies) == 24


def test_thoughts_and_fences_around_the_object_are_read_over(tmp_path: Path, passages: Path, teacher: Any) -> None:
    straight = Asked(tmp_path / "a", passages, teacher.url)
    teacher.behave = lambda body, n: "thinking"
    assert Asked(tmp_path / "b", passages, teacher.url).bytes == straight.bytes


@pytest.mark.parametrize("status", ["400 response_format is not supported", "422 Unexpected fields: {'response_format'}"])
def test_a_server_without_structured_output_is_asked_without_it(
    tmp_path: Path, passages: Path, teacher: Any, status: str
) -> None:
    teacher.behave = lambda body, n: status if "response_format" in body else "good"
    made = Asked(tmp_path, passages, teacher.url)
    assert len(made.rows) == 24
    assert sum("response_format" in body for body in teacher.bodies) <= 8, "more than the first wave was refused"
    asked = len(teacher.bodies)
    Asked(tmp_path / "off", passages, teacher.url, structured="off")
    assert not any("response_format" in body for body in teacher.bodies[asked:])
    with pytest.raises(TeacherError, match=r"structured=on, but .* refuses it"):
        Asked(tmp_path / "on", passages, teacher.url, structured="on")


def test_too_few_good_rows_end_the_run_with_the_commonest_reason(tmp_path: Path, passages: Path, teacher: Any) -> None:
    teacher.behave = lambda body, n: "nonsense" if body["seed"] % 5 else "language"
    with pytest.raises(DataError, match=r"0 of 24 conversations passed, at least 12 must .*blue seven"):
        Asked(tmp_path, passages, teacher.url, checks={"attempts": 1})


def test_repeated_answers_are_kept_once(tmp_path: Path, passages: Path, teacher: Any) -> None:
    answer = "Aye. The lamp of the harbour was lit by my uncle in the spring of that year. Mind the tide, friend."
    REPLIES["same"] = lambda body: json.dumps({"question": "Who lit the lamp of the harbour?", "answer": answer})
    teacher.behave = lambda body, n: "same" if "Book 1" in _user(body) else "good"
    made = Asked(tmp_path, passages, teacher.url)
    assert sum(row.text == answer for row in made.rows) == 1 and len(made.rows) == 21
    assert made.report.failures == {"the answer repeats another row's": 3}


def faulty(body: dict[str, Any], n: int) -> str:
    """What depends on the request alone, so that any order and any interruption meet the same faults."""
    return {0: "nonsense", 1: "half", 2: "nothing", 3: "language"}.get(body["seed"] % 7, "good")


RUN = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from test_openai import Asked
made = Asked(Path(sys.argv[2]), Path(sys.argv[3]), sys.argv[4], concurrency=int(sys.argv[5]))
(Path(sys.argv[2]) / "rows.jsonl").write_bytes(made.bytes)
"""


def start(folder: Path, passages: Path, url: str, concurrency: int) -> "subprocess.Popen[bytes]":
    folder.mkdir(exist_ok=True)
    here = str(Path(__file__).parent)
    command = [sys.executable, "-c", RUN, here, str(folder), str(passages), url, str(concurrency)]
    return subprocess.Popen(command)


def test_killed_twice_and_resumed_equals_a_straight_run_byte_for_byte(tmp_path: Path, passages: Path, teacher: Any) -> None:
    teacher.behave = faulty
    straight = Asked(tmp_path / "straight", passages, teacher.url)
    assert 12 < len(straight.rows) < 24 or straight.rejects.count == 0
    paid, teacher.delay = len(teacher.bodies), 0.05
    teacher.bodies.clear()
    for _ in range(2):
        process, before = start(tmp_path / "killed", passages, teacher.url, 3), len(teacher.bodies)
        while len(teacher.bodies) < before + 10:
            assert process.poll() is None, "the run ended before it could be killed"
            time.sleep(0.005)
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
    assert not (tmp_path / "killed" / "rows.jsonl").exists()
    assert start(tmp_path / "killed", passages, teacher.url, 8).wait() == 0
    assert (tmp_path / "killed" / "rows.jsonl").read_bytes() == straight.bytes
    assert paid <= len(teacher.bodies) <= paid + 2 * 3, "more was asked again than what was under way at the kills"


def test_two_processes_share_one_ledger(tmp_path: Path, passages: Path, teacher: Any) -> None:
    teacher.behave, teacher.delay = faulty, 0.02
    straight = Asked(tmp_path / "straight", passages, teacher.url)
    both = [start(tmp_path / "both", passages, teacher.url, 4) for _ in range(2)]
    assert [process.wait() for process in both] == [0, 0]
    assert (tmp_path / "both" / "rows.jsonl").read_bytes() == straight.bytes


def test_what_is_in_the_ledger_is_not_asked_again(tmp_path: Path, passages: Path, teacher: Any) -> None:
    first = Asked(tmp_path, passages, teacher.url)
    teacher.close()
    other = Asked(tmp_path, passages, teacher.url, concurrency=2, timeout=9.0, retries=0, price_per_million_input=3.0)
    assert other.bytes == first.bytes and len(teacher.bodies) == 24
    with pytest.raises(TeacherError, match="no server answers"):
        Asked(tmp_path, passages, teacher.url, temperature=0.1, retries=0)


def test_the_concurrency_is_kept_and_never_passed(tmp_path: Path, passages: Path, teacher: Any) -> None:
    teacher.delay = 0.3
    Asked(tmp_path, passages, teacher.url, concurrency=6)
    assert teacher.peak == 6


def test_tokens_are_counted_and_the_cost_stops_a_run_that_can_go_on(tmp_path: Path, passages: Path, teacher: Any) -> None:
    prices = {"price_per_million_input": 1000.0, "price_per_million_output": 5000.0, "concurrency": 1}
    with pytest.raises(TeacherError, match=r"max_cost=1 is reached \(1 spent\).*raise it and run"):
        Asked(tmp_path, passages, teacher.url, max_cost=1.0, **prices)
    assert len(teacher.bodies) == 5
    made = Asked(tmp_path, passages, teacher.url, **prices)
    assert len(made.rows) == len(teacher.bodies) == 24
    assert made.report.teacher == {"requests": 19, "prompt_tokens": 2400, "reply_tokens": 480, "cost": pytest.approx(4.8)}


def test_a_server_that_dies_is_given_up_and_the_run_can_go_on(tmp_path: Path, passages: Path, teacher: Any) -> None:
    teacher.behave = lambda body, n: "good" if len(teacher.bodies) <= 9 else "drop"
    with pytest.raises(TeacherError, match=r"in a row got no reply .* run the same command again"):
        Asked(tmp_path, passages, teacher.url, retries=0, concurrency=1)
    asked = len(teacher.bodies)
    assert asked < 24
    teacher.behave = lambda body, n: "good"
    assert len(Asked(tmp_path, passages, teacher.url).rows) == 24
    assert len(teacher.bodies) == asked + 15


def test_a_server_that_is_not_there_is_one_sentence(tmp_path: Path, passages: Path) -> None:
    with pytest.raises(TeacherError, match=r"generator.base_url: no server answers at http://127.0.0.1:9/v1; start one"):
        Asked(tmp_path, passages, "http://user:secret@127.0.0.1:9/v1", retries=0)


@pytest.mark.parametrize(
    ("models", "model", "found"),
    [
        (["a", "b"], "teacher", r"model=teacher gets no reply from .*404: model not found.* which offers a, b"),
        (["a", "b"], "", "model is empty, and .* offers a, b; name one"),
        (None, "", "model is empty, and .* offers none by name"),
    ],
)
def test_a_model_that_the_server_lacks_is_told_with_those_it_has(
    tmp_path: Path, passages: Path, teacher: Any, models: list[str] | None, model: str, found: str
) -> None:
    teacher.models, teacher.behave = models, lambda body, n: "404 model not found"
    with pytest.raises(TeacherError, match=found):
        Asked(tmp_path, passages, teacher.url, model=model, retries=0)


@pytest.mark.parametrize(("models", "model"), [(["only"], ""), (None, "unlisted"), (["other"], "unlisted")])
def test_the_only_model_is_taken_and_an_unlisted_one_tried(
    tmp_path: Path, passages: Path, teacher: Any, models: list[str] | None, model: str
) -> None:
    teacher.models, good = models, REPLIES["good"]
    REPLIES["probe"] = lambda body: good({"seed": 0, **body})
    teacher.behave = lambda body, n: "probe"
    assert len(Asked(tmp_path, passages, teacher.url, model=model).rows) == 24
    assert {body["model"] for body in teacher.bodies} == {model or "only"}


def test_the_key_comes_from_the_environment_and_goes_nowhere_else(
    tmp_path: Path, passages: Path, teacher: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    key = "sk-very-secret-0123456789"
    monkeypatch.setenv("MY_KEY", key)
    caplog.set_level(logging.DEBUG)
    made = Asked(tmp_path, passages, teacher.url, api_key_env="MY_KEY")
    assert teacher.keys == {f"Bearer {key}"}
    teacher.behave = lambda body, n: f"401 incorrect key {key}"
    with pytest.raises(TriviumError) as caught:
        Asked(tmp_path / "refused", passages, teacher.url, api_key_env="MY_KEY")
    assert "environment variable MY_KEY" in str(caught.value)
    teacher.behave = lambda body, n: f"400 {key} has no more credit" if "Book 1" in _user(body) else "good"
    partly = Asked(tmp_path / "partly", passages, teacher.url, api_key_env="MY_KEY")
    assert "has no more credit" in partly.rejects.first()
    told = [str(caught.value), partly.rejects.first(), str(made.report), caplog.text]
    told += [path.read_bytes().decode("latin-1") for path in tmp_path.rglob("*") if path.is_file()]
    assert not any(key in text for text in told)


def test_a_file_that_is_no_ledger_is_told(tmp_path: Path, passages: Path, teacher: Any) -> None:
    (tmp_path / "ledger.sqlite").write_text("Dear diary, this is not a database at all." * 40)
    with pytest.raises(DataError, match=r"ledger.sqlite is no ledger .* remove it"):
        Asked(tmp_path, passages, teacher.url)


def test_a_cost_that_nobody_counts_cannot_be_kept(tmp_path: Path, passages: Path, teacher: Any) -> None:
    teacher.usage = None
    with pytest.raises(TeacherError, match="does not count tokens"):
        Asked(tmp_path, passages, teacher.url, max_cost=1.0, price_per_million_output=1.0, concurrency=1)
    assert len(teacher.bodies) == 1
    made = Asked(tmp_path, passages, teacher.url)
    assert len(made.rows) == 24 and made.report.teacher["cost"] == 0
