import math
from pathlib import Path

import pytest
import torch

from trivium.data import chat
from trivium.evaluation import EvalItems, Scores, TorchRespondent, evaluate
from trivium.evaluation.loglik import Pair, score_pairs
from trivium.models.load import load_base, load_tokenizer
from trivium.sample import Sample
from trivium.schema import ChatConfig, EvaluationConfig, HardwareConfig, ModelConfig


@pytest.fixture(scope="module")
def respondent(random_model: Path) -> TorchRespondent:
    model = load_base(ModelConfig(), HardwareConfig(), str(random_model))
    return TorchRespondent(model, load_tokenizer(ModelConfig(), str(random_model)), ChatConfig(), 4096, 128)


def test_batches_score_like_one_at_a_time(respondent: TorchRespondent) -> None:
    torch.manual_seed(0)
    pairs = []
    for length in (2, 3, 7, 7, 19, 40, 41):
        ids = torch.randint(5, 200, (length,)).tolist()
        pairs.append(Pair(ids, [0] + [int(i % 2) for i in range(1, length)]))
    model, pad = respondent._model, respondent._tokenizer.pad_token_id
    alone = [score_pairs(model, [pair], pad, 1)[0] for pair in pairs]
    assert score_pairs(model, pairs, pad, 64) == pytest.approx(alone, abs=1e-4)
    assert score_pairs(model, pairs, pad, 100_000) == pytest.approx(alone, abs=1e-4)


def test_a_reading_is_the_models_own_loss(respondent: TorchRespondent) -> None:
    sample = Sample(id="a", text="the mass of the comet is 412 grams", title="the comet")
    (reading,) = respondent.read([sample])
    encoded = chat.encode(respondent._tokenizer, chat.to_messages(sample, ChatConfig()), 128)
    labels = torch.tensor([[i if on else -100 for i, on in zip(*encoded, strict=True)]])
    loss = respondent._model(input_ids=torch.tensor([encoded.input_ids]), labels=labels).loss.item()
    assert reading.nats / reading.tokens == pytest.approx(loss, rel=1e-5)
    assert reading.bytes == len(sample.text)


def test_answers_hold_no_prompt_and_do_not_depend_on_the_batch(respondent: TorchRespondent, items: EvalItems) -> None:
    some = next(p for p in items.parts if p.metric == "coordinated_recall").items[:5]
    together = respondent.answer(some, 6)
    assert together == [respondent.answer([item], 6)[0] for item in some]
    assert not any(item.question in text for item, text in zip(some, together, strict=True))


def test_scores_survive_the_disk(respondent: TorchRespondent, items: EvalItems, tmp_path: Path) -> None:
    few = EvalItems(items.parts[:1], {band: rows[:3] for band, rows in items.documents.items()})
    scores = evaluate(respondent, few, EvaluationConfig())
    scores.save(tmp_path)
    again = Scores.load(tmp_path)
    assert again.items == scores.items
    assert again.readings == scores.readings
    assert all(math.isfinite(r.nats) for rows in again.readings.values() for r in rows.values())
