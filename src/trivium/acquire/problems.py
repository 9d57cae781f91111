"""What a server does that costs an item: every one is counted by its kind, and none ends the run."""

from urllib.parse import urljoin

from trivium.data.rejects import BadRow


class Gone(BadRow):
    """404 or 410: there is no such thing, or no longer; another address may have it."""


class HostGivenUp(BadRow):
    """Nothing more is sent to a host: it asked for too long a wait, failed too often, or cannot be reached."""

    def __init__(self, host: str, why: str) -> None:
        super().__init__("host given up", f"{host}: {why}")


class Unavailable(BadRow):
    """It may work later: 429, 5xx, a cut connection, silence. `wait` is what the server asks for, in seconds."""

    def __init__(self, kind: str, detail: str = "", host: str = "", wait: float | None = None) -> None:
        super().__init__(kind, detail)
        self.host, self.wait = host, wait


def absolute(address: str, base: str) -> str:
    """An address from an answer, completed by where it stood. Raises `BadRow` when it is none."""
    try:
        return urljoin(f"{base.rstrip('/')}/", address)
    except ValueError:
        raise BadRow("not an address", repr(address)[:200]) from None
