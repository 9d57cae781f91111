"""Who may begin a trial and what becomes of it, without training any."""

import random
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from trivium.errors import ConfigError, TrainingError
from trivium.schema import SweepConfig
from trivium.sweep.outcome import Outcome
from trivium.sweep.spec import Spec, load
from trivium.sweep.study import Search

FAILED = Outcome("failed", reason="it broke")
ALPHA = {"loss.alpha": "interval(0, 8)"}
FIVE, ZERO = {"loss.alpha": 5.0}, {"loss.alpha": 0.0}


@pytest.fixture
def bench(bench: Any) -> Any:
    """Studies without an experiment behind them."""

    def begin(name: str = "study", **settings: Any) -> Search:
        sweep = SweepConfig(**{"name": "alpha", "params": ALPHA, "storage": "journal", **settings})
        Spec("alpha", "none", bench.home / name, [], None, sweep, {}).write()
        return bench.open(name)

    bench.begin, bench.open = begin, lambda name="study": Search(load(bench.home / name), None)
    return bench


def states(search: Search) -> list[str]:
    return [t.state.name for t in search.trials() if t.state.name != "WAITING"]


def alphas(search: Search, *kinds: str) -> list[float]:
    return [t.params["loss.alpha"] for t in search.trials(*kinds) if "loss.alpha" in t.params]


def test_exactly_the_asked_number_of_trials_is_given_out(bench: Any) -> None:
    search = bench.begin(n_trials=3)
    with search.worker() as me:
        while (trial := search.claim(me)) is not None:
            bench.end(search, trial, 0.5)
    assert states(search) == ["COMPLETE"] * 3


def test_what_others_hold_counts_until_it_is_free_again(bench: Any) -> None:
    first, second = bench.begin(n_trials=1), bench.open()
    got: list[Any] = []
    with first.worker() as me:
        held = first.claim(me)
        with second.worker() as other:
            waiting = threading.Thread(target=lambda: got.append(second.claim(other)))
            waiting.start()
            waiting.join(1.0)
            assert waiting.is_alive()
            first.settle(held, FAILED, 1.0)
            waiting.join(10.0)
    assert got[0].number == 1
    assert got[0].params != held.params


def test_given_points_come_first_in_their_order(bench: Any) -> None:
    search = bench.begin(n_trials=4, points=[FIVE, ZERO])
    with search.worker() as me:
        while (trial := search.claim(me)) is not None:
            bench.end(search, trial, 0.5)
    assert alphas(search)[:2] == [5.0, 0.0]
    assert len(set(alphas(search))) == 4


def test_points_are_queued_once_however_often_a_study_is_opened(bench: Any) -> None:
    bench.begin(n_trials=2, points=[FIVE])
    assert len(bench.open().trials("WAITING")) == len(bench.open().trials("WAITING")) == 1


def test_a_pruned_trial_counts_and_a_failed_one_does_not(bench: Any) -> None:
    search = bench.begin(n_trials=2)
    with search.worker() as me:
        for found in (Outcome("pruned"), FAILED):
            search.settle(search.claim(me), found, 1.0)
        bench.end(search, search.claim(me), 0.5)
        assert search.claim(me) is None
    assert states(search) == ["PRUNED", "FAIL", "COMPLETE"]


def test_what_is_told_of_a_trial_stands_in_the_study(bench: Any) -> None:
    search = bench.begin(n_trials=1, constraints=["eval/source_preference >= 0.7"])
    with search.worker() as me:
        trial = search.claim(me)
        bench.end(search, trial, 0.5)
    (found,) = bench.open().trials("COMPLETE")
    assert found.user_attrs["overrides"] == [f"loss.alpha={found.params['loss.alpha']!r}"]
    assert found.user_attrs["worker"] == me.name
    assert found.user_attrs["metrics"] == {"eval/source_preference": 0.5}
    assert Path(found.user_attrs["folder"]) == search.folder_of(0)
    assert found.constraints == {"eval/source_preference >= 0.7": pytest.approx(0.2)}


# --- the dead --------------------------------------------------------------------------------------------------------


def test_the_point_of_a_dead_worker_is_tried_again(bench: Any) -> None:
    search = bench.begin(n_trials=2)
    with search.worker() as me:
        lost = search.claim(me)
    with search.worker() as me:
        again = search.claim(me)
        assert again.params == lost.params
        assert states(search) == ["FAIL", "RUNNING"]


def test_a_result_that_a_dead_worker_wrote_counts(bench: Any) -> None:
    search = bench.begin(n_trials=2)
    with search.worker() as me:
        bench.wrote(search, search.claim(me).number, {"eval/source_preference": 0.25})
    with search.worker() as me:
        search.claim(me)
    assert states(search) == ["COMPLETE", "RUNNING"]
    assert search.trials("COMPLETE")[0].values == [0.25]


def test_a_living_worker_keeps_its_trial(bench: Any) -> None:
    first, second = bench.begin(n_trials=2), bench.open()
    with first.worker() as me, second.worker() as other:
        held = first.claim(me)
        assert second.claim(other).params != held.params
        assert states(first) == ["RUNNING", "RUNNING"]


def test_a_point_that_always_kills_is_given_up(bench: Any) -> None:
    search = bench.begin(n_trials=1, retries=2, points=[FIVE])
    for _ in range(3):
        with search.worker() as me:
            assert search.claim(me).params == {"loss.alpha": 5.0}
    with search.worker() as me:
        assert search.claim(me).params != {"loss.alpha": 5.0}
    assert "died as often as it was tried" in search.failures()[0].user_attrs["reason"]


def test_an_interrupted_trial_is_queued_again_however_often(bench: Any) -> None:
    search = bench.begin(n_trials=1, retries=0, points=[FIVE])
    with search.worker() as me:
        for _ in range(4):
            trial = search.claim(me)
            assert trial.params == {"loss.alpha": 5.0}
            search.settle(trial, Outcome("unfinished"), 1.0)
    assert search.failures() == []


def test_a_trial_that_died_after_its_time_is_not_tried_again(bench: Any) -> None:
    search = bench.begin(n_trials=1, trial_timeout=0.01, points=[FIVE])
    with search.worker() as me:
        search.claim(me)
    threading.Event().wait(0.05)
    with search.worker() as me:
        assert search.claim(me).params != {"loss.alpha": 5.0}
    assert "no result within sweep.trial_timeout=0.01 seconds" in search.failures()[0].user_attrs["reason"]


@pytest.mark.parametrize("moment", ["set_trial_user_attr", "set_trial_param", "set_trial_state_values", "create_new_trial"])
@pytest.mark.parametrize("after", [0, 1])
def test_a_death_at_any_write_loses_no_point(bench: Any, moment: str, after: int) -> None:
    class Died(BaseException):
        pass

    search = bench.begin(n_trials=3, points=[FIVE, ZERO])
    whole, calls = getattr(search.study._storage, moment), [0]

    def dying(*args: Any, **kwargs: Any) -> Any:
        calls[0] += 1
        if calls[0] == after + 1:
            raise Died
        return whole(*args, **kwargs)

    try:
        with search.worker() as me:
            setattr(search.study._storage, moment, dying)
            while (trial := search.claim(me)) is not None:
                search.settle(trial, Outcome("unfinished"), 1.0)
                bench.end(search, search.claim(me), 0.5)
    except Died:
        pass
    search = bench.open()
    with search.worker() as me:
        while (trial := search.claim(me)) is not None:
            bench.end(search, trial, 0.5)
    found = alphas(search, "COMPLETE")
    assert calls[0] > after, "never died"
    assert len(found) == 3
    assert sorted(found)[0] == 0.0 and 5.0 in found
    assert len(set(found)) == 3


def test_any_mixture_of_endings_gives_the_asked_total(bench: Any) -> None:
    rng = random.Random(4)
    points = [{"loss.alpha": value} for value in (0.5, 1.5, 2.5)]
    for total in (5, 12):
        search = bench.begin(n_trials=total, max_failure_rate=1.0, points=points)
        while len(search.finished()) < total:
            with search.worker() as me:
                while (trial := search.claim(me)) is not None:
                    ending = rng.choice(["end", "end", "pruned", "unfinished", "failed", "die", "die after the result"])
                    if ending == "end":
                        bench.end(search, trial, rng.random())
                    elif ending.startswith("die"):
                        if ending != "die":
                            bench.wrote(search, trial.number, {"eval/source_preference": rng.random()})
                        break
                    else:
                        search.settle(trial, Outcome(ending, reason=ending), 1.0)
        found = alphas(search, "COMPLETE", "PRUNED")
        assert len(found) == len(set(found)) == total
    began = [t for t in search.trials() if t.state.name != "WAITING"]
    assert {t.state.name for t in began} == {"COMPLETE", "PRUNED", "FAIL"}
    for point in points:
        assert any(t.params == point and ("reason" in t.user_attrs or t.state.name != "FAIL") for t in began)


# --- failures --------------------------------------------------------------------------------------------------------


def test_a_failed_point_is_recorded_and_another_is_tried(bench: Any) -> None:
    search = bench.begin(n_trials=1)
    with search.worker() as me:
        first = search.claim(me)
        search.settle(first, FAILED, 1.0)
        assert search.claim(me).params != first.params
    assert search.failures()[0].user_attrs["reason"] == "it broke"


def test_a_failed_point_is_tried_again_as_often_as_allowed(bench: Any) -> None:
    search = bench.begin(n_trials=1, on_failure="retry", retries=2, max_failure_rate=1.0)
    with search.worker() as me:
        tried = []
        for _ in range(4):
            trial = search.claim(me)
            tried.append(trial.params["loss.alpha"])
            search.settle(trial, FAILED, 1.0)
    assert tried[0] == tried[1] == tried[2] != tried[3]


def test_the_first_failure_can_end_the_sweep_until_the_same_command_goes_on(bench: Any) -> None:
    search = bench.begin(n_trials=2, on_failure="abort")
    with search.worker() as me:
        search.settle(search.claim(me), FAILED, 1.0)
        with pytest.raises(TrainingError, match=r"on_failure=abort.*trial 0: it broke\. Mend that and run the same command"):
            search.claim(me)
    search = bench.begin(n_trials=2, on_failure="abort")
    with search.worker() as me:
        assert search.claim(me) is not None


def test_too_many_failures_end_the_sweep(bench: Any) -> None:
    search = bench.begin(n_trials=9)
    with search.worker() as me:
        bench.end(search, search.claim(me), 0.5)
        for _ in range(2):
            search.settle(search.claim(me), FAILED, 1.0)
        bench.end(search, search.claim(me), 0.5)
        search.settle(search.claim(me), FAILED, 1.0)
        with pytest.raises(TrainingError, match=r"3 of 5 trials failed, more than sweep\.max_failure_rate=0\.5"):
            search.claim(me)


def test_three_failures_are_too_few_to_judge(bench: Any) -> None:
    search = bench.begin(n_trials=9)
    with search.worker() as me:
        for _ in range(3):
            search.settle(search.claim(me), FAILED, 1.0)
        search.settle(search.claim(me), FAILED, 1.0)
        with pytest.raises(TrainingError, match="4 of 4 trials failed"):
            search.claim(me)


def test_a_sweep_that_may_always_fail_still_ends_when_nothing_else_happens(bench: Any) -> None:
    search = bench.begin(n_trials=6, max_failure_rate=1.0)
    with search.worker() as me:
        bench.end(search, search.claim(me), 0.5)
        for _ in range(6):
            search.settle(search.claim(me), FAILED, 1.0)
        with pytest.raises(TrainingError, match="6 trials in a row failed"):
            search.claim(me)


def test_measured_on_other_items_is_told_and_does_not_count(bench: Any) -> None:
    search = bench.begin(n_trials=2)
    with search.worker() as me:
        bench.end(search, search.claim(me), 0.5)
        bench.end(search, search.claim(me), 0.9, items="other")
    assert states(search) == ["COMPLETE", "FAIL"]
    assert "measured on other held-out items than in the other trials" in search.failures()[0].user_attrs["reason"]


# --- time and place --------------------------------------------------------------------------------------------------


def test_no_trial_is_begun_after_the_time(bench: Any) -> None:
    search = bench.begin(n_trials=2, timeout=0.01)
    threading.Event().wait(0.05)
    with search.worker() as me:
        assert search.claim(me) is None


def test_a_database_that_holds_the_study_of_another_folder_is_refused(bench: Any) -> None:
    where = f"sqlite:///{bench.home}/shared.db"
    bench.begin("one", storage=where)
    with pytest.raises(ConfigError, match=r"holds a study alpha already, whose folder is .*one; give another name"):
        bench.begin("two", storage=where)


@pytest.mark.parametrize("storage", ["sqlite", "journal"])
def test_processes_share_the_total(bench: Any, storage: str) -> None:
    bench.begin(n_trials=6, storage=storage)
    failures: list[BaseException] = []

    def work() -> None:
        try:
            search = bench.open()
            with search.worker() as me:
                while (trial := search.claim(me)) is not None:
                    bench.end(search, trial, 0.5)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not failures
    assert states(bench.open()) == ["COMPLETE"] * 6


def test_a_resumed_study_proposes_what_an_uninterrupted_one_would(bench: Any, told: Callable[..., Any]) -> None:
    def until(total: int, name: str, dying: bool = False) -> Search:
        search = bench.begin(name, n_trials=total, sampler_args={"n_startup_trials": 2})
        if dying:
            with search.worker() as me:
                search.claim(me)
        with search.worker() as me:
            while (trial := search.claim(me)) is not None:
                bench.end(search, trial, -((trial.params["loss.alpha"] - 3) ** 2))
        return search

    whole = until(7, "whole")
    until(1, "parts")
    until(4, "parts", dying=True)
    parts = until(7, "parts", dying=True)
    counted = [row for row in told(parts) if row[1] == "COMPLETE"]
    assert counted == told(whole)
    assert len(told(parts)) == 9


def test_a_grid_is_visited_whole_although_workers_die(bench: Any) -> None:
    search = bench.begin(params={"loss.alpha": "choice(0.0, 1.0, 2.0)"}, sampler="grid")
    for _ in range(2):
        with search.worker() as me:
            search.claim(me)
    with search.worker() as me:
        while (trial := search.claim(me)) is not None:
            bench.end(search, trial, 0.5)
    assert sorted(alphas(search, "COMPLETE")) == [0.0, 1.0, 2.0]
