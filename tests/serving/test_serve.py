"""The real servers over a real run, from the command line."""

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from trivium.compose import hydra_at
from trivium.console import Screen
from trivium.errors import ConfigError
from trivium.models.generate import GREEDY
from trivium.schema import Config
from trivium.serving.programs import load
from trivium.serving.settings import take_up
from trivium.serving.speakers import speakers

Call = Callable[..., "subprocess.CompletedProcess[str]"]


@contextmanager
def served(folder: Path, *words: str) -> Iterator[tuple["subprocess.Popen[str]", str]]:
    """`trivium task=serve` in a folder, once it is up, and what it has said."""
    command = [sys.executable, "-m", "trivium", "task=serve", "from_run=last", "serve.port=0", *words]
    environment = {**os.environ, "MLX_DISABLE_COMPILE": "1"}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    with subprocess.Popen(command, cwd=folder, env=environment, **pipes) as process:  # type: ignore[call-overload]
        said = ""
        try:
            for line in process.stdout:
                said += line
                if "Ctrl-C stops it" in line:
                    break
            yield process, said
        finally:
            process.terminate()  # a killed one could not stop its server
            process.wait(30)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("program", "stop"), [("transformers", signal.SIGINT), ("mlx", signal.SIGTERM), ("llama_cpp", signal.SIGHUP)]
)
def test_a_served_run_answers_as_in_the_evaluation(run: Path, tmp_path: Path, program: str, stop: signal.Signals) -> None:
    try:
        load(program).require(Config())
    except ConfigError as error:
        pytest.skip(str(error))
    with served(tmp_path, f"serve={program}", "serve.type=f32") as (process, said):
        assert re.search("is answered as (the evaluation|transformers) did", said) and "warning" not in said, said
        found = re.search(r"is served at http://127.0.0.1:(\d+)/v1 as model (\S+)", said)
        assert found, said
        answers = talked(found[1], found[2])
        assert answers == spoken(run) and all(len(answer) > 3 for answer in answers)
        process.send_signal(stop)
        rest = process.stdout.read() if process.stdout else ""
        assert process.wait(30) == 0 and f"{program} is stopped" in rest, rest
    with socket.socket() as free:
        free.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        free.bind(("127.0.0.1", int(found[1])))
    assert sorted(path.name for path in run.iterdir() if path.name in ("serving", ".hydra")) == [".hydra", "serving"]


QUESTIONS = ("What is the density of kepeno?", "What is the mass?")


def talked(port: str, model: str) -> list[str]:
    """A conversation of two questions through the API."""
    from openai import OpenAI

    client = OpenAI(base_url=f"http://127.0.0.1:{port}/v1", api_key="none", max_retries=0)
    messages: list[dict[str, str]] = []
    for question in QUESTIONS:
        messages.append({"role": "user", "content": question})
        reply = client.chat.completions.create(model=model, messages=messages, temperature=0, max_tokens=8)  # type: ignore
        messages.append({"role": "assistant", "content": (reply.choices[0].message.content or "").strip()})
    return [message["content"] for message in messages[1::2]]


def spoken(run: Path) -> list[str]:
    """The same conversation in the terminal."""
    with hydra_at():
        config = take_up(run, ["task=chat", "talk.base=false"])
    (tuned,) = speakers(config, run, Screen())
    return [tuned.answer(question, None, 8, GREEDY).answer for question in QUESTIONS]


def test_a_taken_port_and_a_missing_run_are_said_before_anything_is_made(trivium: Call, run: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        done = trivium("task=serve", f"from_run={run}", f"serve.port={other.getsockname()[1]}")
    assert done.returncode == 2 and "already in use" in done.stderr and "serve.port=0" in done.stderr
    assert not (run / "serving").exists()
    done = trivium("task=serve")
    assert done.returncode == 2 and "task=serve needs a finished run" in done.stderr
    done = trivium("-m", "task=serve", "from_run=a,b")
    assert done.returncode == 2 and "leave one of them out" in done.stderr
