"""Requests a second that acquisition reaches, over the rate that is configured: `python -m benchmarks.acquire`.

Newspaper pages are fetched from a server on this machine that answers after a while and fails now and then: attempts count.
"""

import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "acquire"))

WANTED = 0.95
RATES = (5, 20, 50, 100)
SECONDS = 6
LATENCY = 0.05
"""Seconds that an answer takes."""


def measure(rate: float) -> tuple[int, float]:
    """Requests sent and seconds between the first and the last."""
    from local import config_for
    from server import Archive, Reply, Request, newspapers, status

    from trivium.acquire.run import acquire

    def late(request: Request, reply: Reply) -> Reply:
        return Reply(reply.body, reply.status, reply.headers, delay=LATENCY)

    archive = Archive()
    try:
        pages = max(6, round(rate * SECONDS / 2.2))
        newspapers(archive, pages)
        archive.fault("/tile/[0-9]*7$", status(503), times=pages // 10)
        archive.fault("/", late)
        source = {"press": {"kind": "newspapers", "n": pages}}
        concurrency = max(4, round(rate * LATENCY * 2))
        with tempfile.TemporaryDirectory() as out:
            acquire(config_for(archive.url, source, requests_per_second=float(rate), concurrency=concurrency), Path(out))
        times = sorted(request.when for request in archive.log)
        return len(times), times[-1] - times[0]
    finally:
        archive.close()


def main() -> None:
    for rate in RATES:
        requests, seconds = measure(rate)
        reached = (requests - 1) / seconds
        print(
            f"{rate:>4} a second configured: {requests} requests in {seconds:.1f} s, {reached:.1f} a second; "
            f"{reached / rate:.3f} of the rate (at least {WANTED})",
            flush=True,
        )


if __name__ == "__main__":
    main()
