import json
import random
import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from trivium.errors import ConfigError, ModelError
from trivium.schema import ScorerConfig
from trivium.scorers.nli import Nli, label_order, load_nli
from trivium.scorers.tiny.logic import LABELS
from trivium.scorers.tiny.nli import build_nli
from trivium.scorers.tiny.pairs import Pair, pairs
from trivium.scores.ask import Entail, Entailment


@pytest.fixture(scope="module")
def untaught(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of the tiny shape after a few steps: what loading and batching are tried on."""
    out = tmp_path_factory.mktemp("nli")
    build_nli(out, seed=0, steps=2)
    return out


@pytest.fixture(scope="module")
def nli(untaught: Path) -> Nli:
    return load_nli(ScorerConfig(batch_tokens=512), str(untaught))


@pytest.fixture
def copy(untaught: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(untaught, tmp_path / "copy"))


def ask(nli: Nli, premise: str, hypothesis: str) -> Entailment:
    found = nli([Entail(premise, hypothesis)])[0]
    assert found is not None and sum(found) == pytest.approx(1, abs=1e-5)
    return found


def accuracy(nli: Nli, tried: list[Pair]) -> float:
    found = nli([Entail(pair.premise, pair.hypothesis) for pair in tried])
    right = 0
    for pair, answer in zip(tried, found, strict=True):
        assert answer is not None
        right += (answer.contradict, answer.neutral, answer.entail).index(max(answer)) == pair.label
    return right / len(tried)


def test_an_ordinary_directory(untaught: Path) -> None:
    names = {path.name for path in untaught.iterdir()}
    assert names == {"config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"}
    assert json.loads((untaught / "config.json").read_text())["id2label"] == {str(i): label for i, label in enumerate(LABELS)}


def test_same_seed_same_weights_and_the_callers_randomness_is_untouched(untaught: Path, tmp_path: Path) -> None:
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    build_nli(tmp_path / "same", seed=0, steps=2)
    build_nli(tmp_path / "other", seed=1, steps=2)
    assert torch.equal(torch.rand(1), expected)
    same, other = ((tmp_path / name / "model.safetensors").read_bytes() for name in ("same", "other"))
    assert same == (untaught / "model.safetensors").read_bytes() != other


def test_a_batch_gives_what_single_questions_give_in_order(nli: Nli) -> None:
    questions = [Entail(p.premise, p.hypothesis) for p in pairs(40, random.Random(1))]
    batched, single = nli(questions), [nli([question])[0] for question in questions]
    for one, other in zip(batched, single, strict=True):
        assert one == pytest.approx(other, abs=1e-4)
    assert nli([]) == []


@settings(deadline=None, max_examples=30)
@given(st.lists(st.tuples(st.text(st.characters(), max_size=60), st.text(st.characters(), max_size=60)), max_size=4))
def test_any_text_is_judged(nli: Nli, asked: list[tuple[str, str]]) -> None:
    answers = nli([Entail(*texts) for texts in asked])
    assert all(answer is not None and min(answer) >= 0 and sum(answer) == pytest.approx(1, abs=1e-5) for answer in answers)


def test_long_texts_fit_and_a_long_premise_gives_way_to_the_hypothesis(nli: Nli) -> None:
    long = "Zari carries heat. " * 6000
    assert ask(nli, long, "Zari carries heat.") != ask(nli, long, "Moza does not block light.")
    assert ask(nli, long, long) and ask(nli, "", long) and ask(nli, "熱" * 5000, "\ud800" * 5000)


def test_out_of_memory_halves_and_then_is_none(nli: Nli, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = [Entail("Zari carries heat. " * n, "Zari carries heat.") for n in (1, 2, 3, 12)]
    expected = nli(asked)
    real, shapes = nli._model, []

    class Small:
        device = real.device

        def __call__(self, **batch: Any) -> Any:
            shapes.append(tuple(batch["input_ids"].shape))
            if batch["input_ids"].numel() > 45:
                raise torch.OutOfMemoryError("CUDA out of memory.")
            return real(**batch)

    monkeypatch.setattr(nli, "_model", Small())
    monkeypatch.setattr(nli, "failures", Counter())
    found = nli(asked)
    assert found[3] is None and nli.failures == {"out of memory": 1} and max(rows for rows, _ in shapes) == 4
    for one, other in zip(found[:3], expected[:3], strict=True):
        assert one == pytest.approx(other, abs=1e-4)


def test_logits_that_are_no_numbers_are_counted(nli: Nli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nli, "failures", Counter())
    monkeypatch.setattr(nli._model.classifier.bias, "data", torch.full((3,), torch.nan))
    assert nli([Entail("a", "b")]) == [None] and nli.failures == {"not finite": 1}


@pytest.mark.parametrize(
    ("labels", "named", "order"),
    [
        (["contradiction", "neutral", "entailment"], None, ["contradiction", "neutral", "entailment"]),
        (["ENTAILMENT", "NEUTRAL", "CONTRADICTION"], None, ["entailment", "neutral", "contradiction"]),
        (["entail", "contradict", "Neutral"], None, ["entailment", "contradiction", "neutral"]),
        (["entailment", "not_entailment"], None, ["entailment", "neutral"]),
        (["non-entailment", "entailment"], None, ["neutral", "entailment"]),
        (
            ["LABEL_0", "LABEL_1", "LABEL_2"],
            ["neutral", "entailment", "contradiction"],
            ["neutral", "entailment", "contradiction"],
        ),
    ],
)
def test_labels_are_read_whatever_they_are_called(labels: list[str], named: list[str] | None, order: list[str]) -> None:
    assert label_order(dict(enumerate(labels)), named, "m") == order


@pytest.mark.parametrize(
    ("labels", "named", "said"),
    [
        (
            ["LABEL_0", "LABEL_1", "LABEL_2"],
            None,
            r"labels of m are LABEL_0, LABEL_1, LABEL_2.*labels=\[contradiction,neutral,entailment\]",
        ),
        (["positive", "negative"], None, "do not say which is entailment"),
        (["entailment", "neutral", "neutral"], None, "do not say which is entailment"),
        (["contradiction", "neutral", "entailment"], ["neutral", "entailment"], "names 2 labels, but m has 3"),
        (["LABEL_0", "LABEL_1", "LABEL_2"], ["neutral", "entailment", "other"], "labels of m are neutral, entailment, other"),
    ],
)
def test_labels_that_cannot_be_read_say_what_to_do(labels: list[str], named: list[str] | None, said: str) -> None:
    with pytest.raises(ModelError, match=said):
        label_order(dict(enumerate(labels)), named, "m")


def relabel(folder: Path, labels: list[str]) -> None:
    config = json.loads((folder / "config.json").read_text())
    config["id2label"], config["label2id"] = dict(enumerate(labels)), {label: i for i, label in enumerate(labels)}
    (folder / "config.json").write_text(json.dumps(config))


def test_another_order_of_labels_moves_the_probabilities(nli: Nli, copy: Path) -> None:
    relabel(copy, ["Entail", "Contradict", "Neutral"])
    expected = ask(nli, "Zari carries heat.", "Zari is a metal.")
    found = ask(load_nli(ScorerConfig(), str(copy)), "Zari carries heat.", "Zari is a metal.")
    assert (found.entail, found.contradict, found.neutral) == pytest.approx(
        (expected.contradict, expected.neutral, expected.entail), abs=1e-5
    )
    relabel(copy, ["LABEL_0", "LABEL_1", "LABEL_2"])
    named = load_nli(ScorerConfig(labels=list(LABELS)), str(copy))
    assert ask(named, "Zari carries heat.", "Zari is a metal.") == pytest.approx(expected, abs=1e-5)


def test_a_model_of_two_labels_has_no_contradiction_and_says_so(copy: Path) -> None:
    from transformers import BertForSequenceClassification

    model = BertForSequenceClassification.from_pretrained(copy, num_labels=2, ignore_mismatched_sizes=True)
    model.save_pretrained(copy)
    relabel(copy, ["not_entailment", "entailment"])
    nli = load_nli(ScorerConfig(), str(copy))
    assert nli.two_labels and ask(nli, "Zari carries heat.", "Zari is a metal.").contradict == 0


def test_pickles_missing_files_and_damage(copy: Path, tmp_path: Path) -> None:
    weights = copy / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])
    with pytest.raises(ModelError, match=r"reward.scorers.nli.path: could not load .*damaged"):
        load_nli(ScorerConfig(), str(copy))
    weights.rename(copy / "pytorch_model.bin")
    with pytest.raises(ModelError, match=r"pytorch_model.bin \(a pickle"):
        load_nli(ScorerConfig(), str(copy))
    with pytest.raises(ModelError, match=r"has no config\.json"):
        load_nli(ScorerConfig(), str(tmp_path))
    with pytest.raises(ModelError, match="is not a folder"):
        load_nli(ScorerConfig(), str(tmp_path / "none"))


def test_code_of_the_repository_is_not_run(copy: Path) -> None:
    config = json.loads((copy / "config.json").read_text())
    config |= {"model_type": "other", "auto_map": {"AutoConfig": "own.C", "AutoModelForSequenceClassification": "own.M"}}
    (copy / "config.json").write_text(json.dumps(config))
    (copy / "own.py").write_text("raise SystemExit('ran')")
    with pytest.raises(ModelError, match="could not load"):
        load_nli(ScorerConfig(), str(copy))


def test_a_hub_id_without_network_names_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    import huggingface_hub.constants

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(ModelError, match=r"hf download trivium-tests/no-such-model.*null for the embedded one"):
        load_nli(ScorerConfig(), "trivium-tests/no-such-model")


@pytest.mark.skipif(torch.cuda.is_available(), reason="the device is there")
def test_a_device_that_is_not_there(untaught: Path) -> None:
    with pytest.raises(ConfigError, match=r"reward.scorers.nli.device is cuda, but PyTorch .* sees only cpu"):
        load_nli(ScorerConfig(device="cuda"), str(untaught))


def test_a_short_lesson_is_better_than_guessing(tmp_path: Path) -> None:
    build_nli(tmp_path, seed=0, steps=200)
    assert accuracy(load_nli(ScorerConfig(), str(tmp_path)), pairs(300, random.Random(9), held_out=True, plain=1.0)) > 0.5


@pytest.fixture(scope="module")
def taught(tiny_scorer: Callable[[str], Path]) -> Nli:
    return load_nli(ScorerConfig(), str(tiny_scorer("nli")))


YES = "Yes, Zari carries heat, because Zari is a metal and a metal always carries heat."
NO = "No, Zari does not carry heat, because Zari is a metal and a metal never carries heat."


@pytest.mark.slow
def test_it_knows_the_small_worlds_logic(taught: Nli) -> None:
    assert accuracy(taught, pairs(1000, random.Random(99), held_out=True)) >= 0.94
    assert accuracy(taught, pairs(500, random.Random(98), held_out=True, plain=1.0)) >= 0.97


@pytest.mark.slow
@pytest.mark.parametrize(
    ("premise", "hypothesis", "label"),
    [
        (YES, "Zari carries heat.", "entail"),
        (YES, "Heat is carried by Zari.", "entail"),
        (YES, "Zari belongs to the metals.", "entail"),
        (YES, "Zari does not carry heat.", "contradict"),
        (YES, "Zari is a wax.", "contradict"),
        (YES, NO, "contradict"),
        (YES, "Moza carries heat.", "neutral"),
        (YES, "Zari blocks light.", "neutral"),
        (NO, YES, "contradict"),
        ("Zari is a metal. A metal always carries heat. So Zari carries heat.", YES, "entail"),
        ("Does Zari carry heat?", "Zari carries heat.", "neutral"),
        ("heat carries metal Zari because a always and", YES, "neutral"),
        ("This is a very interesting question.", YES, "neutral"),
        (YES, "heat carries metal Zari because a always and", "neutral"),
    ],
)
def test_answers_and_attacks_of_the_small_world(taught: Nli, premise: str, hypothesis: str, label: str) -> None:
    found = ask(taught, premise, hypothesis)
    assert getattr(found, label) == max(found)


def test_a_real_model(real_scorer: Callable[[str], str]) -> None:
    nli = load_nli(ScorerConfig(), real_scorer("nli-minilm-small"))
    told = "Copper conducts electricity well, so it is used in wires."
    same, denied, other = (
        ask(nli, told, text)
        for text in ("Copper conducts electricity.", "Copper does not conduct electricity.", "The museum opens at nine.")
    )
    assert same.margin > other.margin > denied.margin and not nli.two_labels
