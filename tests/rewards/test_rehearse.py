"""A reward set is tried on reference answers before a policy is trained on it; only the models that it asks are opened."""

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from trivium.data.micro_qa import documents
from trivium.errors import ConfigError, ModelError
from trivium.rewards.compose import Composition
from trivium.rewards.rehearse import as_completion, measures, proxy, rehearse, watcher
from trivium.rewards.terms import Term
from trivium.sample import Sample
from trivium.schema import Config, LogicConfig

ConfigOf = Callable[..., Config]
SAMPLES = documents(LogicConfig(names=10))


def test_sets_without_models_open_none(config_of: ConfigOf, tmp_path: Path) -> None:
    config = config_of("experiment=coherence", "reward=lightweight", "evaluation.scores={}", f"cache_dir={tmp_path}")
    read = [as_completion(config, sample) for sample in SAMPLES[:5]]
    rehearse(config, proxy(config), SAMPLES)
    table = watcher(config).score(read, SAMPLES[:5])
    assert table.names == ["gold"] and table.total.tolist() == [1.0] * 5
    assert list(tmp_path.iterdir()) == []


def test_only_the_model_that_a_term_asks_is_opened_and_one_that_is_not_there_is_no_missing_value(
    config_of: ConfigOf, tmp_path: Path
) -> None:
    names = ("nli", "embeddings", "syntax")
    for name in names:
        (tmp_path / f"my_{name}").mkdir()
    paths = [f"reward.scorers.{name}.path={tmp_path}/my_{name}" for name in names]
    for fn, opened in (("meaning.nli_coherence", "nli"), ("meaning.semantic_similarity", "embeddings")):
        config = config_of("experiment=coherence", "reward=none", f"reward.terms={{t: {{fn: {fn}}}}}", *paths)
        composition = proxy(config)
        with pytest.raises(ModelError, match=f"my_{opened}"):
            rehearse(config, composition, SAMPLES)


def test_references_are_scored_in_the_think_format(config_of: ConfigOf, tmp_path: Path) -> None:
    config = config_of("experiment=coherence", "dataset.chat.think_open='<a>'", "dataset.chat.think_close='</a>'")
    with_thinking = as_completion(config, SAMPLES[0])
    assert (with_thinking.thinking, with_thinking.answer) == (SAMPLES[0].thinking, SAMPLES[0].reference)
    assert with_thinking.text.startswith("<a>")
    bare = as_completion(config, Sample(id="b", messages=[{"role": "assistant", "content": "Yes."}]))
    assert bare.answer == "Yes." and bare.thinking


def composed(**fns: Callable[..., Any]) -> Composition:
    return Composition([Term(name, fn) for name, fn in fns.items()], lambda questions: [])


def fine(completion: Any, sample: Sample) -> float:
    return 1.0


def broken(completion: Any, sample: Sample) -> float:
    return float(sample.metadata["nosuch"])


def silent(completion: Any, sample: Sample) -> None:
    return None


def test_a_term_that_fails_on_every_reference_ends_the_run_before_it_begins() -> None:
    with pytest.raises(ConfigError, match=r"broken cannot score any of 16 reference answers.*~reward\.terms\."):
        rehearse(Config(), composed(fine=fine, broken=broken, silent=silent), SAMPLES)


def test_a_term_that_has_no_value_for_any_reference_is_told(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        rehearse(Config(), composed(fine=fine, silent=silent), SAMPLES)
    (record,) = caplog.records
    assert "silent gives no value for any of 16" in record.getMessage()


def test_terms_that_have_no_value_at_all_end_the_run() -> None:
    with pytest.raises(ConfigError, match="silent cannot score any of 16"):
        rehearse(Config(), composed(silent=silent), SAMPLES)


def test_a_term_that_fails_on_some_references_only_may_stay() -> None:
    def sometimes(completion: Any, sample: Sample) -> float:
        if sample.id == SAMPLES[0].id:
            raise ValueError("odd")
        return 1.0

    rehearse(Config(), composed(sometimes=sometimes), SAMPLES)


def test_data_without_references_is_told_and_not_tried(caplog: pytest.LogCaptureFixture) -> None:
    asked = [Sample(id="a", messages=[{"role": "user", "content": "Why?"}])]
    rehearse(Config(), composed(broken=broken), asked)
    assert "no training question has a reference" in caplog.text
    rehearse(Config(), composed(fine=fine), [*asked, *SAMPLES[:1]])  # those that have one are tried


def test_proxy_watcher_and_measures_are_the_configured_terms(config_of: ConfigOf, tmp_path: Path) -> None:
    config = config_of("experiment=coherence", "reward=legacy")
    assert [term.name for term in proxy(config).terms] == ["exact", "approximate", "similarity", "terminology", "completeness"]
    assert [term.fn.__name__ for term in watcher(config).terms] == ["fact_exactness"]
    assert [term.name for term in measures(config).terms] == ["entailment", "fact_exactness", "format_compliance", "repetition"]


def test_gold_asks_the_terms_models_unless_it_has_its_own(config_of: ConfigOf) -> None:
    config = config_of("experiment=coherence", "reward.scorers.nli.path=owner/name")
    assert proxy(config).answer == watcher(config).answer == measures(config).answer
    other = config_of("experiment=coherence", "reward.scorers.nli.path=owner/name", "reward.gold_scorers.nli.path=owner/other")
    assert proxy(other).answer == proxy(config).answer != watcher(other).answer
    assert watcher(other).answer == measures(other).answer
