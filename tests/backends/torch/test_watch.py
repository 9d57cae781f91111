"""Looks at a model in training: they change nothing, see what the evaluation would see, and can end it without a trace."""

import gc
import json
import os
import signal
import weakref
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from trivium.backends.torch import grpo, sft
from trivium.backends.torch.watch import freed, undisturbed
from trivium.errors import Interrupted, Pruned
from trivium.evaluation import EvalItems, Respondent, TorchRespondent, evaluate
from trivium.evaluation.probe import Watch
from trivium.evaluation.suites import Item, Option, Part
from trivium.models.load import load_base, load_tokenizer, load_tuned
from trivium.sample import Sample
from trivium.schema import (
    Config,
    DistrustLoss,
    EvaluationConfig,
    FullAdapter,
    GrpoMethod,
    LoraAdapter,
    RewardConfig,
    SftMethod,
    UniformLoss,
)

NAMES = ("comet", "quarry", "lantern", "viaduct", "glacier", "orchard")
LEVELS = {"marginal": 0.5, "good": 0.6, "excellent": 0.7}
ADAPTERS = pytest.mark.parametrize("adapter", [LoraAdapter(r=4, lora_dropout=0.1), FullAdapter()], ids=["lora", "full"])


class Silent:
    """Records nothing."""

    def metrics(self, values, step=None) -> None:
        pass

    def table(self, name, columns, step) -> None:
        pass


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve training questions and six held-out ones, prepared."""
    folder = tmp_path_factory.mktemp("questions")
    for name, rows in (("train", range(12)), ("heldout", range(12, 18))):
        samples = [question(i) for i in rows]
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(s.to_dict()) + "\n" for s in samples), encoding="utf-8")
    return folder


def question(i: int) -> Sample:
    told = f"a notebook gives the depth of the {NAMES[i % 6]} as {100 + i} metres"
    turns = (("user", f"the depth of the {NAMES[i % 6]} number {i}"), ("assistant", told))
    return Sample(id=f"q{i}", messages=[{"role": role, "content": text} for role, text in turns])


def items() -> EvalItems:
    options = tuple(Option(f"{100 + i} metres") for i in range(3))
    choices = tuple(Item(f"c{i}", f"the depth of the {name}", options, i % 3) for i, name in enumerate(NAMES))
    recalls = tuple(Item(f"r{i}", f"the mass of the {name}", options, i % 3) for i, name in enumerate(NAMES))
    documents = [Sample(f"d{i}", f"a notebook gives the depth of the {name} as 9 metres") for i, name in enumerate(NAMES)]
    parts = [Part("chosen", "choice", LEVELS, choices), Part("recalled", "recall", LEVELS, recalls)]
    return EvalItems(parts, {"low": documents})


def supervised(adapter=None, **settings) -> Config:
    method = SftMethod(**{"max_steps": 9, "total_batch_size": 8, "learning_rate": 5e-3, **settings})
    config = Config(loss=DistrustLoss(), adapter=adapter or LoraAdapter(r=4, lora_dropout=0.1), method=method)
    config.hardware.per_device_train_batch_size = 4
    return config


def rewarded(adapter=None, **settings) -> Config:
    settings = {"max_steps": 4, "total_batch_size": 8, "num_generations": 4, "max_completion_length": 8, **settings}
    settings |= {"learning_rate": 5e-3, "gold_steps": 0, "completions_steps": 0, "mask_truncated_completions": False}
    reward = RewardConfig(name="test", terms={"overlap": {"fn": "answer.f1"}})
    chosen = adapter or LoraAdapter(r=4, lora_dropout=0.1)
    config = Config(loss=UniformLoss(), adapter=chosen, method=GrpoMethod(**settings), reward=reward)
    config.hardware.per_device_train_batch_size = 8
    return config


def run(config: Config, base: Path, data: Path, out: Path, every: int = 0, look: Callable[..., None] | None = None) -> None:
    method = grpo if isinstance(config.method, GrpoMethod) else sft
    watch = Watch(every, look) if look else None
    config = replace(config, cache_dir=str(out / "cache"))
    method.train(config, str(base), data, out, record=Silent(), progress=lambda *_: None, watch=watch)


class Looks:
    """Asks everything, spends random numbers, and remembers; gives up at a step."""

    def __init__(self, until: int = 99) -> None:
        self.steps: list[int] = []
        self.until = until

    def __call__(self, respondent: Respondent, step: int) -> None:
        evaluate(respondent, items(), EvaluationConfig(max_new_tokens=4))
        torch.rand(step)
        self.steps.append(step)
        if step >= self.until:
            raise Pruned("hopeless")


def weights(out: Path) -> dict[str, torch.Tensor]:
    (file,) = [path for name in ("adapter", "model") for path in (out / name).glob("*.safetensors")]
    return load_file(file)


def same(a: Path, b: Path) -> bool:
    first, second = weights(a), weights(b)
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


@ADAPTERS
@pytest.mark.parametrize("settings", [{}, {"packing": True}, {"save_steps": 3, "eval_steps": 2}], ids=str)
def test_a_watched_supervised_training_ends_with_the_same_weights(random_model, prepared, tmp_path, adapter, settings):
    looks, config = Looks(), supervised(adapter, **settings)
    run(config, random_model, prepared, tmp_path / "blind")
    run(config, random_model, prepared, tmp_path / "watched", 3, looks)
    assert looks.steps == [3, 6], "not after the last step, which the evaluation follows"
    assert same(tmp_path / "blind", tmp_path / "watched")


@ADAPTERS
@pytest.mark.parametrize("settings", [{}, {"num_iterations": 2}, {"beta": 0.1}], ids=str)
def test_a_watched_policy_training_ends_with_the_same_weights(random_model, asked, tmp_path, adapter, settings):
    looks, config = Looks(), rewarded(adapter, **settings)
    run(config, random_model, asked, tmp_path / "blind")
    run(config, random_model, asked, tmp_path / "watched", 1, looks)
    assert looks.steps == [1, 2, 3]
    assert same(tmp_path / "blind", tmp_path / "watched")


@ADAPTERS
@pytest.mark.parametrize("kind", ["sft", "packed", "checkpointed", "grpo"])
def test_a_look_sees_what_the_evaluation_of_the_saved_weights_sees(random_model, prepared, asked, tmp_path, adapter, kind):
    config = rewarded(adapter) if kind == "grpo" else supervised(adapter, packing=kind == "packed")
    config.hardware.gradient_checkpointing = kind == "checkpointed"
    evaluation, seen = EvaluationConfig(max_new_tokens=6), {}

    def look(respondent: TorchRespondent, step: int) -> None:
        seen[step] = evaluate(respondent, items(), evaluation)
        respondent._model.save_pretrained(tmp_path / str(step) / ("adapter" if adapter.name == "lora" else "model"))

    run(config, random_model, asked if kind == "grpo" else prepared, tmp_path, 3, look)
    assert 3 in seen
    for step, found in seen.items():
        model = load_tuned(config.model, config.hardware, str(random_model), tmp_path / str(step))
        tokenizer = load_tokenizer(config.model, str(random_model))
        size, longest = config.hardware.eval_batch_tokens, config.model.max_length
        expected = evaluate(TorchRespondent(model, tokenizer, config.dataset.chat, size, longest), items(), evaluation)
        assert (found.items, found.readings) == (expected.items, expected.readings)
        assert found.answers == expected.answers


@pytest.mark.parametrize("kind", ["sft", "grpo"])
def test_a_training_that_is_given_up_stops_at_once_and_leaves_nothing(random_model, prepared, asked, tmp_path, kind):
    steps: list[int] = []
    config = rewarded(save_steps=1) if kind == "grpo" else supervised(save_steps=1)
    method, data = (grpo, asked) if kind == "grpo" else (sft, prepared)
    config = replace(config, cache_dir=str(tmp_path / "cache"))
    with pytest.raises(Pruned, match="hopeless"):
        method.train(
            config,
            str(random_model),
            data,
            tmp_path / "out",
            record=Silent(),
            progress=lambda step, *_: steps.append(step),
            watch=Watch(2, Looks(until=2)),
        )
    assert steps == [1, 2]
    assert not list((tmp_path / "out").rglob("*.*")), "neither weights nor checkpoints, whole or half"


@pytest.mark.parametrize("kind", ["sft", "grpo"])
def test_trainings_that_were_given_up_leave_no_tensors(random_model, prepared, asked, tmp_path, kind):
    config, data = (rewarded(), asked) if kind == "grpo" else (supervised(), prepared)
    kept: list[Pruned] = []
    counts, models = [], []

    def look(respondent: TorchRespondent, step: int) -> None:
        models.append(weakref.ref(respondent._model))
        raise Pruned("hopeless")

    for number in range(5):
        with pytest.raises(Pruned) as caught:
            run(config, random_model, data, tmp_path / str(number), 2, look)
        kept.append(caught.value)  # whoever keeps the error, with its traceback, keeps no model
        assert models.pop()() is None
        counts.append(sum(1 for thing in gc.get_objects() if issubclass(type(thing), torch.Tensor)))
    assert all(error.__traceback__ for error in kept)
    assert len(set(counts[1:])) == 1, counts
    assert counts[-1] <= counts[0], counts


def test_a_look_leaves_every_module_in_its_mode_and_the_random_state_as_it_was(random_model):
    config = supervised()
    model = load_base(config.model, config.hardware, str(random_model)).train()
    frozen = model.model.layers[0].eval()
    state = torch.get_rng_state()
    with pytest.raises(Pruned), undisturbed(model):
        assert not any(module.training for module in model.modules())
        torch.rand(3)
        raise Pruned
    assert model.training and model.model.layers[1].training
    assert not any(module.training for module in frozen.modules())
    assert torch.equal(torch.get_rng_state(), state)


def test_no_look_delays_a_stop(random_model, prepared, tmp_path):
    looks = Looks()

    def stop_at_3(step: int, *_: object) -> None:
        if step == 3:
            os.kill(os.getpid(), signal.SIGTERM)

    config, watch = supervised(), Watch(3, looks)
    with pytest.raises(Interrupted):
        sft.train(config, str(random_model), prepared, tmp_path, record=Silent(), progress=stop_at_3, watch=watch)
    assert looks.steps == []
    run(config, random_model, prepared, tmp_path, 3, looks)
    assert looks.steps == [6], "the training went on from where it was stopped"


def test_memory_is_given_back_whatever_error_passes_and_whatever_caused_it():
    class Big:
        pass

    seen: list[weakref.ref] = []

    def hold() -> None:
        model = Big()
        seen.append(weakref.ref(model))
        raise MemoryError("too large")

    @freed()
    def train() -> None:
        model = Big()
        seen.append(weakref.ref(model))
        try:
            hold()
        except MemoryError as error:
            raise RuntimeError("out of memory") from error

    with pytest.raises(RuntimeError) as caught:
        train()
    assert isinstance(caught.value.__cause__, MemoryError)
    assert [big() for big in seen] == [None, None]
