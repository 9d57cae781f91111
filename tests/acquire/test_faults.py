from collections.abc import Callable, Iterator

import pytest
from faults import FAULTS, ITEMS, SEARCHES, Case, Change, Trials, rows_of
from server import Reply, Request, error_page, status, truncated

NO_PARTS = "server sends no parts"
ALL = [(kind, name) for kind in ITEMS for name in FAULTS]


@pytest.fixture(scope="module")
def trials(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Trials]]:
    """Of each kind one, made when it is first asked for."""
    made: dict[str, Trials] = {}

    def of(kind: str) -> Trials:
        if kind not in made:
            made[kind] = Trials(kind, tmp_path_factory.mktemp(kind))
        return made[kind]

    yield of
    for one in made.values():
        one.close()


@pytest.mark.parametrize(("kind", "name"), ALL)
def test_a_fault_costs_its_item_at_most_and_the_next_run_makes_it_good(
    kind: str, name: str, trials: Callable[[str], Trials]
) -> None:
    fault, (file, path) = FAULTS[name], ITEMS[kind]
    outcome = trials(kind).run(fault, path)
    clean, faulty = rows_of(trials(kind).clean, kind), rows_of(outcome.faulty, kind)
    if not fault.reason:
        assert faulty == clean and outcome.faulty == trials(kind).clean
    elif kind == "hub":  # the item is one of two files
        assert 0 < len(faulty) < len(clean)
    else:
        assert len(faulty) == len(clean) - 1
        assert set(faulty) < set(clean)
        assert file not in outcome.faulty
    assert (NO_PARTS if kind == "hub" and name in ("error page", "expands without end") else fault.reason) in outcome.skipped
    assert any(path.startswith("texts/own/letter") for path in outcome.faulty)
    assert not outcome.left
    assert outcome.later == trials(kind).clean


@pytest.mark.parametrize("kind", SEARCHES)
@pytest.mark.parametrize(
    ("fault", "reason"),
    [(status(503), "server error 503"), (truncated, "cut"), (error_page, "wrong content type"), (status(404), "not there")],
)
def test_a_list_that_fails_ends_its_source_alone(
    kind: str, fault: Change, reason: str, trials: Callable[[str], Trials]
) -> None:
    outcome = trials(kind).run(Case(fault, 0, reason), SEARCHES[kind])
    source = outcome.report["sources"]["source"]
    assert source["taken"] == 0
    assert reason in source["problem"]
    assert outcome.report["totals"]["sources"] == 1
    assert outcome.later == trials(kind).clean


def test_pages_before_the_one_that_fails_are_kept(trials: Callable[[str], Trials]) -> None:
    kind = "newspapers"

    def second(request: Request, reply: Reply) -> Reply:
        return reply if request.query.get("sp") == ["1"] else Reply(b"no", 500)

    outcome = trials(kind).run(Case(second, 0, ""), SEARCHES[kind])
    assert outcome.report["sources"]["source"]["taken"] == 7
    assert rows_of(outcome.faulty, kind) == rows_of(trials(kind).clean, kind)[:7]
    assert "server error 500" in outcome.report["sources"]["source"]["problem"]
    assert outcome.later == trials(kind).clean
