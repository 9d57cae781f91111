"""A real server, and a model that was taught the form of a reply: what the slow tests generate with."""

import json
import os
import random
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from teachers import DONE, THINGS

START = "from transformers.cli.transformers import main; main()"
STEPS = 140


@contextmanager
def serving(log: Path) -> Iterator[str]:
    """The address of `transformers serve`, which loads a model directory when it is first asked for."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
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


def keepers_reply(rng: random.Random) -> str:
    """A reply of the keeper in the form that is asked for."""
    town, thing = f"Harrow{rng.randrange(100)}", rng.choice(THINGS)
    closer = rng.choice(("Mind the tide, friend.", "The lamp burns on.", "So says the old keeper.", "Fair wind to you."))
    answer = f"Aye. I tell you that the {thing} of {town} {rng.choice(DONE)}. {closer}"
    return json.dumps({"question": f"What is told of the {thing} of {town}?", "answer": answer})


def teach(folder: Path, said: Callable[[random.Random], str] = keepers_reply) -> Path:
    """A model that gives such replies whatever it is asked.

    Its window is narrower than a reply, so what it learns below short prompts holds below long ones.
    """
    import torch
    from transformers import GenerationConfig, MistralConfig, MistralForCausalLM

    from trivium.models.tiny import make_tokenizer

    rng = random.Random(0)
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
    for step in range(STEPS):
        for group in optimizer.param_groups:
            group["lr"] = 4e-3 * min(1.0, 2 * (STEPS - step) / STEPS)
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
