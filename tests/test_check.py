import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trivium.binding import nearest
from trivium.check import bind
from trivium.compose import conf_dir, defaults_of
from trivium.errors import ConfigError
from trivium.hardware import detect
from trivium.schema import CoherenceEvaluation, Config, DistrustLoss, GrpoMethod, UniformLoss
from trivium.tiers import choose

ConfigOf = Callable[..., Config]


def problems_of(config_of: ConfigOf, *overrides: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        config_of(*overrides)
    return caught.value.problems


def test_the_default_is_the_distrust_experiment(config_of: ConfigOf) -> None:
    config = config_of()
    assert config.name == "distrust"
    assert isinstance(config.loss, DistrustLoss)
    assert set(config.arms or {}) == {"uniform", "published", "shuffled", "distrust"}


@pytest.mark.parametrize("override", ["loss.alhpa=2", "+loss.alhpa=2", "++loss.alhpa=2"])
def test_a_misspelt_key_is_named_with_the_nearest_spelling(config_of: ConfigOf, override: str) -> None:
    (problem,) = problems_of(config_of, override)
    assert "loss.alhpa" in problem
    assert "`alpha`" in problem


def test_all_problems_are_reported_together(config_of: ConfigOf) -> None:
    wrong = ["loss=distrsut", "modle=tiny", "seed=1.5", "method.learning_rate=fast", "loss.alpha=-3", "dataset.test_size=1"]
    text = "\n".join(problems_of(config_of, *wrong))
    for word in ("`distrust`", "`model`", "seed", "learning_rate", "loss.alpha", "test_size"):
        assert word in text


@pytest.mark.parametrize("value", [".nan", ".inf", "true", "'1'", "[1]"])
def test_a_number_must_be_a_finite_number(config_of: ConfigOf, value: str) -> None:
    (problem,) = problems_of(config_of, f"method.learning_rate={value}")
    assert problem.startswith("method.learning_rate")


def test_a_key_of_another_option_is_unknown(config_of: ConfigOf) -> None:
    (problem,) = problems_of(config_of, "loss=uniform", "loss.alpha=2")
    assert problem.startswith("loss.alpha: no such key")


def test_facts_across_groups(config_of: ConfigOf, tmp_path: Path) -> None:
    assert "multiple" in problems_of(config_of, "method.total_batch_size=65")[0]
    assert "float16" in problems_of(config_of, "hardware.dtype=float16")[0]
    assert problems_of(config_of, "dataset=folder")[0].startswith("dataset.path: not set")
    assert problems_of(config_of, "model=hf")[0].startswith("model.path: not set")
    assert "is not a range" in problems_of(config_of, "dataset.where={year: {min: 5, mx: 3}}")[0]
    assert "does not exist" in problems_of(config_of, "dataset=folder", f"dataset.path={tmp_path}/none")[0]
    assert "exactly one" in problems_of(config_of, f"dataset.path={tmp_path}")[0]
    assert "eval_steps" in problems_of(config_of, "method.metric_for_best_model=eval_nll")[0]
    assert "add up to 1" in problems_of(config_of, "dataset.rebalance.high=[0.1,0.2]")[0]
    assert "small_world" in problems_of(config_of, "evaluation.suites=[smal_world]")[0]


def test_free_mappings_take_any_key(config_of: ConfigOf) -> None:
    config = config_of("dataset.where.year.max=1900", "+dataset.where.source_type=[patent]")
    assert config.dataset.where == {"year": {"max": 1900}, "source_type": ["patent"]}


def test_values_are_typed(config_of: ConfigOf) -> None:
    config = config_of("loss=uniform", "method.weight_decay=0", "arms=null")
    assert isinstance(config.loss, UniformLoss)
    assert isinstance(config.method.weight_decay, float)
    assert config.arms is None


@given(st.floats(allow_nan=True, allow_infinity=True))
def test_alpha_is_accepted_exactly_in_its_range(alpha: float) -> None:
    composed = defaults_of(Config)
    composed["dataset"]["generator"] = "micro_archive"
    composed["loss"]["alpha"] = alpha
    if 0 <= alpha <= 1000:
        assert bind(composed).loss.alpha == alpha
    else:
        with pytest.raises(ConfigError, match=r"loss\.alpha"):
            bind(composed)


def test_keys_ranges_and_facts_across_groups_are_reported_together(config_of: ConfigOf) -> None:
    words = ("loss.alhpa=2", "adapter.r=0", "method.total_batch_size=65", "model.build.num_attention_heads=0")
    found = "\n".join(problems_of(config_of, *words))
    for key in ("loss.alhpa", "adapter.r: set to 0", "method.total_batch_size=65", "num_attention_heads: set to 0"):
        assert key in found


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("~loss", "can be taken away"),
        ("~method.optim", "can be taken away"),
        ("stages=[]", "stages: empty"),
        ("stages=[train,prepare]", "train needs prepare before it"),
        ("stages=[bogus]", "allowed: acquire, prepare"),
        ("name=", "name: set to ''"),
        ("dataset.name=a/b", "without slashes"),
        ("model.name=..", "does not begin with a dot"),
        ("dataset.min_chars=5000", "more than dataset.max_chars"),
        ("dataset.fields={txet: body}", "did you mean `text`"),
        ("dataset.chat.prompt='Tell {nosuch}'", "{title}"),
        ("dataset.chat.prompt=''", "dataset.chat.prompt: set to ''"),
        ("dataset.where={year: {max: abc}}", "numbers for year"),
        ("dataset.where=[1]", "cannot stand here"),
        ("arms.distrust=null", "arms.distrust: set to None; allowed: a list"),
    ],
)
def test_what_cannot_be_meant_is_one_sentence(config_of: ConfigOf, override: str, said: str) -> None:
    (problem,) = problems_of(config_of, override)
    assert said in problem


def test_a_model_folder_that_lacks_something_is_named_before_anything_is_prepared(
    config_of: ConfigOf, random_model: Path, tmp_path: Path
) -> None:
    for missing in ("tokenizer.json", "model.safetensors", "config.json"):
        folder = tmp_path / missing
        shutil.copytree(random_model, folder)
        for file in [folder / missing, *(folder.glob("tokenizer*") if "tokenizer" in missing else [])]:
            file.unlink(missing_ok=True)
        (problem,) = problems_of(config_of, f"model.path={folder}")
        assert problem.startswith("model.path:") and (
            "tokenizer" in problem or "safetensors" in problem or "config.json" in problem
        )
    assert config_of(f"model.path={random_model}").model.path == str(random_model)


def test_an_entry_of_a_mapping_can_be_taken_away(config_of: ConfigOf) -> None:
    assert set(config_of("~arms.published").arms) == {"uniform", "shuffled", "distrust"}


def test_nearest_lists_what_is_known_when_nothing_is_near() -> None:
    assert nearest("zzzz", ["alpha", "unit"]) == "known here: alpha, unit."


# --- questions and rewards -------------------------------------------------------------------------------------------


def asked(config_of: ConfigOf, *overrides: str) -> str:
    (problem,) = problems_of(config_of, "experiment=coherence", *overrides)
    return problem


def test_the_coherence_experiment_is_grpo_on_questions(config_of: ConfigOf) -> None:
    config = config_of("experiment=coherence")
    assert isinstance(config.method, GrpoMethod) and isinstance(config.evaluation, CoherenceEvaluation)
    assert (config.dataset.kind, config.reward.name, config.reward.gold["fn"]) == (
        "questions",
        "full_coherence",
        "honesty.fact_exactness",
    )
    assert config.method.warm_start.max_steps and config.model.build.premises


@pytest.mark.parametrize("reward", ["lightweight", "legacy", "anti_hallucination", "firmness", "robust_coherence"])
def test_another_reward_set_is_one_word(config_of: ConfigOf, reward: str) -> None:
    assert config_of("experiment=coherence", f"reward={reward}").reward.name == reward


FIVE = ["method.num_generations=5", "method.total_batch_size=64"]


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        (["reward=none"], "method=grpo needs rewards; choose a set with reward=<option>"),
        (FIVE, "total_batch_size=64 (completions) is not a multiple of method.num_generations=5"),
        (FIVE, "for example method.total_batch_size=65"),
        (["method.num_generations=1"], "method.num_generations: set to 1; allowed: ≥ 2"),
        (["method.loss_type=luspo"], "set method.importance_sampling_level=sequence"),
        (["method.loss_type=gpro"], "did you mean `grpo`"),
        (["method.max_steps=0", "method.warm_start.max_steps=0"], "set method.warm_start.max_steps"),
        (["method.num_iterations=2", "method.save_steps=5"], "save_steps=5 is not a multiple of method.num_iterations=2"),
        (["method.aggregation=sum"], "normalize_then_sum, sum_then_normalize"),
        (["method.beta=-1"], "method.beta: set to -1"),
        (["loss=distrust"], "no meaning with method=grpo; set loss=uniform"),
        (["dataset.kind=documents", "evaluation=none", "method=sft"], "choose dataset=<option>"),
        (["evaluation=provenance"], "evaluation=provenance reads held-out documents"),
        (["dataset=micro_archive", "evaluation=none", "preset=none"], "method=grpo asks questions"),
        (["method=sft", "dataset=micro_archive"], "evaluation=coherence asks held-out questions"),
        (["dataset.chat.think_open=' '"], "give two different tags"),
        (["dataset.chat.think_close='<think>'"], "give two different tags"),
        (["reward.scorers.nli.path=./nosuch"], "reward.scorers.nli.path: ./nosuch is not a directory"),
        (["reward.gold_scorers.syntax.path=/nosuch"], "reward.gold_scorers.syntax.path: /nosuch is not a directory"),
        (["reward.terms.entailment.fn=meaning.nli_coherance"], "did you mean `meaning.nli_coherence`"),
        (["reward.terms.entailment.args={window: 3}"], "has no such option"),
        (["reward.audit=loud"], "strict, warn, off"),
        (["evaluation.scores.new=7"], "evaluation.scores.new: set to 7"),
        (["dataset=qa"], "dataset=qa dataset.path=<"),
        (["tracking=wandb", "tracking.mode=dryrun"], "tracking.mode: set to 'dryrun'; allowed: offline, online"),
    ],
)
def test_what_a_policy_cannot_be_trained_on_is_one_sentence(config_of: ConfigOf, overrides: list[str], said: str) -> None:
    assert said in asked(config_of, *overrides)


def test_a_hub_id_of_a_scorer_is_left_to_the_loader(config_of: ConfigOf) -> None:
    config = config_of("experiment=coherence", "reward.scorers.nli.path=owner/name")
    assert config.reward.scorers.nli.path == "owner/name" and config.reward.gold_scorers.nli.path is None


def test_without_steps_the_warm_start_is_a_control(config_of: ConfigOf) -> None:
    assert config_of("experiment=coherence", "method.max_steps=0").method.warm_start.max_steps > 0


def test_questions_may_be_fine_tuned_on_too(config_of: ConfigOf) -> None:
    config = config_of("experiment=coherence", "method=sft", "reward=none")
    assert config.method.name == "sft" and config.dataset.kind == "questions"


OPTIONS = sorted(str(p.relative_to(conf_dir()).with_suffix("")) for p in conf_dir().glob("*/*.yaml"))


ASKING = ("dataset/micro_qa", "dataset/qa", "evaluation/coherence", "evaluation/diary", "method/grpo", "preset/tiny_grpo_lora")
"""Options that only make sense where questions are asked."""
NEEDS = {
    "acquire/files": ["acquire.sources.files.path={}"],
    "backend/unsloth": ["task=plan"],  # its environment is not there where tests run
    "dataset/folder": ["dataset.path={}"],
    "model/hf": ["model.path=owner/name"],
    **{f"experiment/{name}": ["dataset.path={}"] for name in ("coherence_8b", "coherence_8b_as_run", "corrections")},
}
"""What an option needs to be told besides."""
READING = ("dataset/library", "evaluation/persona", *(f"pairing/tiny_library{end}" for end in ("", "_full", "_lora")))
BOOKS = ["dataset=library", "loss=uniform", "evaluation=persona", "arms=null"]


@pytest.mark.parametrize("option", OPTIONS)
def test_every_shipped_option_composes_types_and_checks(config_of: ConfigOf, option: str, tmp_path: Path) -> None:
    group, name = option.split("/")
    needs = NEEDS.get(option, [])
    needs = [need.format(tmp_path) for need in needs]
    needs += ["experiment=coherence"] if option in ASKING else []
    needs += BOOKS if option in READING else ["experiment=persona"] if option == "dataset/micro_library" else []
    needs += [f"dataset.path={tmp_path}"] if option == "dataset/qa" or option in READING else []
    config = config_of(f"{group}={name}", *needs)
    if group == "export":  # several may be chosen
        assert name == "none" or getattr(config.export, name).enabled
    elif hasattr(config, group):
        called = {"evaluation/diary": "coherence", "hardware/auto": choose(detect()).tier}
        assert getattr(config, group).name == called.get(option, name)


@pytest.mark.parametrize("option", OPTIONS)
def test_option_files_are_short(option: str) -> None:
    assert len((conf_dir() / f"{option}.yaml").read_text().splitlines()) <= 25


# --- books and their persona -----------------------------------------------------------------------------------------

SHARES = ["dataset.library.period.share=0.7", "dataset.library.general.share=0.3"]
TEACHER = ["generator=openai"]


def reading(config_of: ConfigOf, *overrides: str) -> str:
    return "\n".join(problems_of(config_of, "experiment=persona", "arms=null", *overrides))


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        (["dataset=library"], "dataset.path: not set"),
        (["dataset=library", "acquire=gutenberg", "stages=[prepare]"], "data/raw/gutenberg/texts does not exist"),
        (["loss=distrust"], "dataset=micro_library holds books; set loss=uniform"),
        (["evaluation=provenance"], "choose evaluation=persona or none"),
        (["dataset=micro_archive"], "evaluation=persona asks about held-out books, and dataset=micro_archive holds documents"),
        (["method=grpo", "preset=none", "pairing=none"], "method=grpo asks questions, and dataset=micro_library holds books"),
        (["dataset.kind=questions", "evaluation=none"], "dataset.generator=micro_library do not fit"),
        (SHARES, "leave no room for the persona; lower one of them"),
        (["dataset.library.period.cutoff=null"], "dataset.library.period.share needs dataset.library.period.cutoff"),
        (["dataset.library.period.cutoff=spring"], "dataset.library.period.cutoff: 'spring' is no year or date"),
        (["dataset.library.period.cutoff=2999"], "is yet to come"),
        (["dataset.library.period.facts=none.yaml"], "dataset.library.period.facts: none.yaml cannot be read"),
        (["dataset.library.general.path=/nosuch"], "dataset.library.general.path: /nosuch does not exist"),
        (["dataset.library.persona=nobody"], "dataset.library.persona: nobody cannot be read"),
        (["dataset.library.themes.lexicon=nosuch"], "dataset.library.themes.lexicon: nosuch cannot be read"),
        (["dataset.library.chunk={method: window, size: 100, overlap: 100}"], "windows would not advance"),
        (["dataset.library.voice=loud"], "allowed: persona, plain, shuffled"),
        (["dataset.library.components.core={sice: 3}"], "unknown key sice"),
        (["dataset.library.components.cor={size: 3}"], "has no such component"),
        (["dataset.library.world.towns=5"], "dataset.library.world.towns: set to 5; allowed: ≥ 6"),
        (["generator.checks.min_chars=900"], "so no answer passes"),
        (["generator=opnai"], "did you mean `openai`"),
        ([*TEACHER, "generator.base_url=localhost"], "write an address such as http://localhost:1234/v1"),
        ([*TEACHER, "generator.max_cost=3"], "stops nothing while both prices are 0"),
        ([*TEACHER, "dataset.library.voice=plain"], "which generator=openai does not write; set generator=template"),
        (["evaluation.gate=loud"], "strict, warn, off"),
        (["evaluation.targets.style_consistency=2"], "evaluation.targets.style_consistency: set to 2"),
    ],
)
def test_what_a_persona_cannot_be_made_of_is_one_sentence(config_of: ConfigOf, overrides: list[str], said: str) -> None:
    assert said in reading(config_of, *overrides)


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        (["acquire=files"], "acquire.sources.files.path: not set"),
        (["acquire=files", "acquire.sources.files.path=/nosuch"], "acquire.sources.files.path: /nosuch does not exist"),
        (["acquire=gutenberg", "acquire.dry_run=true"], "set stages=[acquire]"),
        (["acquire=gutenberg", "acquire.endpoints.gutenberg=https://www.gutenberg.org"], "is not for robots"),
        (["acquire=gutenberg", "acquire.http.retries=99"], "acquire.http.retries: set to 99"),
        (["+acquire.sources.mine={kind: book}"], "acquire.sources.mine.kind: set to 'book'"),
        (["acquire=gutenbreg"], "did you mean `gutenberg`"),
    ],
)
def test_what_cannot_be_fetched_is_one_sentence(config_of: ConfigOf, overrides: list[str], said: str) -> None:
    assert said in "\n".join(problems_of(config_of, *overrides))


def test_a_library_reads_what_the_same_configuration_fetches(config_of: ConfigOf, tmp_path: Path) -> None:
    words = ("experiment=persona", "arms=null", "dataset=library", "acquire=gutenberg")
    assert config_of(*words, "stages=[acquire,prepare]").dataset.path == "data/raw/gutenberg/texts"
    there = config_of(*words, "stages=[acquire,prepare]", f"acquire.dir={tmp_path}").dataset.path
    assert there == str(tmp_path / "texts")
    own = config_of(*words, "stages=[acquire,prepare]", f"dataset.path={tmp_path}").dataset.path
    assert own == str(tmp_path)


def test_only_the_acquisition_may_count(config_of: ConfigOf) -> None:
    assert config_of("stages=[acquire]", "acquire=gutenberg", "acquire.dry_run=true").acquire.dry_run


def test_the_last_turn_may_carry_the_loss_whatever_else_is_said(config_of: ConfigOf) -> None:
    method = config_of("method.completion_only_loss=true", "method.assistant_only_loss=false").method
    assert method.completion_only_loss and not method.assistant_only_loss
    assert "no such key" in problems_of(config_of, "experiment=coherence", "method.completion_only_loss=true")[0]
