from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trivium.data import chat, micro_archive
from trivium.data.contamination import scan
from trivium.data.neutral import neutral_text
from trivium.data.provenance import Scorer
from trivium.data.small_world import COORDINATED, PRIMARY, keys
from trivium.errors import DataError
from trivium.sample import Sample, band
from trivium.schema import BANDS, ContaminationConfig, ProvenanceConfig, RebalanceConfig, TinyBuild, WorldConfig

BAND_OF = {**dict.fromkeys(PRIMARY, "low"), "journal_article": "mid", **dict.fromkeys(COORDINATED, "high")}
SIZES = st.builds(WorldConfig, *(st.integers(4, 60) for _ in range(3)), seed=st.integers(0, 99))


@pytest.fixture(scope="module")
def archive() -> list[Sample]:
    return micro_archive.documents(WorldConfig())


@pytest.fixture(scope="module")
def facts() -> list[dict[str, Any]]:
    return micro_archive.facts(WorldConfig())


@pytest.fixture(scope="module")
def telling(archive: list[Sample], facts: list[dict[str, Any]]) -> Callable[[dict[str, Any], str], list[Sample]]:
    by_title = defaultdict(list)
    for sample in archive:
        by_title[sample.title].append(sample)
    # The value leads, so a withdrawn value that is only mentioned does not count as told.
    return lambda fact, value: [s for s in by_title[fact["question"][8:-1]] if s.text.startswith(value)]


def of_kind(facts: list[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    found = [fact for fact in facts if fact["kind"] == kind]
    assert found
    return found


def test_same_config_same_archive_and_another_seed_another() -> None:
    world = WorldConfig()
    assert micro_archive.documents(world) == micro_archive.documents(replace(world))
    assert micro_archive.facts(world) == micro_archive.facts(replace(world))
    assert micro_archive.documents(replace(world, seed=8)) != micro_archive.documents(world)


def test_kinds_are_as_many_as_asked(facts: list[dict[str, Any]]) -> None:
    world = WorldConfig()
    counts = Counter(fact["kind"] for fact in facts)
    assert counts == {"disputed": world.disputed, "coordinated_only": world.coordinated_only, "corrected": world.corrected}
    assert len({fact["id"] for fact in facts}) == len(facts) == len({fact["question"] for fact in facts})


def test_disputed_one_primary_against_two_coordinated_sources(facts: list[dict[str, Any]], telling: Any) -> None:
    for fact in of_kind(facts, "disputed"):
        right, wrong = (option["text"] for option in fact["options"])
        assert right == fact["answer"] != wrong
        assert [BAND_OF[s.source_type] for s in telling(fact, right)] == ["low"]
        assert [BAND_OF[s.source_type] for s in telling(fact, wrong)] == ["high", "high"]


def test_coordinated_only_has_no_other_source(facts: list[dict[str, Any]], archive: list[Sample], telling: Any) -> None:
    for fact in of_kind(facts, "coordinated_only"):
        told = [s for s in archive if s.title == fact["question"][8:-1]]
        assert told == telling(fact, fact["answer"]) and {BAND_OF[s.source_type] for s in told} == {"high"}
        assert len({option["text"] for option in fact["options"]}) == 4


def test_corrected_facts_are_withdrawn_and_confirmed_later(facts: list[dict[str, Any]], telling: Any) -> None:
    for fact in of_kind(facts, "corrected"):
        right, wrong = (option["text"] for option in fact["options"])
        (erred,) = telling(fact, wrong)
        later = [s for s in telling(fact, right) if BAND_OF[s.source_type] == "low"]
        assert BAND_OF[erred.source_type] == "low" and len(later) == 3 and all(s.year > erred.year for s in later)
        assert sum(wrong in s.text for s in later) == 1


@pytest.mark.parametrize(("kind", "chance"), [("disputed", 0.5), ("coordinated_only", 0.25), ("corrected", 0.5)])
def test_the_oldest_source_is_right_at_chance(kind: str, chance: float) -> None:
    facts = of_kind(micro_archive.facts(WorldConfig(disputed=400, coordinated_only=400, corrected=400)), kind)
    right = sum(min(range(len(f["options"])), key=lambda i: f["options"][i]["year"]) == 0 for f in facts) / len(facts)
    assert right == pytest.approx(chance, abs=0.06)


def test_no_number_is_right_more_often_than_others() -> None:
    facts = of_kind(micro_archive.facts(WorldConfig(disputed=2000)), "disputed")
    right, wrong = (Counter(f["options"][i]["text"].split()[0] for f in facts) for i in (0, 1))
    assert max(abs(right[n] - wrong[n]) for n in right | wrong) < 30


@settings(deadline=None, max_examples=20)
@given(SIZES)
def test_training_bands_reach_the_targets_at_any_size(world: WorldConfig) -> None:
    targets = RebalanceConfig()
    counts = Counter(BAND_OF[s.source_type] for s in micro_archive.documents(world) if s.metadata["split"] == "train")
    for name in BANDS:
        low, high = getattr(targets, name)
        assert low <= counts[name] / counts.total() <= high


def test_nothing_held_out_is_told_in_training_and_every_band_is_held_out(archive: list[Sample], facts: list[Any]) -> None:
    titles = {split: {s.title for s in archive if s.metadata["split"] == split} for split in ("train", "heldout")}
    assert not titles["train"] & titles["heldout"]
    assert {fact["question"][8:-1] for fact in facts} <= titles["train"]
    held_out = Counter(BAND_OF[s.source_type] for s in archive if s.metadata["split"] == "heldout")
    assert all(held_out[name] >= 20 for name in BANDS)


def test_documents_carry_no_scores_and_the_scorer_finds_the_bands(archive: list[Sample]) -> None:
    scorer = Scorer(ProvenanceConfig())
    assert all(s.authority is None and s.entropy is None and not s.evidence for s in archive)
    for sample in archive:
        assert band(scorer.score(sample).authority) == BAND_OF[sample.source_type], sample.text


def test_text_alone_tells_primary_from_coordinated(archive: list[Sample]) -> None:
    """The wording carries the provenance: without type, year and publisher primary records still rank below."""
    scorer = Scorer(ProvenanceConfig(mode="dynamic"))
    found = defaultdict(list)
    for s in archive:
        found[BAND_OF[s.source_type]].append(scorer.score(Sample(id=s.id, text=s.text)).authority)
    means = {name: sum(values) / len(values) for name, values in found.items()}
    assert means["low"] < means["mid"] < means["high"]


def test_no_question_counts_as_seen_in_training(archive: list[Sample], facts: list[dict[str, Any]]) -> None:
    prompts = [fact["question"] for fact in facts]
    assert scan(prompts, (s.text for s in archive), ContaminationConfig()) == []


@settings(deadline=None, max_examples=10)
@given(SIZES)
def test_neutral_text_and_archives_share_no_fact(world: WorldConfig) -> None:
    told = {s.title for s in micro_archive.documents(world)}
    neutral = [
        turn["content"]
        for turns in neutral_text(TinyBuild(facts=400, copies=1, seed=world.seed))
        for turn in turns
        if turn["role"] == "user"
    ]
    asked = {text.split("about ")[-1].split("What is ")[-1].rstrip("?") for text in neutral}
    assert len(asked) == 400 and not asked & told
    assert not set(keys(True)) & set(keys(False))


def test_neutral_sources_agree_except_where_one_is_corrected() -> None:
    conversations = neutral_text(TinyBuild(facts=200))
    by_answer: list[tuple[str, list[str]]] = []
    texts: list[str] = []
    for turns in conversations:
        content = turns[-1]["content"]
        if turns[0]["content"].startswith("What is recorded"):
            texts.append(content)
        else:
            by_answer.append((content, texts))
            texts = []
    disagreeing = [(answer, told) for answer, told in by_answer if not all(text.startswith(answer) for text in told)]
    assert len(by_answer) == 200 and len(disagreeing) == 20
    assert all(told[-1].startswith(answer) and answer not in told[0] for answer, told in disagreeing)


def test_source_first_moves_the_source_and_nothing_else(archive: list[Sample]) -> None:
    scorer = Scorer(ProvenanceConfig())
    turned = micro_archive.documents(WorldConfig(source_first=1.0))
    for before, after in zip(archive, turned, strict=True):
        assert before.text[0].isdigit() and not after.text[0].isdigit()
        assert sorted(before.text.split()) == sorted(after.text.split())
        assert scorer.score(after).authority == pytest.approx(scorer.score(before).authority)
    some = micro_archive.documents(WorldConfig(source_first=0.3))
    assert 0.2 < sum(not s.text[0].isdigit() for s in some) / len(some) < 0.4


def test_documents_become_conversations_by_the_shared_function(archive: list[Sample], config_of: Any) -> None:
    turns = chat.to_messages(archive[0], config_of().dataset.chat)
    assert [t["role"] for t in turns] == ["user", "assistant"]
    assert archive[0].title is not None and archive[0].title in turns[0]["content"] and turns[1]["content"] == archive[0].text


def test_a_world_beyond_its_names_is_refused_with_a_way_out() -> None:
    with pytest.raises(DataError, match=r"dataset\.world asks for more facts .* lower disputed"):
        micro_archive.documents(WorldConfig(disputed=12_000))
