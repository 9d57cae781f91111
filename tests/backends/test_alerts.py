"""What is seen while a model trains: rules that do not cry wolf, alerts told once, webhooks that may be dead."""

import json
import logging
import math
import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trivium.backends import webhook
from trivium.backends.alerts import Divergence, Guard, rules, watching
from trivium.errors import ConfigError, NotFinite
from trivium.schema import Config, DistrustPublishedLoss, GrpoMethod, MlflowTracking, UniformLoss
from trivium.tracking import JsonlTracker, open_tracker

ConfigOf = Callable[..., Config]
LINE = {"frac_reward_zero_std": 0.3, "entropy": 2.0, "completions/repetition": 0.1, "completions/length_drift": 1.0}
"""A policy that is well."""


def configured(**changes: Any) -> Config:
    config = Config(**changes)
    config.alerts.webhook = None
    return config


def raised(config: Config, lines: list[dict[str, float]]) -> list[tuple[str, int]]:
    """Kind and line, counted from 1, of the alerts."""
    found = []
    for rule in rules(config):
        for number, line in enumerate(lines, 1):
            if rule.metric in line and rule.tells(line[rule.metric], config.alerts.patience):
                found.append((rule.kind, number))
    return found


def losses(values: list[float]) -> list[dict[str, float]]:
    return [{"loss": value, "nll": value} for value in values]


def falling(lines: int, noise: float, seed: int, floor: float = 0.02) -> list[float]:
    """A loss on its way down to a small one, each line with a factor of log-normal noise."""
    rng = random.Random(seed)
    return [(floor + 2 * math.exp(-10 * i / lines)) * math.exp(rng.gauss(0, noise)) for i in range(lines)]


# --- the rules -------------------------------------------------------------------------------------------------------


@given(st.floats(0.0, 0.3), st.integers(5, 300), st.integers(0, 10_000), st.floats(1e-4, 2.0))
@settings(max_examples=150, deadline=None)
def test_a_noisy_loss_that_falls_however_low_is_no_divergence(noise, lines, seed, floor):
    assert not raised(configured(), losses(falling(lines, noise, seed, floor)))


@pytest.mark.parametrize("seed", range(20))
def test_nor_is_one_that_is_all_noise(seed):
    assert not raised(configured(), losses(falling(300, 1.0, seed)))


def test_single_spikes_are_no_divergence():
    values, config = falling(100, 0.1, 1), configured()
    for i in range(10, 100, 10):
        values[i] = values[i + 1] = 50.0
    config.alerts.patience = 1
    assert not raised(config, losses(values))


@given(st.floats(2.2, 20.0), st.integers(0, 40), st.integers(0, 10_000))
@settings(max_examples=100, deadline=None)
def test_a_loss_that_rises_and_stays_is_a_divergence_within_ten_lines(height, before, seed):
    rng = random.Random(seed)
    values = [1.0 + rng.gauss(0, 0.02) for _ in range(5 + before)] + [height * (1 + rng.gauss(0, 0.02)) for _ in range(10)]
    ((kind, line),) = raised(configured(), losses(values))
    assert kind == "divergence" and 5 + before < line <= len(values)


def test_the_published_loss_is_judged_by_what_it_trains():
    lines = [{"loss": 11 + nll, "nll": nll} for nll in [1.0] * 10 + [8.0] * 10]
    assert raised(configured(loss=DistrustPublishedLoss()), lines) == [("divergence", 15)]
    assert not raised(configured(loss=UniformLoss()), lines)


@pytest.mark.parametrize(
    ("kind", "metric", "bad"),
    [
        ("collapse", "frac_reward_zero_std", 0.95),
        ("entropy", "entropy", 0.001),
        ("repetition", "completions/repetition", 0.6),
        ("length", "completions/length_drift", 5.0),
        ("length", "completions/length_drift", 0.1),
    ],
)
def test_a_policy_that_collapses_is_told_after_so_many_lines_in_a_row(kind, metric, bad):
    config = configured(method=GrpoMethod())
    ill = LINE | {metric: bad}
    assert raised(config, [LINE, ill, ill, LINE, ill, ill, ill, ill]) == [(kind, 7)]
    assert not raised(config, [LINE, ill, ill, LINE] * 5)
    config.alerts.patience = 1
    assert raised(config, [LINE, ill]) == [(kind, 2)]


def test_each_judges_only_its_own_method():
    assert {rule.kind for rule in rules(configured())} == {"divergence"}
    assert {rule.kind for rule in rules(configured(method=GrpoMethod()))} == {"collapse", "entropy", "repetition", "length"}


def test_the_ratio_is_a_setting():
    assert not raised(configured(), losses([1.0] * 10 + [1.7] * 10))
    config = configured()
    config.alerts.divergence = 1.5
    assert raised(config, losses([1.0] * 10 + [1.7] * 10))


def test_a_smoothed_loss_is_told():
    judge = Divergence(2.0)
    assert [judge(value) for value in (4.0, 2.0, 3.0, 100.0, 1.0)][-1] == (False, 3.0)


# --- who is told -----------------------------------------------------------------------------------------------------


class Told:
    """A tracker in a folder, and what was said."""

    def __init__(self, out: Path) -> None:
        self.out, self.said = out, []
        self.tracker = JsonlTracker(out)

    def records(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in (self.out / "metrics.jsonl").read_text(encoding="utf-8").splitlines()]

    def watching(self, config: Config):
        return watching(config, self.tracker, lambda *_: None, self.said.append, self.out)


@pytest.fixture
def told(tmp_path: Path) -> Told:
    return Told(tmp_path / "run")


def diverge(guard: Guard, first: int = 1) -> None:
    for step, value in enumerate([1.0] * 10 + [9.0] * 10, first):
        guard.metrics({"loss": value, "nll": value}, step)


def test_an_alert_is_said_logged_tagged_and_counted_once(told, caplog):
    with told.watching(configured()) as guard:
        diverge(guard)
        diverge(guard, 21)
    assert len(told.said) == 1
    assert told.said[0].startswith("alert divergence at step 15: the smoothed loss is 9, more than 2 times its lowest")
    assert [r.getMessage() for r in caplog.records if r.levelno == logging.WARNING] == told.said
    records = told.records()
    assert [(r["tag"], r["value"]) for r in records if "tag" in r] == [("alert/divergence", "step 15: 9")]
    assert [r["step"] for r in records if r.get("metrics") == {"alerts/divergence": 15.0}] == [15]
    assert guard.found == {"alerts/divergence": 15.0}


def test_a_training_that_goes_on_tells_nothing_again(told):
    with told.watching(configured()) as guard:
        for step in range(1, 12):
            guard.metrics({"loss": 1.0 if step < 8 else 9.0}, step)
    assert not told.said  # stopped before it was sure
    with told.watching(configured()) as guard:
        for step in range(12, 20):
            guard.metrics({"loss": 9.0}, step)
    assert len(told.said) == 1 and guard.found == {"alerts/divergence": 12.0}
    with told.watching(configured()) as guard:
        diverge(guard, 20)
        assert guard.found == {"alerts/divergence": 12.0}
        guard.metrics({"loss": math.nan}, 41)
    assert [said.split()[1] for said in told.said] == ["divergence", "not_finite"]


def test_every_line_and_table_goes_through_and_nothing_is_said_when_off(told):
    config = configured()
    config.alerts.enabled, config.alerts.webhook = False, "env:NOWHERE"
    with pytest.raises(NotFinite), told.watching(config) as guard:
        diverge(guard)
        guard.table("completions", {"a": [1, 2]}, 3)
        raise NotFinite("the loss is not finite")
    assert not told.said and not guard.found
    assert [r["metrics"]["loss"] for r in told.records() if "metrics" in r] == [1.0] * 10 + [9.0] * 10
    assert (told.out / "completions" / "completions_00003.parquet").is_file()


def test_a_training_that_ends_as_not_finite_alerts_first(told):
    with pytest.raises(NotFinite, match="at step 8"), told.watching(configured()) as guard:
        guard.progress(7, 20, {})
        raise NotFinite("the loss or its gradient is not finite at step 8; lower it.")
    assert told.said == ["alert not_finite at step 8: the loss or its gradient is not finite at step 8; lower it."]
    assert [(r["tag"], r["value"]) for r in told.records() if "tag" in r] == [("alert/not_finite", "step 8: nan")]


def test_a_line_that_is_not_finite_is_an_alert(told):
    with told.watching(configured()) as guard:
        guard.metrics({"loss": math.nan}, 3)
    assert guard.found == {"alerts/not_finite": 3.0}


def test_mlflow_has_the_tag_and_the_metric(tmp_path):
    from mlflow import MlflowClient

    uri = f"sqlite:///{tmp_path}/mlflow.db"
    config = configured(tracking=MlflowTracking(uri=uri))
    with (
        open_tracker(config, tmp_path, "watched") as tracker,
        watching(config, tracker, lambda *_: None, lambda _: None, tmp_path) as guard,
    ):
        diverge(guard)
    run = MlflowClient(uri).get_run(tracker.run_id)
    assert run.data.tags["alert/divergence"] == "step 15: 9" and run.data.metrics["alerts/divergence"] == 15.0


# --- webhooks --------------------------------------------------------------------------------------------------------


class Server:
    """A webhook on this machine that answers as told: status codes in turn, the last for good; None hangs up."""

    def __init__(self, *codes: int | None, wait: float = 0.0) -> None:
        self.codes, self.wait = list(codes), wait
        self.got: list[tuple[str, dict[str, Any]]] = []

    @contextmanager
    def running(self) -> Iterator[str]:
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"] or 0))
                outer.got.append((self.path, json.loads(body or b"null")))
                time.sleep(outer.wait)
                code = outer.codes.pop(0) if len(outer.codes) > 1 else outer.codes[0]
                if code is not None:
                    self.send_response(code)
                    self.send_header("Location", "/elsewhere")
                    self.end_headers()

            do_GET = do_POST

            def log_message(self, *_: Any) -> None:
                pass

        server = HTTPServer(("127.0.0.1", 0), Handler)
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/hooks/t0psecret"
        finally:
            server.shutdown()
            thread.join()
            server.server_close()


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhook, "PAUSES", (0.01, 0.01))
    monkeypatch.setattr(webhook, "TIMEOUT", 0.3)


def hooked(monkeypatch: pytest.MonkeyPatch, address: str) -> Config:
    monkeypatch.setenv("HOOK", address)
    config = configured()
    config.alerts.webhook = "env:HOOK"
    return config


def test_a_webhook_gets_every_alert_as_json(told, monkeypatch):
    server = Server(200)
    with server.running() as address, told.watching(hooked(monkeypatch, address)) as guard:
        diverge(guard)
        guard.metrics({"loss": math.inf}, 30)
    (path, first), (_, second) = server.got
    assert path == "/hooks/t0psecret"
    assert first.pop("sentence").startswith("the smoothed loss is 9")
    assert first == {"run": "run run", "run_id": None, "kind": "divergence", "step": 15, "value": 9.0}
    assert (second["kind"], second["step"], second["value"]) == ("not_finite", 30, None)
    assert len(told.said) == 2, "the two alerts and nothing about the webhook"


@pytest.mark.parametrize("codes", [(500, 200), (None, 503, 200), (404, 204)], ids=str)
def test_it_is_tried_three_times(told, monkeypatch, codes):
    server = Server(*codes)
    with server.running() as address, told.watching(hooked(monkeypatch, address)) as guard:
        diverge(guard)
    assert len(server.got) == len(codes) and len(told.said) == 1


@pytest.mark.parametrize(
    ("server", "why"),
    [
        (Server(500), "HTTP 500"),
        (Server(302), "HTTP 302"),
        (Server(None), "RemoteDisconnected|no answer|remote end"),
        (Server(200, wait=0.5), "timed out|no answer|TimeoutError"),
    ],
    ids=["error", "redirection", "hangs up", "too slow"],
)
def test_a_dead_webhook_is_told_once_and_disturbs_nothing(told, monkeypatch, caplog, server, why):
    with server.running() as address:
        began = time.perf_counter()
        with told.watching(hooked(monkeypatch, address)) as guard:
            diverge(guard)
            guard.metrics({"loss": math.inf}, 30)
            assert time.perf_counter() - began < 0.3, "training waits for nothing"
    (said,) = [text for text in told.said if "webhook" in text]
    assert said.startswith("alerts.webhook=env:HOOK: an alert could not be delivered (")
    assert any(word in said for word in why.split("|")), said
    assert {path for path, _ in server.got} == {"/hooks/t0psecret"}
    assert_secret(told, caplog)


NOWHERE = ("http://127.0.0.1:1/t0psecret", "http://t0psecret.invalid/x", "http://[t0psecret", "t0psecret")


@pytest.mark.parametrize("address", NOWHERE)
def test_an_address_that_leads_nowhere_is_never_told(told, monkeypatch, caplog, address):
    with told.watching(hooked(monkeypatch, address)) as guard:
        diverge(guard)
    assert len([text for text in told.said if "webhook" in text]) == 1
    assert_secret(told, caplog)


def assert_secret(told: Told, caplog: pytest.LogCaptureFixture) -> None:
    everything = [*told.said, caplog.text, *(path.read_text() for path in told.out.rglob("*") if path.is_file())]
    assert not any("t0psecret" in text for text in everything)


def test_the_end_waits_a_little_for_a_webhook_that_hangs(told, monkeypatch):
    monkeypatch.setattr(webhook, "CLOSING", 0.3)
    monkeypatch.setattr(webhook, "TIMEOUT", 2.0)
    with Server(200, wait=1.0).running() as address:
        began = time.perf_counter()
        with told.watching(hooked(monkeypatch, address)) as guard:
            diverge(guard)
        assert time.perf_counter() - began < 0.9
        assert "it did not answer in time" in told.said[-1]


@pytest.mark.parametrize(
    ("setting", "value", "said"),
    [
        ("https://example.com/t0psecret", None, "alerts.webhook: allowed is env:NAME"),
        ("env:", None, "alerts.webhook: allowed is env:NAME"),
        ("env:HOOK", None, "alerts.webhook=env:HOOK: the variable HOOK is not set"),
        ("env:HOOK", "ftp://t0psecret", "what HOOK holds is no address of http or https"),
        ("env:HOOK", "http://t0psecret:port/", "what HOOK holds is no address of http or https"),
        ("env:HOOK", "https://", "what HOOK holds is no address of http or https"),
    ],
)
def test_a_bad_webhook_is_one_sentence(monkeypatch, setting, value, said):
    monkeypatch.delenv("HOOK", raising=False)
    if value is not None:
        monkeypatch.setenv("HOOK", value)
    (problem,) = webhook.problems_in(setting)
    assert said in problem and "t0psecret" not in problem


def test_a_webhook_is_checked_before_anything_starts(config_of: ConfigOf, monkeypatch):
    monkeypatch.delenv("HOOK", raising=False)
    with pytest.raises(ConfigError, match=r"alerts\.webhook=env:HOOK: the variable HOOK is not set"):
        config_of("alerts.webhook=env:HOOK")
    assert config_of("alerts=off", "alerts.webhook=env:HOOK")
    monkeypatch.setenv("HOOK", "https://example.com/t0psecret")
    assert config_of("alerts.webhook=env:HOOK").alerts.webhook == "env:HOOK"
