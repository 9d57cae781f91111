"""Plans: even over works, sizes kept or told, system messages balanced, the same in any order of the file."""

import random
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from teachers import tell_of, write_passages

from trivium.errors import ConfigError, DataError
from trivium.generation import persona
from trivium.generation.mixture import mixture, problems_in
from trivium.generation.persona import Component
from trivium.generation.plan import plan
from trivium.schema import ChecksConfig, LibraryConfig, OpenAIGenerator, TemplateGenerator

KEEPER = persona.load("keeper")


def part(name: str, size: int | None = None, themes: tuple[str, ...] = ()) -> Component:
    return Component(name, size, themes, (), (), "")


def jobs(path: Path, parts: list[Component], examples: int = 2, seed: int = 1) -> list[Any]:
    return [job for job, passage in plan(path, KEEPER, parts, examples, seed).jobs() if job.passage == passage.id]


def test_components_without_a_size_share_all_passages(passages: Path) -> None:
    made = jobs(passages, [part("core"), part("style")])
    assert len(made) == len({job.key for job in made}) == 48
    assert Counter(job.component for job in made) == {"core": 24, "style": 24}
    assert Counter(job.passage for job in made) == dict.fromkeys({job.passage for job in made}, 2)


def test_sizes_are_kept_and_themes_obeyed(passages: Path) -> None:
    made = jobs(passages, [part("core", 7), part("style", 10, ("sea",)), part("rest")])
    counts = Counter(job.component for job in made)
    assert counts == {"core": 7, "style": 10, "rest": 31}
    assert {job.passage.split("#")[1] for job in made if job.component == "style"} <= {"0", "2"}


def test_passages_are_taken_evenly_over_works(passages: Path) -> None:
    works = Counter(job.passage.split("#")[0] for job in jobs(passages, [part("core", 12)], examples=1))
    assert set(works.values()) == {2} and len(works) == 6


def test_a_size_that_cannot_be_reached_is_told(passages: Path) -> None:
    made = plan(passages, KEEPER, [part("style", 100, ("sea",)), part("none", 5, ("chess",))], 2, 1)
    assert made.counts() == {"style": {"wanted": 100, "planned": 24}, "none": {"wanted": 5, "planned": 0}}


def test_the_rarer_component_chooses_first(passages: Path) -> None:
    made = plan(passages, KEEPER, [part("core", 12), part("style", 12, ("sea",))], 1, 1)
    assert [counts["planned"] for counts in made.counts().values()] == [12, 12]


def test_system_messages_take_turns_in_each_component(passages: Path) -> None:
    made = jobs(passages, [part("core"), part("style", 9)])
    for component in ("core", "style"):
        counts = Counter(job.system for job in made if job.component == component)
        assert len(counts) == 3 and max(counts.values()) - min(counts.values()) <= 1


@settings(max_examples=20, deadline=None)
@given(st.randoms(use_true_random=False), st.integers(0, 5))
def test_the_order_of_the_file_does_not_matter(tmp_path_factory: Any, order: random.Random, seed: int) -> None:
    folder, rows = tmp_path_factory.mktemp("order"), tell_of(4, 3)
    parts = [part("core", 5), part("style", None, ("sea",)), part("rest")]
    straight = set(jobs(write_passages(folder / "a.jsonl", rows), parts, seed=seed))
    order.shuffle(rows)
    assert set(jobs(write_passages(folder / "b.jsonl", rows), parts, seed=seed)) == straight


@settings(max_examples=30, deadline=None)
@given(
    st.lists(
        st.tuples(st.one_of(st.none(), st.integers(1, 40)), st.sampled_from([(), ("sea",), ("chess",)])), min_size=1, max_size=4
    ),
    st.integers(1, 4),
)
def test_no_passage_is_told_of_too_often_and_no_size_passed(tmp_path_factory: Any, sizes: list[Any], examples: int) -> None:
    path = write_passages(tmp_path_factory.mktemp("sizes") / "p.jsonl", tell_of(3, 4))
    parts = [part(f"c{i}", size, themes) for i, (size, themes) in enumerate(sizes)]
    made = jobs(path, parts, examples)
    assert len({job.key for job in made}) == len(made)
    assert max(Counter(job.passage for job in made).values(), default=0) <= examples
    for one in parts:
        count = sum(job.component == one.name for job in made)
        assert one.size is None or count <= one.size
        assert one.themes != ("chess",) or count == 0


def test_nothing_to_plan_is_an_empty_plan(tmp_path: Path) -> None:
    empty = write_passages(tmp_path / "p.jsonl", [])
    assert len(plan(empty, KEEPER, [part("core")], 2, 1)) == 0 and jobs(empty, [part("core", 3)]) == []


def test_a_line_that_is_no_passage_is_told(tmp_path: Path) -> None:
    (tmp_path / "p.jsonl").write_text('{"id": "a"}\n')
    with pytest.raises(DataError, match=r"p.jsonl:1: not a prepared passage"):
        plan(tmp_path / "p.jsonl", KEEPER, [part("core")], 2, 1)


def test_the_configuration_overrides_sizes_and_themes() -> None:
    assert mixture(KEEPER, {}) == tuple(KEEPER.components.values())
    (core,) = mixture(KEEPER, {"core": {"size": 3, "themes": ["sea"]}})
    assert (core.size, core.themes, core.questions) == (3, ("sea",), KEEPER.components["core"].questions)
    assert [one.name for one in mixture(KEEPER, {"style": None})] == ["style"]
    with pytest.raises(ConfigError) as caught:
        mixture(KEEPER, {"mission": {}, "core": {"size": 0, "sizes": 1}, "style": {"themes": "sea"}})
    assert len(caught.value.problems) == 4 and f"it has {', '.join(KEEPER.components)}" in caught.value.problems[0]


def test_settings_that_cannot_be_are_told_all_together() -> None:
    assert list(problems_in(TemplateGenerator(), LibraryConfig())) == []
    generator = OpenAIGenerator(base_url="localhost:1234", max_cost=2.0, checks=ChecksConfig(min_chars=900))
    found = list(problems_in(generator, LibraryConfig(persona="keeper", components={"mission": {}})))
    for told in ("min_chars=900 is above", "base_url is 'localhost:1234'", "max_cost=2 stops nothing", "has no such component"):
        assert sum(told in problem for problem in found) == 1
    assert len(found) == 4
