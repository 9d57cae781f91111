"""Several processes that train together, in tests: forked from one that has the libraries loaded, which takes no time."""

import multiprocessing
import os
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from torch import distributed

_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload(["trivium.backends.torch.sft", "trivium.backends.torch.grpo"])


def together(count: int, folder: Path, work: Callable[..., Any], *args: Any) -> list[Any]:
    """What `work(*args)` gives in each of so many processes, or the error that it ended with; `folder` is for their meeting."""
    folder.mkdir(parents=True, exist_ok=True)
    meeting = folder / f"meeting-{len(list(folder.iterdir()))}"
    pipes, processes = [], []
    for rank in range(count):
        here, there = _context.Pipe(duplex=False)
        process = _context.Process(target=_one, args=(rank, count, meeting, there, work, args))
        process.start()
        there.close()
        pipes.append(here)
        processes.append(process)
    found = [_heard(pipe) for pipe in pipes]
    for process in processes:
        process.join(20)
        process.kill()
    return found


def _heard(pipe: Connection) -> Any:
    try:
        return pipe.recv() if pipe.poll(120) else TimeoutError("no answer")
    except EOFError:
        return ChildProcessError("ended without a word")


def _one(rank: int, count: int, meeting: Path, pipe: Connection, work: Callable[..., Any], args: tuple[Any, ...]) -> None:
    os.environ.update(RANK=str(rank), LOCAL_RANK=str(rank), WORLD_SIZE=str(count), LOCAL_WORLD_SIZE=str(count))
    os.environ.update(MASTER_ADDR="127.0.0.1", MASTER_PORT="29500")  # looked for, never used: they meet over the file
    distributed.init_process_group("gloo", init_method=f"file://{meeting}", rank=rank, world_size=count)
    try:
        answer = work(*args)
    except Exception as error:
        answer = error
    pipe.send(answer)
    distributed.destroy_process_group()
