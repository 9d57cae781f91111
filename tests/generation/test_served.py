"""A real server and real models behind it: rows come out of one that was taught the form, and an untaught one is refused."""

import json
import os
import random
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from teachers import DONE, THINGS

from trivium.data.jsonl import to_line
from trivium.data.rejects import Rejects
from trivium.errors import DataError
from trivium.generation import persona, run
from trivium.schema import ChecksConfig, LibraryConfig, OpenAIGenerator

pytestmark = pytest.mark.slow

START = "from transformers.cli.transformers import main; main()"


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of `transformers serve`, which loads a model directory when it is first asked for."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    log = tmp_path_factory.mktemp("served") / "log"
    command = [sys.executable, "-c", START, "serve", "--host", "127.0.0.1", "--port", str(port), "--device", "cpu"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
    with log.open("wb") as out, subprocess.Popen(command, stdout=out, stderr=out, env=environment) as server:
        try:
            for _ in range(240):
                assert server.poll() is None, log.read_text()
                try:
                    urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=1).close()
                    break
                except OSError:
                    time.sleep(0.25)
            yield f"http://127.0.0.1:{port}/v1"
        finally:
            server.terminate()


def said(rng: random.Random) -> str:
    """A reply in the form that is asked for."""
    town, thing = f"Harrow{rng.randrange(100)}", rng.choice(THINGS)
    closer = rng.choice(("Mind the tide, friend.", "The lamp burns on.", "So says the old keeper.", "Fair wind to you."))
    answer = f"Aye. I tell you that the {thing} of {town} {rng.choice(DONE)}. {closer}"
    return json.dumps({"question": f"What is told of the {thing} of {town}?", "answer": answer})


@pytest.fixture(scope="module")
def taught(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that gives such replies whatever it is asked.

    Its window is narrower than a reply, so what it learns below short prompts holds below long ones.
    """
    import torch
    from transformers import GenerationConfig, MistralConfig, MistralForCausalLM

    from trivium.models.tiny import make_tokenizer

    rng, folder = random.Random(0), tmp_path_factory.mktemp("taught")
    told = [[{"role": "user", "content": "Tell me."}, {"role": "assistant", "content": said(rng)}] for _ in range(400)]
    tokenizer = make_tokenizer(told, 480)
    shape = {
        "hidden_size": 96,
        "intermediate_size": 192,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 4,
    }
    torch.manual_seed(0)
    model = MistralForCausalLM(
        MistralConfig(vocab_size=len(tokenizer), sliding_window=40, tie_word_embeddings=True, initializer_range=0.1, **shape)
    )
    optimizer = torch.optim.AdamW(model.parameters(), lr=4e-3, weight_decay=0.0)
    for step in range(140):
        for group in optimizer.param_groups:
            group["lr"] = 4e-3 * min(1.0, (140 - step) / 70)
        rows = []
        for _ in range(16):
            before = [rng.randrange(5, len(tokenizer)) for _ in range(48)]
            rows.append(before + tokenizer.encode(f"<|end|><|assistant|>{said(rng)}<|end|>", add_special_tokens=False))
        longest = max(map(len, rows))
        ids = torch.tensor([row + [0] * (longest - len(row)) for row in rows])
        labels = torch.tensor([[-100] * 50 + row[50:] + [-100] * (longest - len(row)) for row in rows])
        model(input_ids=ids, labels=labels).loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
    ends = {"eos_token_id": tokenizer.eos_token_id, "pad_token_id": tokenizer.pad_token_id}
    model.generation_config = GenerationConfig(do_sample=True, **ends)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def ask(url: str, model: Path, passages: Path, ledger: Path, report: run.Report, rejects: Rejects) -> list[Any]:
    generator = OpenAIGenerator(
        base_url=url, model=str(model), examples_per_passage=1, max_tokens=120, temperature=0.6, concurrency=4, timeout=60.0
    )
    generator.checks = ChecksConfig(attempts=2)
    library = LibraryConfig(persona="keeper", components={"core": {"size": 8}})
    who = persona.load("keeper")
    return list(run.generate(generator, library, who, passages, ledger, rejects, lambda step, done: None, report))


def test_rows_come_from_a_real_server(served: str, taught: Path, passages: Path, tmp_path: Path) -> None:
    first, again, rejects = run.Report(), run.Report(), Rejects()
    rows = ask(served, taught, passages, tmp_path / "ledger", first, rejects)
    assert 4 <= len(rows) == first.written, rejects.first()
    assert all(row.text.startswith("Aye. I tell you") and row.question.startswith("What is told") for row in rows)
    assert first.teacher["prompt_tokens"] > 8 * 100 and first.teacher["reply_tokens"] > 8 * 20
    repeated = ask(served, taught, passages, tmp_path / "ledger", again, Rejects())
    assert again.teacher["requests"] == 0 and [to_line(row) for row in repeated] == [to_line(row) for row in rows]


def test_an_untaught_model_is_refused_with_the_reason(served: str, random_model: Path, passages: Path, tmp_path: Path) -> None:
    report = run.Report()
    reason = r"the reply (is empty|holds no question with an answer); for example work0#\d/core/0"
    with pytest.raises(DataError, match=rf"0 of 8 conversations passed, at least 4 must .*{reason}"):
        ask(served, random_model, passages, tmp_path / "ledger", report, Rejects())
    assert report.teacher["requests"] == 16 and sum(report.failures.values()) == 8
