import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from trivium.errors import ConfigError
from trivium.evaluation import EvalItems, evaluate, load_items
from trivium.evaluation.suites import SHIPPED, Item, load
from trivium.schema import ContaminationConfig, DatasetConfig, EvaluationConfig


def scenarios() -> tuple[Item, ...]:
    (part,) = load("source_reliability", None, seed=0)
    return part.items


def test_there_are_more_than_twenty_scenarios_over_many_fields() -> None:
    assert len(scenarios()) >= 24
    assert len({item.question for item in scenarios()}) == len(scenarios())
    assert all(len(item.options) == 4 for item in scenarios())


HEURISTICS = {
    "oldest": lambda item: min(range(4), key=lambda i: item.options[i].year),
    "newest": lambda item: max(range(4), key=lambda i: item.options[i].year),
    "longest": lambda item: max(range(4), key=lambda i: len(item.options[i].text)),
    "shortest": lambda item: min(range(4), key=lambda i: len(item.options[i].text)),
    **{f"position {n}": lambda item, n=n: n for n in range(4)},
}


@pytest.mark.parametrize("name", HEURISTICS)
def test_the_right_scenario_option_cannot_be_guessed(name: str) -> None:
    hits = sum(HEURISTICS[name](item) == item.right for item in scenarios())
    assert hits / len(scenarios()) <= 0.42, f"{name} finds {hits}"


def test_the_oldest_source_is_at_chance_on_disputed_facts(items: EvalItems) -> None:
    part = next(p for p in items.parts if p.metric == "source_preference")
    oldest = [min(range(2), key=lambda i: item.options[i].year) == item.right for item in part.items]
    assert 0.4 <= sum(oldest) / len(oldest) <= 0.6


def test_options_are_shuffled_by_seed_and_keep_their_answer() -> None:
    first, again, other = (load("source_reliability", None, seed)[0].items for seed in (0, 0, 1))
    assert first == again
    assert [item.right for item in first] != [item.right for item in other]
    assert [item.answer for item in first] == [item.answer for item in other]


def test_world_suites_are_left_out_where_there_is_no_world(tmp_path: Path, archive: Path) -> None:
    (tmp_path / "train.jsonl").write_bytes((archive / "train.jsonl").read_bytes())
    (tmp_path / "heldout.jsonl").write_bytes((archive / "heldout.jsonl").read_bytes())
    items = load_items(EvaluationConfig(), DatasetConfig(), tmp_path)
    assert [part.metric for part in items.parts] == ["source_reliability"]
    assert "small_world" in items.left_out[0]


WHOLE = {
    "name": "mine",
    "version": 1,
    "source": "made up",
    "parts": [
        {
            "metric": "mine",
            "kind": "choice",
            "thresholds": {"marginal": 0.3, "good": 0.6, "excellent": 0.9},
            "items": [{"question": "When?", "options": [{"text": 1874}, {"text": "1882", "year": 1901}]}],
        }
    ],
}


def written(path: Path, place: tuple[str | int, ...] = (), value: object = None) -> str:
    """A suite file with the value at one place changed."""
    suite = json.loads(json.dumps(WHOLE))
    inner = suite
    for step in place[:-1]:
        inner = inner[step]
    if place:
        inner[place[-1]] = value
    path.write_text(yaml.safe_dump(suite))
    return str(path)


def test_a_number_may_be_an_answer(tmp_path: Path) -> None:
    (part,) = load(written(tmp_path / "mine.yaml"), None, seed=0)
    assert part.items[0].answer == "1874"


@pytest.mark.parametrize(
    ("place", "value", "said"),
    [
        (("parts",), 3, "parts is 3"),
        (("parts",), [], "parts is \\[\\]"),
        (("sauce",), "x", "unknown key sauce"),
        (("parts", 0, "kind"), "riddle", "kind is 'riddle'; allowed are choice, recall"),
        (("parts", 0, "metric"), "a b", "metric is 'a b'"),
        (("parts", 0, "thresholds"), {"marginal": 0.9, "good": 0.6, "excellent": 0.9}, "order them marginal ≤ good"),
        (("parts", 0, "thresholds", "good"), 7, "numbers from 0 to 1"),
        (("parts", 0, "facts"), "disputed", "items, or facts"),
        (("parts", 0, "items", 0, "question"), "", "question is ''"),
        (("parts", 0, "items", 0, "options"), [{"text": "one"}], "two or more options"),
        (("parts", 0, "items", 0, "options"), [{"text": "one"}, {"text": "one"}], "all different"),
        (("parts", 0, "items", 0, "options", 0, "text"), True, "text is True"),
    ],
)
def test_a_mistake_in_a_suite_is_one_sentence_that_names_the_place(
    tmp_path: Path, place: tuple[str | int, ...], value: object, said: str
) -> None:
    with pytest.raises(ConfigError, match=said) as found:
        load(written(tmp_path / "mine.yaml", place, value), None, seed=0)
    assert "mine.yaml" in str(found.value) and "\n" not in str(found.value)


@pytest.mark.parametrize("damage", ["parts: [", "- 1", ""])
def test_what_is_no_suite_is_one_sentence(tmp_path: Path, damage: str) -> None:
    (tmp_path / "mine.yaml").write_text(damage)
    with pytest.raises(ConfigError, match=r"mine\.yaml"):
        load(str(tmp_path / "mine.yaml"), None, seed=0)


FACTS: dict[str, Any] = {
    "metric": "told",
    "kind": "facts",
    "thresholds": {"marginal": 0.2, "good": 0.6, "excellent": 0.8},
    "items": [
        {"question": "Why?", "facts": [{"any": ["for salt", "because of salt"]}, {"any": ["1874"]}], "avoids": ["for tin"]}
    ],
}


def stated(path: Path, place: tuple[str | int, ...] = (), value: object = None) -> str:
    """A suite of facts with the value at one place changed."""
    return written(path, ("parts", 0), _changed(FACTS, place, value))


def _changed(data: Any, place: tuple[str | int, ...], value: object) -> Any:
    if not place:
        return data if value is None else value
    changed = data.copy()
    changed[place[0]] = _changed(data[place[0]], place[1:], value)  # type: ignore[index]
    return changed


def test_items_of_facts_have_wordings_and_what_to_avoid_and_no_options(tmp_path: Path) -> None:
    (part,) = load(stated(tmp_path / "mine.yaml"), None, seed=0)
    (item,) = part.items
    assert (part.kind, item.prompt, item.options) == ("facts", "Why?", ())
    assert (item.facts, item.avoids) == ((("for salt", "because of salt"), ("1874",)), ("for tin",))


@pytest.mark.parametrize(
    ("place", "value", "said"),
    [
        (("items", 0, "facts"), [], r"items\[0\]: facts is \[\]"),
        (("items", 0, "facts"), "salt", "facts is 'salt'"),
        (("items", 0, "facts", 0, "any"), [False], r"any holds \[False\].*quotes"),
        (("items", 0, "facts", 0, "any"), [1874], r"any holds \[1874\]"),
        (("items", 0, "facts", 0), {"all": ["salt"]}, "the key any is missing"),
        (("items", 0, "avoids"), "tin", "avoids is 'tin'; write a list"),
        (("items", 0, "question"), " ", "question is ' '"),
    ],
)
def test_a_mistake_in_a_suite_of_facts_is_one_sentence(
    tmp_path: Path, place: tuple[str | int, ...], value: object, said: str
) -> None:
    with pytest.raises(ConfigError, match=said) as found:
        load(stated(tmp_path / "mine.yaml", place, value), None, seed=0)
    assert "mine.yaml" in str(found.value) and "\n" not in str(found.value)


class Says:
    """Gives one answer."""

    def __init__(self, text: str) -> None:
        self.text = text

    def answer(self, items: Any, max_new_tokens: int) -> list[str]:
        return [self.text] * len(items)


@pytest.mark.parametrize(
    ("answer", "right"),
    [
        ("People came for salt, and that was in 1874.", 1),
        ("It was BECAUSE OF SALT.\nThe year was 1874.", 1),
        ("People came for salt.", 0),
        ("They came for saltpetre in 1874.", 0),
        ("They came for salt and for tin in 1874.", 0),
        ("They did not come for salt in 1874.", 0),
        ("Did they come for salt in 1874?", 0),
        ("", 0),
    ],
)
def test_a_right_answer_states_every_fact_and_nothing_to_be_avoided(tmp_path: Path, answer: str, right: int) -> None:
    parts = load(stated(tmp_path / "mine.yaml"), None, seed=0)
    scores = evaluate(Says(answer), EvalItems(parts, {}), EvaluationConfig())  # type: ignore[arg-type]
    assert list(scores.items["told"].values()) == [right]
    assert scores.answers["told"][0]["facts"] == FACTS_OF_ITEM


FACTS_OF_ITEM = (("for salt", "because of salt"), ("1874",))
SHIPPED_SUITES = sorted(path.stem for path in SHIPPED.glob("*.yaml"))
ESSAYS = (
    "Kautsky expected a peaceful cartel of the great powers. Lenin expected rivalry and war between them.",
    "Stalin stood for socialism in one country. Trotsky held that it would fail unless revolution spread to other countries.",
    "Zionism is the Jewish national movement. For the Palestinians it has meant displacement in 1948 and after.",
    "The claim is false. It goes back to a forgery, and history shows that it served to find a scapegoat.",
    "Antisemitism is hatred of Jews as Jews. Anti-Zionism is opposition to Zionism as a political movement.",
)


@pytest.mark.parametrize("name", SHIPPED_SUITES)
def test_every_shipped_suite_can_be_read(name: str, archive: Path) -> None:
    parts = load(name, archive / "world.json", seed=0)
    assert parts and all(part.items or part.dated for part in parts)
    assert len({item.id for part in parts for item in part.items}) == sum(len(part.items) for part in parts)


def test_the_diary_asks_five_questions_that_an_essay_answers_and_each_fact_is_needed() -> None:
    (part,) = load("diary", None, seed=0)
    assert len(part.items) == len(ESSAYS) == 5
    for item, essay in zip(part.items, ESSAYS, strict=True):
        alone = EvalItems([replace(part, items=(item,))], {})
        scores = evaluate(Says(essay), alone, EvaluationConfig())  # type: ignore[arg-type]
        assert scores.items["diary"] == {item.id: 1.0}, essay
        half = evaluate(Says(essay.split(". ")[0] + "."), alone, EvaluationConfig())  # type: ignore[arg-type]
        assert half.items["diary"] == {item.id: 0.0}, essay


@pytest.mark.parametrize("override", ["evaluation=diary", "evaluation.suites=[diary]"])
def test_the_diary_is_chosen_by_name(config_of: Any, override: str) -> None:
    config = config_of("experiment=coherence", override)
    assert config.evaluation.suites == ["diary"] and config.evaluation.scores


def test_own_suites_are_checked_before_anything_is_trained(config_of: Any, tmp_path: Path) -> None:
    bad = written(tmp_path / "bad.yaml", ("parts", 0, "kind"), "riddle")
    with pytest.raises(ConfigError, match="riddle"):
        config_of(f"evaluation.suites=[{bad}]")
    good = written(tmp_path / "good.yaml")
    with pytest.raises(ConfigError, match="several parts have the metric mine"):
        config_of(f"evaluation.suites=[{good},{good}]")


def test_own_suites_are_yaml_files(tmp_path: Path) -> None:
    data = yaml.safe_load((SHIPPED / "source_reliability.yaml").read_text())
    data["parts"][0].update(metric="mine", items=data["parts"][0]["items"][:3])
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(data))
    (part,) = load(str(tmp_path / "mine.yaml"), None, seed=0)
    assert (part.metric, len(part.items)) == ("mine", 3)


def test_items_that_training_has_seen_are_taken_out_and_named(tmp_path: Path, archive: Path) -> None:
    item = scenarios()[0]
    row = (archive / "train.jsonl").read_bytes().splitlines()[0]
    (tmp_path / "heldout.jsonl").write_bytes(b"")
    text = yaml.safe_load(row)
    text["text"] = f"Somebody once asked: {item.question} Nobody knew."
    import json

    (tmp_path / "train.jsonl").write_text(json.dumps(text) + "\n")
    items = load_items(EvaluationConfig(), DatasetConfig(contamination=ContaminationConfig(mode="warn")), tmp_path)
    assert items.seen == [item.id]
    assert item.id not in {i.id for part in items.parts for i in part.items}
