"""Memory, seconds and rest, told of this process itself."""

import os
import signal
import threading
import time

import numpy as np
import pytest

from trivium.backends.interrupt import Stop, graceful_stop
from trivium.backends.measure import Clock, Resident, rest, took

MB = 10**6


def taken(megabytes: int) -> None:
    """Take memory, and give it back."""
    np.ones(megabytes * MB, np.uint8)


@pytest.mark.skipif(not os.access("/proc/self/clear_refs", os.W_OK), reason="the system keeps no mark that can be set back")
def test_the_peak_is_what_was_taken_since_even_if_more_was_taken_before_and_all_is_given_back():
    taken(120)
    memory = Resident()
    assert memory.peak() < 10 * MB
    taken(60)
    assert 57 * MB <= memory.peak() < 75 * MB
    taken(20)
    assert 57 * MB <= memory.peak() < 75 * MB


def test_where_the_mark_cannot_be_set_back_the_ends_of_steps_are_looked_at(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("trivium.backends.measure._forget_high_water", lambda: None)
    taken(120)
    memory = Resident()
    held = np.ones(60 * MB, np.uint8)
    assert 57 * MB <= memory.peak() < 75 * MB
    del held
    assert 57 * MB <= memory.peak() < 75 * MB


def test_seconds_go_on_from_those_before():
    clock = Clock(100.0)
    time.sleep(0.02)
    assert 100.02 <= clock.seconds() < 101
    assert took(4.0, 200) == {"system/train_seconds": 4.0, "system/tokens_per_second": 50.0}
    assert took(0.0, 0) == {}


def test_rest_is_the_asked_share_of_the_time():
    began = time.perf_counter()
    rest(0.3, 0.25, Stop())
    assert time.perf_counter() - began == pytest.approx(0.1, abs=0.05)
    rest(1000.0, 0.0, Stop())


def test_a_signal_ends_a_long_rest_and_is_answered_at_once(capfd: pytest.CaptureFixture[str]):
    threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGTERM)).start()
    began = time.perf_counter()
    with graceful_stop() as stop:
        rest(1000.0, 0.9, stop)
    assert time.perf_counter() - began < 5
    assert stop.signal == "SIGTERM"
    assert (
        "SIGTERM: the step at hand is finished and a checkpoint saved; a second signal stops at once" in capfd.readouterr().err
    )
