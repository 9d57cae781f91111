"""A study in MLflow's own pages, in a real browser: the trials in a table, their charts, four of them compared."""

import json
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from tests.browser import needs_chromium, page, served


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory, fast: list[str]) -> Iterator[tuple[str, Any, list[Any]]]:
    """The address of MLflow's pages over a sweep of four trials, its parent run and its trials."""
    from mlflow import MlflowClient

    home = tmp_path_factory.mktemp("home")
    words = ["sweep=alpha", "sweep.n_trials=4", "sweep.confirm=0", *fast, "tracking=mlflow"]
    subprocess.run([sys.executable, "-m", "trivium", "-m", *words], cwd=home, check=True, capture_output=True, timeout=300)
    runs = MlflowClient(f"sqlite:///{home}/outputs/mlflow.db").search_runs(["1"])
    kinds = {kind: [run for run in runs if run.data.tags.get("trivium.kind") == kind] for kind in ("study", "trial")}
    with served(home) as address:
        yield address, kinds["study"][0], sorted(kinds["trial"], key=lambda run: int(run.data.tags["trial"]))


def names(trials: list[Any]) -> list[str]:
    found = [trial.info.run_name for trial in trials]
    assert [name.split("=")[0] for name in found] == [f"t{i:03d} alpha" for i in range(4)]
    return found


@pytest.mark.slow
@needs_chromium
def test_the_studys_view_shows_its_trials_and_their_charts(study: tuple[str, Any, list[Any]]) -> None:
    from playwright.sync_api import expect

    address, parent, trials = study
    view = f"{address}/#/experiments/1/runs?viewStateShareKey={parent.info.run_id}&compareRunsMode="
    with page() as shown:
        shown.goto(view + "TABLE")
        for name in names(trials):
            expect(shown.get_by_role("link", name=name, exact=True).first).to_be_visible(timeout=60_000)
        for column in ("objective", "loss.alpha"):
            expect(shown.get_by_text(column, exact=True).first).to_be_visible(timeout=30_000)
    with page() as shown:
        shown.goto(view + "CHART")
        for chart in ("Parallel Coordinates", "objective", "eval/source_preference"):
            expect(shown.get_by_text(chart, exact=True).first).to_be_visible(timeout=60_000)


@pytest.mark.slow
@needs_chromium
def test_four_trials_are_compared_by_what_differs(study: tuple[str, Any, list[Any]]) -> None:
    from playwright.sync_api import expect

    address, _, trials = study
    chosen = json.dumps([trial.info.run_id for trial in trials])
    with page() as shown:
        shown.goto(f"{address}/#/compare-runs?runs={chosen}&experiments=[%221%22]")
        for name in names(trials):
            expect(shown.get_by_text(name, exact=True).first).to_be_visible(timeout=60_000)
        for axis in ("loss.alpha", "objective"):
            expect(shown.locator("svg").get_by_text(axis, exact=True).first).to_be_visible(timeout=30_000)


@pytest.mark.slow
@needs_chromium
def test_the_parent_tells_the_answer_and_holds_the_report(study: tuple[str, Any, list[Any]]) -> None:
    from playwright.sync_api import expect

    address, parent, _ = study
    with page() as shown:
        shown.goto(f"{address}/#/experiments/1/runs/{parent.info.run_id}")
        expect(shown.get_by_text("a search to maximize", exact=False).first).to_be_visible(timeout=60_000)
    with page() as shown:
        shown.goto(f"{address}/#/experiments/1/runs/{parent.info.run_id}/artifacts")
        for name in ("report.html", "plots"):
            expect(shown.get_by_text(name, exact=True).first).to_be_visible(timeout=60_000)
