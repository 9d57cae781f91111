import json
import random
import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from trivium.errors import ModelError
from trivium.schema import ScorerConfig
from trivium.scorers.embeddings import Embeddings, load_embeddings
from trivium.scorers.tiny import logic
from trivium.scorers.tiny.embeddings import build_embeddings
from trivium.scores.ask import Embed, Vector


@pytest.fixture(scope="module")
def folder(tiny_scorer: Callable[[str], Path]) -> Path:
    return tiny_scorer("embeddings")


@pytest.fixture(scope="module")
def embeddings(folder: Path) -> Embeddings:
    return load_embeddings(ScorerConfig(), str(folder))


def vectors(embeddings: Embeddings, *texts: str) -> list[Vector]:
    found = [vector for vector in embeddings([Embed(text) for text in texts]) if vector is not None]
    assert len(found) == len(texts) and all(np.linalg.norm(vector) == pytest.approx(1, abs=1e-5) for vector in found)
    return found


def test_another_wording_is_nearer_than_a_denial_and_than_another_claim(embeddings: Embeddings) -> None:
    rng = random.Random("held out")
    above_denial = above_other = 0
    for _ in range(200):
        found, other = logic.deduction(rng, held_out=True), logic.deduction(rng, held_out=True)
        claim = rng.choice((found.conclusion, found.member, found.rule))
        texts = (
            claim.text(),
            claim.other_text(),
            claim.negated().text(),
            claim.negated().other_text(),
            other.conclusion.text(),
        )
        own, same, *others = vectors(embeddings, *texts)
        above_denial += own @ same > max(own @ others[0], own @ others[1])
        above_other += own @ same > own @ others[2]
    assert above_denial >= 190 and above_other >= 195


def test_a_conclusion_with_its_reason_is_near_in_other_words(embeddings: Embeddings) -> None:
    rng = random.Random(4)
    found, other = logic.deduction(rng), logic.deduction(rng)
    own, same, far = vectors(embeddings, logic.compound(found, rng), logic.compound(found, rng), logic.compound(other, rng))
    assert own @ same > own @ far


def test_answers_come_in_the_order_of_the_questions(embeddings: Embeddings) -> None:
    texts = ["Zari is a metal. " * n for n in (3, 1, 40, 2)] + ["A wax never blocks light."]
    together = vectors(Embeddings(embeddings._model, batch_tokens=64), *texts)
    for text, vector in zip(texts, together, strict=True):
        np.testing.assert_allclose(vector, vectors(embeddings, text)[0], atol=1e-5)
    assert embeddings([]) == []


def test_what_has_no_direction_is_none_and_counted(embeddings: Embeddings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embeddings, "failures", Counter())
    first, empty = embeddings([Embed("Zari"), Embed("")])
    assert first is not None and empty is None and embeddings.failures == {"no direction": 1}


@settings(deadline=None, max_examples=30)
@given(st.lists(st.text(st.characters(), max_size=60), max_size=4))
def test_any_text_has_a_vector_or_none(embeddings: Embeddings, texts: list[str]) -> None:
    for vector in embeddings([Embed(text) for text in texts]):
        assert vector is None or (vector.dtype == np.float32 and np.linalg.norm(vector) == pytest.approx(1, abs=1e-5))


def test_out_of_memory_halves_and_then_is_none(embeddings: Embeddings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embeddings, "failures", Counter())
    real = embeddings._model

    class Small:
        def encode(self, texts: list[str], **options: Any) -> Any:
            if len(texts) > 1 or len(texts[0]) > 100:
                raise torch.OutOfMemoryError("CUDA out of memory.")
            return real.encode(texts, **options)

    monkeypatch.setattr(embeddings, "_model", Small())
    found = embeddings([Embed("Zari is a metal."), Embed("Zari is a metal. " * 20), Embed("Moza is a wax.")])
    assert [vector is None for vector in found] == [False, True, False] and embeddings.failures == {"out of memory": 1}


def test_same_seed_same_weights_and_the_callers_randomness_is_untouched(tmp_path: Path) -> None:
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    for name, seed in (("one", 1), ("same", 1), ("other", 2)):
        build_embeddings(tmp_path / name, seed=seed, steps=3)
    assert torch.equal(torch.rand(1), expected)
    one, same, other = ((tmp_path / name / "model.safetensors").read_bytes() for name in ("one", "same", "other"))
    assert one == same != other


def test_pickles_missing_files_and_foreign_modules(folder: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(folder, tmp_path / "copy"))
    modules = json.loads((copy / "modules.json").read_text())
    modules[0]["type"] = "own.Module"
    (copy / "modules.json").write_text(json.dumps(modules))
    (copy / "own.py").write_text("raise SystemExit('ran')")
    with pytest.raises(ModelError, match=r"modules.json of .* names own.Module; only modules of sentence-transformers"):
        load_embeddings(ScorerConfig(), str(copy))
    (copy / "modules.json").write_text("[]")
    with pytest.raises(ModelError, match="names no module"):
        load_embeddings(ScorerConfig(), str(copy))
    (copy / "model.safetensors").rename(copy / "pytorch_model.bin")
    with pytest.raises(ModelError, match=r"pytorch_model.bin \(a pickle"):
        load_embeddings(ScorerConfig(), str(copy))
    with pytest.raises(ModelError, match=r"has no modules\.json"):
        load_embeddings(ScorerConfig(), str(tmp_path))


def test_a_hub_id_without_network_names_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    import huggingface_hub.constants

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(ModelError, match=r"hf download trivium-tests/no-such-model.*null for the embedded one"):
        load_embeddings(ScorerConfig(), "trivium-tests/no-such-model")


def test_a_real_model(real_scorer: Callable[[str], str]) -> None:
    embeddings = load_embeddings(ScorerConfig(), real_scorer("all-minilm-l6-v2"))
    told, same, other = vectors(
        embeddings, "Copper conducts electricity.", "Copper is a good conductor.", "The museum is closed."
    )
    assert told.shape == (384,) and told @ same > 0.5 > told @ other
