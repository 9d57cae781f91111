"""What parent and child say to each other: one JSON object a line over a local socket, a kind and what it says."""

import json
import os
import socket
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from trivium import errors

ADDRESS = "TRIVIUM_PROCESS_SOCKET"
"""Environment variable with the path of the socket that the parent listens on."""

OURS = tuple(
    name
    for name, kind in vars(errors).items()
    if isinstance(kind, type) and issubclass(kind, errors.TriviumError) and kind is not errors.Interrupted
)
"""Errors that tell a user what went wrong, by name."""

Error = dict[str, Any]


class Line:
    """A child's end of the connection."""

    def __init__(self, address: str) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.connect(address)
        self._lock = threading.Lock()

    def say(self, kind: str, *content: Any) -> None:
        """Send one word; raises `BrokenPipeError` when the parent is gone."""
        data = b"\n" + json.dumps([kind, *content], default=float).encode() + b"\n"  # a word cut short ends here
        with self._lock:
            self._socket.sendall(data)

    def wait_for_the_end(self) -> None:
        """Until the parent hangs up, or dies."""
        while self._socket.recv(4096):
            pass


def parse(line: bytes) -> list[Any]:
    """The word in a line, its kind first; nothing for one that a signal cut short."""
    try:
        word: list[Any] = json.loads(line)
    except ValueError:
        return []
    return word


def of_error(error: BaseException) -> Error:
    """An error as the content of a word: its class by name if it is one of ours, with all that makes it again."""
    word: Error = {"error": type(error).__name__, "message": str(error), "at": time.time()}
    if isinstance(error, errors.ConfigError):
        word["problems"] = error.problems
    if isinstance(error, OSError):
        word |= {"errno": error.errno, "strerror": error.strerror, "filename": os.fspath(error.filename or "")}
    return word


def to_error(word: Mapping[str, Any], log: Path) -> BaseException:
    """The error that a word tells of. One that no user should see is told with the place of its traceback, `log`."""
    known = getattr(errors, word["error"], None)
    if word["error"] == "KeyboardInterrupt":
        return KeyboardInterrupt()
    if isinstance(known, type) and issubclass(known, errors.TriviumError):
        return known(word.get("problems") or word["message"])
    if word.get("errno") is not None:
        return OSError(word["errno"], word["strerror"], word["filename"] or None)
    reason = " ".join(word["message"].split())[:200]
    return errors.TrainingError(f"the training process failed with {word['error']} ({reason}); the traceback is in {log}.")
