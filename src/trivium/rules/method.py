"""What is trained and measured with which data."""

from collections.abc import Iterator
from pathlib import Path

from trivium.binding import nearest
from trivium.errors import ConfigError
from trivium.schema import Config, GrpoMethod, SftMethod, UniformLoss

SUITES = Path(__file__).parents[1] / "evaluation" / "suites"


def data_files_exist(config: Config) -> Iterator[str]:
    """Lexicons and suites are named, or given as YAML files."""
    provenance = config.dataset.provenance
    named = [("dataset.provenance.markers", ["default"], provenance.markers)]
    named += [("dataset.provenance.priors", ["default"], provenance.priors)]
    if config.evaluation.name != "none":
        named += [("evaluation.suites", _shipped_suites(), suite) for suite in config.evaluation.suites]
    for key, shipped, value in named:
        if value not in shipped and not Path(value).is_file():
            yield f"{key}: {value!r} is neither shipped nor a file; {nearest(value, shipped)}"


def own_suites_can_be_read(config: Config) -> Iterator[str]:
    """Suites of the user are such, and their names differ."""
    own = [s for s in getattr(config.evaluation, "suites", []) if s not in _shipped_suites() and Path(s).is_file()]
    if own:
        from trivium.evaluation import suites

        try:
            suites.require_distinct([part for name in config.evaluation.suites for part in suites.load(name, None, 0)])
        except ConfigError as error:
            yield from error.problems


def _shipped_suites() -> list[str]:
    return [p.stem for p in SUITES.glob("*.yaml")]


def rewards_can_be_given(config: Config) -> Iterator[str]:
    """Rewards bind to their functions, and GRPO has some."""
    if config.reward.terms or config.reward.gold or getattr(config.evaluation, "scores", None):
        from trivium.rewards.terms import problems_in

        yield from problems_in(config)
    if isinstance(config.method, GrpoMethod) and not config.reward.terms:
        yield "method=grpo needs rewards; choose a set with reward=<option>, for example reward=full_coherence."


def groups_fill_batches(config: Config) -> Iterator[str]:
    """A batch of completions holds whole groups."""
    method = config.method
    if not isinstance(method, GrpoMethod):
        return
    total, group = method.total_batch_size, method.num_generations
    if group and total % group:
        yield (
            f"method.total_batch_size={total} (completions) is not a multiple of method.num_generations={group}; set one "
            f"of them so that it is, for example method.total_batch_size={group * max(1, round(total / group))}."
        )
    if method.loss_type == "luspo" and method.importance_sampling_level != "sequence":
        yield "method.loss_type=luspo works on whole sequences; set method.importance_sampling_level=sequence."
    if method.save_steps and method.save_steps % method.num_iterations:
        yield (
            f"method.save_steps={method.save_steps} is not a multiple of method.num_iterations={method.num_iterations}; the "
            "steps on one batch of completions belong together: set one of them so that it is."
        )
    if not method.max_steps and not method.warm_start.max_steps:
        yield "method.max_steps=0 trains the warm start only, and there is none; set method.warm_start.max_steps."


MADE = {"micro_archive": "documents", "micro_qa": "questions", "micro_library": "library"}
"""What each generated world is made of."""
MEASURED = {"coherence": ("asks held-out questions", "questions"), "provenance": ("reads held-out documents", "documents")}
MEASURED["persona"] = ("asks about held-out books", "library")
"""What an evaluation does, and the kind of data that it does it with."""


def kinds_agree(config: Config) -> Iterator[str]:
    """Documents, questions and libraries are prepared, trained on and measured in different ways; an audit does neither."""
    if config.task == "audit" and config.reward.terms:
        return
    dataset = config.dataset
    kind = f"dataset={dataset.name} holds {'books' if dataset.kind == 'library' else dataset.kind}"
    if dataset.generator is not None and MADE[dataset.generator] != dataset.kind:
        made = f"dataset.generator={dataset.generator}"
        yield f"dataset.kind={dataset.kind} and {made} do not fit; choose dataset=<option>."
    if isinstance(config.method, GrpoMethod) and dataset.kind != "questions":
        yield f"method=grpo asks questions, and {kind}; choose dataset=micro_qa, or dataset=qa dataset.path=<file>."
    if isinstance(config.method, GrpoMethod) and not isinstance(config.loss, UniformLoss):
        yield f"loss={config.loss.name} weighs documents and has no meaning with method=grpo; set loss=uniform."
    elif dataset.kind != "documents" and not isinstance(config.loss, UniformLoss):
        yield f"loss={config.loss.name} needs the provenance of documents, and {kind}; set loss=uniform."
    does, wanted = MEASURED.get(config.evaluation.name, ("", dataset.kind))
    if wanted != dataset.kind:
        fitting = next(name for name, (_, one) in MEASURED.items() if one == dataset.kind)
        yield f"evaluation={config.evaluation.name} {does}, and {kind}; choose evaluation={fitting} or none."


def best_needs_evaluations(config: Config) -> Iterator[str]:
    """Whoever keeps the best weights evaluates on held-out rows."""
    method = config.method
    if not isinstance(method, SftMethod):
        return
    if method.metric_for_best_model is not None and method.eval_steps is None:
        yield "method.metric_for_best_model needs method.eval_steps; set it to the steps between held-out evaluations."
    if method.metric_for_best_model is not None and config.dataset.test_size == 0:
        yield "method.metric_for_best_model needs held-out documents; set dataset.test_size above 0."
