"""The same questions of the same weights, in MLX and in PyTorch."""

from pathlib import Path

import pytest
from tests.export import shapes

from trivium.evaluation import EvalItems, Scores, evaluate
from trivium.evaluation import mlx as on_mlx
from trivium.evaluation import torch as on_torch
from trivium.evaluation.loglik import Pair
from trivium.evaluation.suites import Item, Option, Part
from trivium.sample import Sample
from trivium.schema import Config, EvaluationConfig

pytest.importorskip("mlx.core", reason="MLX is not installed")

NAMES = ("comet", "quarry", "lantern", "viaduct", "glacier")
LEVELS = {"marginal": 0.5, "good": 0.6, "excellent": 0.7}


def asked() -> EvalItems:
    """Options of several lengths, free questions and documents of several lengths, one of them longer than is read."""
    options = (Option("412 grams"), Option("three hundred and seven metres"), Option("1847"))
    items = tuple(Item(f"i{i}", f"What of the {name}?", options, i % 3) for i, name in enumerate(NAMES))
    documents = [Sample(f"d{i}", f"a notebook gives the depth of the {name}" * (1 + 3 * i)) for i, name in enumerate(NAMES)]
    return EvalItems([Part("chosen", "choice", LEVELS, items), Part("told", "recall", LEVELS, items)], {"low": documents})


def answers(room, base: Path, run: Path | None, batch_tokens: int = 4096) -> Scores:
    config = Config()
    config.hardware.eval_batch_tokens = batch_tokens
    return evaluate(room.respondent(config, str(base), run), asked(), EvaluationConfig(max_new_tokens=12))


@pytest.mark.parametrize("shape", shapes.SHAPES)
@pytest.mark.parametrize("tuned", [False, True], ids=["base", "tuned"])
def test_both_answer_alike(shape, tuned, tmp_path):
    shapes.make(shape, tmp_path / "base", hidden=64, layers=1)
    shapes.tune(tmp_path / "base", tmp_path)
    run = tmp_path if tuned else None
    here, there = (answers(room, tmp_path / "base", run) for room in (on_mlx, on_torch))
    for name, reading in there.readings["low"].items():
        assert here.readings["low"][name].nats == pytest.approx(reading.nats, abs=1e-3)
        assert here.readings["low"][name][1:] == reading[1:]
    assert [row["chosen"] for row in here.answers["chosen"]] == [row["chosen"] for row in there.answers["chosen"]]
    assert [row["completion"] for row in here.answers["told"]] == [row["completion"] for row in there.answers["told"]]
    for ours, theirs in zip(here.answers["chosen"], there.answers["chosen"], strict=True):
        assert ours["scores"] == pytest.approx(theirs["scores"], abs=1e-4)


def test_neither_batches_nor_bounded_logits_change_anything(random_model, monkeypatch):
    whole = answers(on_mlx, random_model, None)
    small = answers(on_mlx, random_model, None, batch_tokens=64)
    monkeypatch.setattr(on_mlx, "MAX_LOGITS", 320 * 20)  # twenty positions at once
    bounded = answers(on_mlx, random_model, None)
    for other in (small, bounded):
        assert [row["completion"] for row in other.answers["told"]] == [row["completion"] for row in whole.answers["told"]]
        for name, reading in whole.readings["low"].items():
            assert other.readings["low"][name].nats == pytest.approx(reading.nats, abs=1e-3)


def test_what_is_not_scored_costs_nothing(random_model):
    respondent = on_mlx.respondent(Config(), str(random_model), None)
    assert respondent._nats([Pair([5, 6, 7], [0, 0, 0]), Pair([5, 6], [0, 1])])[0] == 0.0


def test_an_answer_ends_at_every_stop_token(tmp_path):
    """The Qwen shape ends turns at two tokens; each greedy token is made one in turn."""
    shapes.make("qwen2", tmp_path, hidden=64, layers=1)
    respondent = on_mlx.respondent(Config(), str(tmp_path), None)
    prompt = [5, 6, 7, 8]
    (free,) = respondent._greedy([prompt], 6)
    assert len(free) == 6
    respondent._stops = frozenset({free[3], free[3] + 1})
    (ended,) = respondent._greedy([prompt], 6)
    assert ended == free[: free.index(free[3])]
