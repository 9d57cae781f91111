"""What a training takes: memory, seconds, tokens; and the rest between its steps."""

import ctypes
import gc
import sys
import time
from dataclasses import dataclass, field

from trivium.backends.interrupt import Stop

PEAK, SECONDS, RATE = "system/peak_memory_gb", "system/train_seconds", "system/tokens_per_second"
"""Most memory held at once (GB, 10⁹ bytes); seconds of all steps with what lies between them; tokens in those seconds."""
_SLICE = 0.2


@dataclass
class Clock:
    """Seconds of training, those before an interruption included."""

    before: float = 0.0
    since: float = field(default_factory=time.perf_counter)

    def seconds(self) -> float:
        """So far."""
        return self.before + time.perf_counter() - self.since


def took(seconds: float, tokens: int) -> dict[str, float]:
    """The measures of a whole training; nothing of one without a step."""
    return {SECONDS: seconds, RATE: tokens / seconds} if tokens and seconds else {}


def rest(seconds: float, share: float, stop: Stop) -> None:
    """Sleep after so many seconds of work, so that rest is this share of the whole time; a stop ends it."""
    until = time.perf_counter() + seconds * share / (1.0 - share)
    while share and not stop and (left := until - time.perf_counter()) > 0:
        time.sleep(min(left, _SLICE))


class Resident:
    """The memory of this process, on a machine without an accelerator: how far its resident set has grown, at most.

    Python, the libraries and whatever else was loaded before are not in it. On Linux the peak is exact; elsewhere, where an
    earlier stage of the same process held more, it is what is there at the ends of steps.
    """

    def __init__(self) -> None:
        gc.collect()
        _give_back()
        _forget_high_water()
        self._before, self._mark = _resident(), _high_water()
        self._most = 0

    def peak(self) -> int:
        """Bytes."""
        mark = _high_water()
        now = mark if mark > self._mark else _resident()
        self._most = max(self._most, now - self._before)
        return self._most


def _resident() -> int:
    import psutil

    return int(psutil.Process().memory_info().rss)


def _high_water() -> int:
    """Most bytes that were ever resident."""
    if sys.platform == "win32":
        import psutil

        return int(psutil.Process().memory_info().peak_wset)
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def _give_back() -> None:
    """Give what was freed before back to the system, for what is taken of it again would be no growth; glibc can."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None) if sys.platform == "linux" else None
    if trim is not None:
        trim(0)


def _forget_high_water() -> None:
    """Set the mark back to what is resident now, which Linux can."""
    try:
        with open("/proc/self/clear_refs", "w", encoding="ascii") as file:
            file.write("5")
    except OSError:
        return
