"""Who speaks for each kind of run: the adapter switched off, or other weights."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from trivium import stages
from trivium.artifact import MANIFEST, seal
from trivium.compose import hydra_at
from trivium.console import Screen
from trivium.errors import ModelError
from trivium.models.generate import GREEDY
from trivium.models.identity import contents
from trivium.models.merge import merge
from trivium.schema import Config, FullAdapter
from trivium.serving.settings import take_up
from trivium.serving.speakers import Speaker, speakers


@pytest.fixture
def config(run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Config:
    monkeypatch.chdir(tmp_path)
    with hydra_at():
        return take_up(run, ["task=chat"])


def said(who: list[Speaker]) -> list[str]:
    questions = ("What is the mass?", "And the depth?")
    return [speaker.answer(question, None, 12, GREEDY).text for speaker in who for question in questions]


def whole(folder: Path, config: Config, run: Path) -> None:
    """What a run trained, as a whole model in a sealed folder."""
    base = stages.base_model(config, Screen())[0]
    merge(config.model, config.hardware, base, run, folder)
    seal(folder, "train", "key", [path for path in folder.rglob("*") if path.is_file()], {})


def test_a_run_that_trained_every_weight_is_talked_to_as_one_with_an_adapter(config: Config, run: Path) -> None:
    with_adapter = speakers(config, run, Screen())
    assert with_adapter[0].model is with_adapter[1].model and with_adapter[0].bare
    answers = said(with_adapter)
    whole(run / "model", config, run)
    shutil.rmtree(run / "adapter")
    apart = speakers(replace(config, adapter=FullAdapter()), run, Screen())
    assert apart[0].model is not apart[1].model
    assert said(apart) == answers
    assert len(speakers(replace(config, adapter=FullAdapter(), talk=replace(config.talk, base=False)), run, Screen())) == 1


def test_a_run_that_started_from_an_arm_is_compared_with_the_first_model(config: Config, run: Path) -> None:
    later, first = replace(config, starts_from="uniform"), said(speakers(config, run, Screen())[:1])
    with pytest.raises(ModelError, match=r"uniform/merged, the merged weights that this run started from, is not there"):
        speakers(later, run, Screen())
    merged = run / "arms" / "uniform" / "merged"
    whole(merged, config, run / "arms" / "uniform")
    with pytest.raises(ModelError, match="is not the one that"):
        speakers(later, run, Screen())
    told = json.loads((run / "adapter" / MANIFEST).read_text())  # as if it had been trained on them
    told["inputs"] = contents(str(merged), Path(config.cache_dir))
    (run / "adapter" / MANIFEST).write_text(json.dumps(told))
    base, tuned = speakers(later, run, Screen())
    assert not base.bare and said([base]) == first
    assert tuned.model.get_base_model() is not base.model


def test_weights_that_were_changed_since_are_refused(config: Config, run: Path) -> None:
    weights = run / "adapter" / "adapter_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1])
    with pytest.raises(ModelError, match="does not hold the weights of a finished training as they were written"):
        speakers(config, run, Screen())
