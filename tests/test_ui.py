"""The MLflow UI in a real browser, on the database that a run left; skipped, with a reason, where no Chromium is installed."""

import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

CHROMIUM = next((path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), None)
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking", "--disable-component-update"]
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
    """The address of an MLflow server, as `make ui` starts it, over one small run of the default experiment."""
    subprocess.run([sys.executable, "-m", "trivium", *SMALL], cwd=tmp_path, check=True, capture_output=True, timeout=300)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    store = ["--backend-store-uri", "sqlite:///outputs/mlflow.db", "--artifacts-destination", "outputs/mlartifacts"]
    command = [sys.executable, "-m", "mlflow", "server", *store, "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    address = f"http://127.0.0.1:{port}"
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
        try:
            _await(address + "/health")
            yield address
        finally:
            server.terminate()


def _await(address: str) -> None:
    for _ in range(240):
        try:
            urllib.request.urlopen(address, timeout=2)
            return
        except OSError:
            time.sleep(0.5)
    raise TimeoutError(address)


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium found: apt-get install chromium")
def test_the_arms_stand_in_the_mlflow_ui(ui: str) -> None:
    from playwright.sync_api import expect, sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        page = browser.new_page(viewport={"width": 1500, "height": 800})
        page.goto(f"{ui}/#/experiments/1/runs")
        page.locator("button[data-component-id*=runnamecellrenderer]").first.click(timeout=60_000)
        for name in ("uniform", "published", "shuffled", "distrust"):
            expect(page.get_by_role("link", name=name, exact=True).first).to_be_visible(timeout=30_000)
        browser.close()
