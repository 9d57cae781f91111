"""The MLflow UI in a real browser, on the database that a run left; skipped, with a reason, where no Chromium is installed."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.browser import needs_chromium, page, served

SMALL = (
    "model.build.max_steps=5",
    "model.build.facts=20",
    "method.max_steps=2",
    "dataset.world.disputed=4",
    "dataset.world.coordinated_only=4",
    "dataset.world.corrected=4",
    "evaluation.bootstrap_samples=100",
)


@pytest.fixture
def ui(tmp_path: Path) -> Iterator[str]:
    """MLflow's pages over one small run of the default experiment."""
    subprocess.run([sys.executable, "-m", "trivium", *SMALL], cwd=tmp_path, check=True, capture_output=True, timeout=300)
    with served(tmp_path) as address:
        yield address


@pytest.mark.slow
@needs_chromium
def test_the_arms_stand_in_the_mlflow_ui(ui: str) -> None:
    from playwright.sync_api import expect

    with page() as shown:
        shown.goto(f"{ui}/#/experiments/1/runs")
        shown.locator("button[data-component-id*=runnamecellrenderer]").first.click(timeout=60_000)
        for name in ("uniform", "published", "shuffled", "distrust"):
            expect(shown.get_by_role("link", name=name, exact=True).first).to_be_visible(timeout=30_000)
