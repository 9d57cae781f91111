"""Cards: front matter as the Hub reads it, every figure with its interval, plain words, and nothing of this machine."""

import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import DatasetCard, ModelCard
from tests.export.finished import METRICS, SMALL_WORLD, job_of

from trivium.artifact import MANIFEST, cached, valid
from trivium.export import card, card_data
from trivium.export.job import Job
from trivium.export.kinds import hub as kind
from trivium.schema import Config

SECRET = "hf_thisMustNeverBeSeen123"


@pytest.fixture
def job(config_of: Callable[..., Config], tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Job]:
    cache = tmp_path_factory.getbasetemp() / "prepared_once"

    def make(*overrides: str, **changes: Any) -> Job:
        config = config_of("arms=null", "export=[adapter,hub]", f"cache_dir={cache}", *SMALL_WORLD, *overrides)
        return job_of(config, tmp_path, **changes)

    return make


def report(passed: bool = True) -> dict[str, Any]:
    form = {
        "name": "gguf/q8_0",
        "precision": "q8_0",
        "templates": 1.0,
        "tokens": 1.0,
        "stops": True,
        "kl": 4e-4,
        "kl_max": 0.01,
        "top1": 0.995,
        "answers": 0.9375,
        "limit": {"kl": 0.01, "top1": 0.97},
        "passed": passed,
        "reasons": [] if passed else ["it stops at nothing"],
    }
    return {"passed": passed, "forms": [form]}


def row(text: str, *cells: str) -> bool:
    return any(all(cell in line for cell in cells) for line in text.splitlines() if line.startswith("|"))


def test_front_matter_is_read_by_the_hubs_own_reader(job: Callable[..., Job]) -> None:
    about = ModelCard(card.model_card(job("export.hub.license=apache-2.0", "model.path=some/model"), {})).data
    assert (about.license, about.base_model, about.base_model_relation) == ("apache-2.0", "some/model", "adapter")
    assert (about.library_name, about.pipeline_tag, about.model_name) == ("peft", "text-generation", "distrust")
    values = {result.metric_type: result.metric_value for result in about.eval_results}
    assert values == {"eval/source_preference": 0.71, "eval/coordinated_recall": 0.9375}


def test_every_figure_stands_with_base_difference_interval_and_verdict(job: Callable[..., Job]) -> None:
    text = card.model_card(job(), {})
    assert row(text, "`eval/source_preference`", "0.710 [0.660, 0.760]", "0.120", "0.590 [0.540, 0.640]", "good")
    assert "a1b2c3" in text and "seed" in text and "not evaluated.**" not in text


def test_control_arms_are_beside_it(job: Callable[..., Job]) -> None:
    name = "arms/uniform/eval/source_preference_vs_main"
    more = {name: -0.4, f"{name}_ci_low": -0.5, f"{name}_ci_high": -0.3}
    assert row(
        card.model_card(job(metrics=METRICS | more), {}), "`uniform`", "`eval/source_preference`", "-0.400 [-0.500, -0.300]"
    )


def test_an_unevaluated_model_says_so(job: Callable[..., Job]) -> None:
    text = card.model_card(job(metrics={"train/loss": 1.0}, verdicts={}), {})
    assert "**This model was not evaluated.**" in text and "## Evaluation" not in text
    assert ModelCard(text).data.eval_results is None


def test_failed_checks_are_said_plainly_and_first(job: Callable[..., Job]) -> None:
    text = card.model_card(job(forced=("eval/coordinated_recall = 0.20 [0.10, 0.30] is failed",)), {})
    assert text.index("Exported in spite of failed checks") < text.index("## ")
    assert "- eval/coordinated_recall = 0.20 [0.10, 0.30] is failed" in text


def test_only_settings_that_differ_are_named_and_the_loss_always(job: Callable[..., Job]) -> None:
    text = card.model_card(job("method.learning_rate=0.123"), {})
    assert row(text, "`method.learning_rate`", "`0.123`")
    assert row(text, "`loss.alpha`", "`2.7`")
    assert "weight_decay" not in text


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        ((), "lean towards the primary record"),
        (("loss=uniform",), "Every text had the same weight"),
        (("loss=distrust_published",), "has no gradient"),
        (("dataset.provenance.shuffle=true",), "placebo"),
        (("export.hub.limits=Only tried in Welsh.",), "- Only tried in Welsh."),
        (("export.hub.intended_use=Teaching.",), "Teaching."),
    ],
)
def test_position_and_limits(job: Callable[..., Job], overrides: tuple[str, ...], words: str) -> None:
    assert words in card.model_card(job(*overrides), {})


def test_roads_of_rewards_and_of_personas_have_their_own_words(config_of: Callable[..., Config], tmp_path: Path) -> None:
    for experiment, words in {"coherence": "Answers were reinforced by these rewards", "persona": "trained manner"}.items():
        config = config_of(f"experiment={experiment}", "arms=null", f"cache_dir={tmp_path}/cache")
        prepared = job_of(config, tmp_path)
        assert words in card.model_card(prepared, {})
        assert DatasetCard(card_data.dataset_card(prepared)).data.pretty_name == config.dataset.name


def test_data_are_counted_and_named_by_their_digests(job: Callable[..., Job]) -> None:
    made = job()
    assert made.prepared is not None
    found = json.loads((made.prepared / MANIFEST).read_text())
    for text in (card.model_card(made, {}), card_data.dataset_card(made)):
        assert row(text, "train.jsonl", found["files"]["train.jsonl"])
        assert row(text, "to train on", str(found["metrics"]["counts"]["train"]))
        assert row(text, "low", f"{found['metrics']['distribution']['bands']['low']:.1%}")
    about = DatasetCard(card_data.dataset_card(made)).data
    assert about.size_categories == "n<1K" and about.license == "other"


def test_licences_of_the_data_are_told_and_their_texts_are_not(job: Callable[..., Job], tmp_path: Path) -> None:
    rows = [{"text": f"The owl of parish {i} was seen at dusk by nobody but me.", "licence": "cc0-1.0"} for i in range(9)]
    (tmp_path / "texts").mkdir()
    (tmp_path / "texts" / "a.jsonl").write_text(
        "".join(json.dumps(line) + "\n" for line in [*rows, {"text": rows[0]["text"] * 3}])
    )
    made = job(
        "dataset=folder", f"dataset.path={tmp_path}/texts", "dataset.rebalance.enabled=false", "dataset.dedup.enabled=false"
    )
    for text in (card.model_card(made, {}), card_data.dataset_card(made)):
        assert row(text, "cc0-1.0", "9") and row(text, "not stated", "1")
        assert "owl" not in text


def test_licences_are_taken_from_the_record_of_an_acquisition(job: Callable[..., Job], tmp_path: Path) -> None:
    (tmp_path / "raw" / "texts").mkdir(parents=True)
    (tmp_path / "raw" / "texts" / "a.txt").write_text("A text about the owl of a parish, long enough to be used.")
    (tmp_path / "raw" / "provenance.jsonl").write_text(
        json.dumps({"source": "s", "id": "a", "licence": "Public domain"}) + "\n"
    )
    made = job("dataset=folder", f"dataset.path={tmp_path}/raw/texts", "dataset.test_size=0")
    assert row(card.model_card(made, {}), "Public domain", "1")


def test_nothing_of_this_machine_and_no_token(
    job: Callable[..., Job], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, random_model: Path
) -> None:
    home = tmp_path / "home" / "zebedee"
    home.mkdir(parents=True)
    for name, value in {"HF_TOKEN": SECRET, "HOME": str(home), "USER": "zebedee", "LOGNAME": "zebedee"}.items():
        monkeypatch.setenv(name, value)
    (home / "texts").mkdir()
    (home / "texts" / "a.txt").write_text("A text that is long enough to be taken for one.")
    template = home / "own.jinja"
    template.write_text("{{ messages }}")
    made = job("dataset=folder", f"dataset.path={home}/texts", "dataset.test_size=0", f"model.chat_template={template}")
    made = replace(
        made, base=str(random_model), config=replace(made.config, model=replace(made.config.model, path=str(random_model)))
    )
    out = tmp_path / "cards"
    out.mkdir()
    kind.make(made, out, {})
    text = "".join(path.read_text() for path in out.rglob("*") if path.is_file())
    assert "own.jinja" in text
    for secret in (SECRET, "zebedee", str(home), str(tmp_path), str(random_model), str(Path.cwd())):
        assert secret not in text, secret


def test_the_certificate_is_put_in_once_and_the_folder_stays_whole(job: Callable[..., Job], tmp_path: Path) -> None:
    folder = tmp_path / "hub"
    cached(folder, "export", "key", lambda out: kind.make(job(), out, {}))
    assert "were not compared" in (folder / card.CARD).read_text()
    card.with_certificate(folder, report())
    once = (folder / card.CARD).read_text()
    assert (
        row(once, "`gguf/q8_0`", "4.0e-04 (at most 0.01)", "99.5% (at least 97%)", "passed") and "were not compared" not in once
    )
    assert valid(folder, "key") is not None
    card.with_certificate(folder, report())
    assert (folder / card.CARD).read_text() == once
    card.with_certificate(folder, report(passed=False))
    assert "failed: it stops at nothing" in (folder / card.CARD).read_text()
    card.with_certificate(folder, {})
    assert "were not compared" in (folder / card.CARD).read_text()


def test_only_exported_forms_are_told_how_to_load(job: Callable[..., Job], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_any")
    text = card.model_card(job("export=[gguf,hub]", "export.gguf.types=[q4_k_m,f16]"), {})
    assert "llama-cli -m export/gguf/distrust-q4_k_m.gguf" in text
    assert "PeftModel" not in text and "ollama" not in text
    push = ("export.hub.push=true", "export.hub.repo=me/it", "export.hub.license=mit", "export.hub.content=merged")
    pushed = card.model_card(job("export=[hub]", *push), {})
    assert 'from_pretrained("me/it")' in pushed


def test_the_code_of_the_card_runs(job: Callable[..., Job], random_model: Path, tmp_path: Path, capsys: Any) -> None:
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM, AutoTokenizer

    folder = tmp_path / "adapter"
    get_peft_model(AutoModelForCausalLM.from_pretrained(random_model), LoraConfig(r=2)).save_pretrained(folder)
    AutoTokenizer.from_pretrained(random_model).save_pretrained(folder)
    text = card.model_card(job(), {"adapter": folder})
    code = re.findall(r"```python\n(.*?)```", text, re.S)
    assert len(code) == 1
    exec(code[0].replace("BASE", str(random_model)).replace("export/adapter", str(folder)), {})
    assert capsys.readouterr().out
