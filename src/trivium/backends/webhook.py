"""A webhook that is sent messages beside a training, which neither waits for it nor fails with it.

Its address is a secret: it is read from the environment and stands in no configuration, log or error.
"""

import json
import logging
import os
import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from queue import SimpleQueue
from typing import Any
from urllib.parse import urlsplit

logger = logging.getLogger(__name__)

SETTING = re.compile(r"env:([A-Za-z_]\w*)", re.ASCII)
TIMEOUT, PAUSES = 5.0, (0.5, 2.0)
"""Seconds that one attempt may take, and those before the second and third."""
CLOSING = 10.0
"""Seconds that the end of a training waits for messages under way."""


def problems_in(setting: str) -> Iterator[str]:
    """A sentence for what is no setting, or names a variable without an address; the value itself is never told."""
    found = SETTING.fullmatch(setting)
    if found is None:
        yield "alerts.webhook: allowed is env:NAME, the name of an environment variable that holds the address; or null."
        return
    address = os.environ.get(found[1], "")
    if not _is_address(address):
        wrong = f"what {found[1]} holds is no address of http or https" if address else f"the variable {found[1]} is not set"
        yield f"alerts.webhook={setting}: {wrong}; put the webhook's address into it, or set alerts.webhook=null."


def _is_address(text: str) -> bool:
    try:
        parts = urlsplit(text)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        return False


class Webhook:
    """Posts JSON from a thread of its own, three attempts each; the first failure is told, none stops anything."""

    def __init__(self, address: str, setting: str, warn: Callable[[str], None]) -> None:
        self._address, self._setting, self._warn = address, setting, warn
        self._told = False
        self._queue: SimpleQueue[Mapping[str, Any] | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._work, name="webhook", daemon=True)
        self._thread.start()

    @classmethod
    def of(cls, setting: str, warn: Callable[[str], None]) -> "Webhook":
        """The webhook that `env:NAME` stands for, which the check has found good."""
        return cls(os.environ.get(setting.partition(":")[2], ""), setting, warn)

    def send(self, message: Mapping[str, Any]) -> None:
        """Send it some time; returns at once."""
        self._queue.put(message)

    def close(self) -> None:
        """Wait a little for what is under way."""
        self._queue.put(None)
        self._thread.join(CLOSING)
        if self._thread.is_alive():
            self._tell("it did not answer in time")

    def _work(self) -> None:
        while (message := self._queue.get()) is not None:
            why = self._deliver(json.dumps(message).encode())
            if why is not None:
                self._tell(why)

    def _deliver(self, body: bytes) -> str | None:
        """None when it was taken, else why not."""
        why = _post(self._address, body)
        for pause in PAUSES:
            if why is None:
                return None
            time.sleep(pause)
            why = _post(self._address, body)
        return why

    def _tell(self, why: str) -> None:
        if not self._told:
            self._told = True
            text = f"alerts.webhook={self._setting}: an alert could not be delivered ({why}); the training is not affected."
            logger.warning("%s", text)
            self._warn(text)


def _post(address: str, body: bytes) -> str | None:
    """None when a server took it, else a reason that does not tell the address; redirections are not followed."""
    from http.client import HTTPException
    from urllib.error import HTTPError, URLError
    from urllib.request import HTTPRedirectHandler, Request, build_opener

    class Stay(HTTPRedirectHandler):
        def redirect_request(self, *_: Any) -> None:
            return None

    try:
        request = Request(address, body, {"Content-Type": "application/json", "User-Agent": "trivium"}, method="POST")
        with build_opener(Stay).open(request, timeout=TIMEOUT):
            return None
    except HTTPError as error:
        return f"HTTP {error.code}"
    except URLError as error:
        return _words(error.reason)
    except (OSError, HTTPException, ValueError) as error:
        return _words(error)


def _words(reason: object) -> str:
    """What an operating system says; of other errors the kind only, for their words may hold the address."""
    return str(reason.strerror or "no answer").lower() if isinstance(reason, OSError) else type(reason).__name__
