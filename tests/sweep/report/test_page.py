"""The whole report of made-up studies: what is written, said and left out."""

import json
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from html import unescape
from pathlib import Path

import optuna
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution
from optuna.trial import TrialState
from studies import PREFERENCE, RATIO, SPACE, alpha_study, confirmed, random_study, trial

from trivium.artifact import write_json
from trivium.console import Console, Screen
from trivium.schema import SweepConfig
from trivium.sweep.report import StudyFacts, outcome, tell, write_report

CONFIG = SweepConfig(name="alpha", objectives=[f"maximize {PREFERENCE}"])
CHROMIUM = next((path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), None)
HEADLESS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking", "--disable-component-update"]


def words(page: Path) -> str:
    """What a reader without scripts sees."""
    text = re.sub(r"<(script|style).*?</\1>", " ", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    return " ".join(unescape(re.sub(r"<[^>]*>", " ", text)).split())


def two_objectives() -> tuple[optuna.Study, StudyFacts, SweepConfig]:
    study = optuna.create_study(directions=["maximize", "minimize"])
    for one in random_study(12, lambda p, _: p["loss.alpha"] / 10).trials:
        ratio = 1 + one.params["loss.alpha"] / 20
        spread = {
            f"{m}_ci_{end}": v + s
            for m, v in ((PREFERENCE, one.value), (RATIO, ratio))
            for end, s in (("low", -0.02), ("high", 0.02))
        }
        study.add_trial(trial(one.number, one.params, SPACE, one.value, ratio, metrics=spread, violation=ratio - 1.3))
    sought = SweepConfig(objectives=[f"maximize {PREFERENCE}", f"minimize {RATIO}"], constraints=[f"{RATIO} <= 1.3"])
    return study, StudyFacts("pareto", "distrust", 12, distributions=SPACE, base={PREFERENCE: 0.1, RATIO: 1.0}), sought


def test_the_answer_stands_first(tmp_path: Path) -> None:
    study, facts = alpha_study()
    facts = replace(facts, confirmed=confirmed(best=[0.9, 0.91, 0.92], default=[0.7, 0.71, 0.69]))
    report = write_report(study, CONFIG, facts, tmp_path)
    assert report.sentences[0] == f"Best of 6 complete trials: loss.alpha=8 with {PREFERENCE} 0.940 [0.890, 0.990]."
    assert "+0.210" in report.sentences[1]
    said = words(report.page)
    assert said.index(report.sentences[0]) < said.index(report.sentences[1]) < said.index("Run it") < said.index("Trials")
    assert "trivium experiment=distrust adapter.r=8 loss.alpha=8" in said
    assert "base not trained 0.120" in said
    assert "default mean of 3 fresh seeds 0.700" in said
    assert "run0" in said


def test_files_are_whole_and_need_nothing_from_elsewhere(tmp_path: Path) -> None:
    study, facts = alpha_study()
    report = write_report(study, CONFIG, facts, tmp_path)
    assert {path.stem for path in report.plots} == {"curve", "history", "timeline"}
    assert all(path.stat().st_size > 5000 for path in report.plots)
    assert report.page.stat().st_size < 8e6
    page = report.page.read_text(encoding="utf-8")
    assert not re.findall(r"""<(?:script|img|link)[^>]+(?:src|href)=["'](?!data:)""", page)
    assert page.count("plotly.js v") == 1


def test_plots_that_do_not_apply_are_explained(tmp_path: Path) -> None:
    study, facts = alpha_study()
    report = write_report(study, CONFIG, facts, tmp_path)
    assert set(report.left_out) == {"importance", "pareto", "slice", "intermediate", "parallel_coordinate", "contour"}
    assert "6 complete trials do not tell" in report.left_out["importance"]
    assert f"importance: {report.left_out['importance']}" in words(report.page)


def test_two_objectives_have_a_front(tmp_path: Path) -> None:
    study, facts, sought = two_objectives()
    facts = replace(facts, confirmed=confirmed(front_0=[0.5, 0.51], default=[0.1, 0.12]))
    report = write_report(study, sought, facts, tmp_path)
    names = {path.stem for path in report.plots}
    assert {"pareto", "history_0", "history_1", "slice_0", "contour_1", "parallel_coordinate_0", "importance"} <= names
    assert len(report.commands) == len(report.experiments) == len(study.best_trials) > 1
    assert report.experiments[0].stem == "pareto_front_0"
    assert "front 0 − default paired over seeds" in words(report.page)
    assert report.importance[RATIO].keys() == SPACE.keys()
    feasible = [t for t in study.trials if t.values[1] <= 1.3]
    assert f"loss.alpha={max(t.params['loss.alpha'] for t in feasible)}" in report.commands[0]


def test_repeats_give_the_interval(tmp_path: Path) -> None:
    study = optuna.create_study(direction="maximize")
    for number in range(3):
        point = {"loss.alpha": 1.0 + number, "adapter.r": 8, "loss": "uniform"}
        study.add_trial(trial(number, point, SPACE, 0.5 + number / 10, repeats=[0.4 + number / 10, 0.6 + number / 10]))
    report = write_report(study, CONFIG, StudyFacts("s", "distrust", 3, distributions=SPACE), tmp_path)
    assert "0.700 [-0.571, 1.971]" in report.sentences[0]


def test_what_a_value_or_a_reason_holds_is_never_read_as_markup(tmp_path: Path) -> None:
    nasty = "</script><script>document.title='taken'</script><b>$x_1"
    quoted = nasty.replace("'", "\\'")
    study = optuna.create_study(direction="maximize")
    space = {**SPACE, "loss": CategoricalDistribution([nasty, "uniform"])}
    for number in range(4):
        point = {"loss.alpha": 1.0 + number, "adapter.r": 8 + number, "loss": nasty if number % 2 else "uniform"}
        told = {"run_id": nasty, "worker": nasty, "overrides": [f"dataset.chat.prompt='{quoted}'"]}
        study.add_trial(trial(number, point, space, number / 10, **told))
    study.add_trial(trial(4, point, space, state=TrialState.FAIL, reason=nasty))
    report = write_report(study, CONFIG, StudyFacts("s", "distrust", 5, ["name='a<b>'"], {"loss": nasty}, space), tmp_path)
    assert "</script><script>document" not in report.page.read_text(encoding="utf-8")
    assert nasty in words(report.page)
    if CHROMIUM:
        assert _title(report.page) == "s: report of a study"


def _title(page: Path) -> str:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=HEADLESS)
        tab = browser.new_page()
        tab.goto(page.as_uri())
        tab.wait_for_timeout(500)
        title = tab.title()
        browser.close()
    return title


def test_an_unfinished_study_says_so(tmp_path: Path) -> None:
    study, facts = alpha_study()
    point = {"loss.alpha": 1}
    study.add_trial(trial(6, point, facts.distributions, state=TrialState.PRUNED, steps={25: 0.1, 50: 0.2}))
    study.add_trial(trial(7, point, facts.distributions, state=TrialState.FAIL, reason="out of memory"))
    study.add_trial(trial(8, point, facts.distributions, state=TrialState.RUNNING))
    facts = replace(facts, n_trials=12)
    report = write_report(study, CONFIG, facts, tmp_path)
    assert "The study is not finished: 7 of 12 trials are." in report.sentences
    assert "6 complete, 1 pruned, 1 failed, 1 running of 12" in words(report.page)
    assert "out of memory" in words(report.page)
    assert "intermediate" in {path.stem for path in report.plots}
    assert outcome(study, CONFIG, facts, report)["status"] == "unfinished"


@pytest.mark.parametrize("state", [None, TrialState.FAIL, TrialState.RUNNING])
def test_a_study_without_an_answer_has_a_report(tmp_path: Path, state: TrialState | None) -> None:
    study = optuna.create_study(direction="maximize")
    if state:
        study.add_trial(trial(0, {"loss.alpha": 1.0, "adapter.r": 8, "loss": "uniform"}, SPACE, state=state))
    facts = StudyFacts("s", "distrust", 3, distributions=SPACE)
    report = write_report(study, CONFIG, facts, tmp_path)
    assert report.commands == [] and report.experiments == []
    assert report.sentences[0] == "No trial is complete, so that there is no answer yet."
    assert outcome(study, CONFIG, facts, report)["status"] == "failed"


def test_equal_values_and_one_value_of_a_parameter_are_drawn(tmp_path: Path) -> None:
    study = optuna.create_study(direction="minimize")
    for number in range(9):
        study.add_trial(trial(number, {"loss.alpha": 1.0, "adapter.r": 8, "loss": "uniform"}, SPACE, 0.5))
    config = SweepConfig(objectives=[f"minimize {PREFERENCE}"])
    report = write_report(study, config, StudyFacts("s", "distrust", 9, distributions=SPACE), tmp_path)
    assert "the same value" in report.left_out["importance"]


def test_a_new_report_leaves_no_old_plots(tmp_path: Path) -> None:
    study, facts = alpha_study()
    first = write_report(study, CONFIG, facts, tmp_path)
    empty = optuna.create_study(direction="maximize")
    second = write_report(empty, CONFIG, facts, tmp_path)
    assert first.plots and not second.plots
    assert not list((tmp_path / "plots").iterdir())
    assert not list((tmp_path / "conf/experiment").iterdir())


def test_time_is_told_by_stage(tmp_path: Path) -> None:
    study, facts = alpha_study()
    timed = optuna.create_study(direction="maximize")
    for one in study.trials:
        one.user_attrs = {**one.user_attrs, "folder": f"trials/{one.number:04d}"}
        timed.add_trial(one)
        write_json(tmp_path / one.user_attrs["folder"] / "result.json", {"stages": {"train": {"seconds": 2.5}}})
    (tmp_path / "trials/0005/result.json").write_text("{", encoding="utf-8")
    report = write_report(timed, CONFIG, facts, tmp_path)
    assert "of trials: train 5 12.5 2.5" in words(report.page)
    assert "complete trials 6 60.0 10.0" in words(report.page)
    assert "first start to last end 50.0" in words(report.page)


def test_many_parameters_are_drawn_in_rows(tmp_path: Path) -> None:
    space = {f"group.key_{i}": FloatDistribution(0, 1) for i in range(6)}
    study = optuna.create_study(direction="maximize")
    for number in range(4):
        study.add_trial(trial(number, dict.fromkeys(space, number / 4), space, number / 4, overrides=["seed=1"]))
    report = write_report(study, CONFIG, StudyFacts("s", "distrust", 4, distributions=space), tmp_path)
    from matplotlib.image import imread

    height, width, _ = imread(next(path for path in report.plots if path.name == "slice.png")).shape
    assert width < 3 * height
    assert "group.key_5" in words(report.page)


def test_the_outcome_is_plain_data(tmp_path: Path) -> None:
    study, facts = alpha_study()
    facts = replace(facts, confirmed=confirmed(best=[0.9, 0.91], default=[0.7, 0.71]))
    report = write_report(study, CONFIG, facts, tmp_path)
    found = json.loads(json.dumps(outcome(study, CONFIG, facts, report), allow_nan=False))
    assert found["status"] == "ok"
    assert found["counts"]["complete"] == found["finished"] == 6
    assert found["best"][0]["overrides"] == ["loss.alpha=8"]
    assert found["best"][0]["values"][PREFERENCE] == pytest.approx({"value": 0.94, "low": 0.89, "high": 0.99})
    assert found["confirmed"][0]["difference"]["value"] == pytest.approx(0.2)
    assert found["command"] == report.commands[0]


def test_the_terminal_tells_the_answer(tmp_path: Path) -> None:
    study, facts = alpha_study()
    report = write_report(study, CONFIG, facts, tmp_path)
    screen = Screen(Console(width=160, soft_wrap=True))
    with screen.console.capture() as captured:
        tell(report, screen)
    told = captured.get()
    assert "[0.890, 0.990]" in told
    assert report.sentences[0] in told
    assert report.commands[0] in told
    assert str(report.page) in told


def test_importing_the_report_loads_nothing_heavy() -> None:
    heavy = "optuna,mlflow,torch,plotly,matplotlib,pandas,jinja2,scipy"
    code = f"import sys, trivium.sweep.report; print([m for m in '{heavy}'.split(',') if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium found: apt-get install chromium")
def test_the_page_draws_without_a_network(tmp_path: Path) -> None:
    from playwright.sync_api import sync_playwright

    study, facts = alpha_study()
    report = write_report(study, CONFIG, facts, tmp_path)
    asked: list[str] = []
    errors: list[str] = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=HEADLESS)
        page = browser.new_page(viewport={"width": 1100, "height": 800})
        page.on("request", lambda request: asked.append(request.url))
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.goto(report.page.as_uri())
        page.locator("figure .main-svg").first.wait_for(timeout=20_000)
        drawn = page.locator("figure .js-plotly-plot").count()
        stars = page.locator("figure .points path").count()
        browser.close()
    assert errors == []
    assert [url for url in asked if not url.startswith(("file:", "data:", "blob:"))] == []
    assert drawn == len(report.plots) // 2
    assert stars >= 12
