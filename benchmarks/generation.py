"""Share of the configured concurrency that a teacher's server is kept busy: `python -m benchmarks.generation`."""

import asyncio
import json
import multiprocessing
import tempfile
import time
from pathlib import Path
from typing import Any

from trivium.data.jsonl import to_line
from trivium.data.rejects import Rejects
from trivium.generation import persona, run
from trivium.sample import Sample
from trivium.schema import LibraryConfig, OpenAIGenerator

CONCURRENCY, LATENCY, ROUNDS = 32, 1.0, 12
"""Requests under way at once, seconds for each, and how many times each slot is filled."""

SPAN = multiprocessing.Array("d", 2, lock=False)
"""When the server got its first request and gave its last reply, in seconds of one clock."""


async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """A connection of a server that takes a fixed time for every reply."""
    while True:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
        except asyncio.IncompleteReadError:
            return
        fields = dict(line.lower().split(": ", 1) for line in head.decode().split("\r\n")[1:] if line)
        body = json.loads(await reader.readexactly(int(fields.get("content-length", 0))) or b"{}")
        if "seed" in body:
            SPAN[0] = SPAN[0] or time.perf_counter()
            await asyncio.sleep(LATENCY)
            SPAN[1] = time.perf_counter()
        said = (
            f"Aye. On night {body.get('seed')} we lit the lamp and hauled the boats above the line of the weed. Mind the tide."
        )
        content = json.dumps({"question": "What was done on that night in the harbour?", "answer": said})
        usage = {"prompt_tokens": 9, "completion_tokens": 9}
        data: dict[str, Any] = {"data": [{"id": "teacher"}], "choices": [{"message": {"content": content}}], "usage": usage}
        reply = json.dumps(data).encode()
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(reply) + reply)
        await writer.drain()


def serve(port: Any) -> None:
    async def main() -> None:
        server = await asyncio.start_server(answer, "127.0.0.1", 0, backlog=1024)
        port.send(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    asyncio.run(main())


def busy_share(folder: Path, url: str) -> float:
    """Time that the server needs with all slots filled, by the time from its first request to its last reply."""
    jobs = CONCURRENCY * ROUNDS
    passages = folder / "passages.jsonl"
    rows = (Sample(f"work#{i}", "The lamp of Harrow was lit at dusk. " * 20, document="work") for i in range(jobs))
    passages.write_bytes(b"".join(map(to_line, rows)))
    generator = OpenAIGenerator(base_url=url, model="teacher", concurrency=CONCURRENCY, examples_per_passage=1)
    report = run.Report()
    arguments = (LibraryConfig(), persona.load("keeper"), passages, folder / "ledger", Rejects())
    made = list(run.generate(generator, *arguments, lambda step, done: None, report))
    assert len(made) == report.teacher["requests"] == jobs, report.failures
    return ROUNDS * LATENCY / (SPAN[1] - SPAN[0])


def main() -> None:
    import openai  # noqa: F401  # what a run pays once is not what is measured

    here, there = multiprocessing.Pipe()
    server = multiprocessing.Process(target=serve, args=(there,), daemon=True)
    server.start()
    with tempfile.TemporaryDirectory() as folder:
        share = busy_share(Path(folder), f"http://127.0.0.1:{here.recv()}/v1")
    server.terminate()
    print(f"generation with {CONCURRENCY} requests of {LATENCY} s at once: busy {share:.3f} of the time (at least 0.90)")


if __name__ == "__main__":
    main()
