"""What a run is called, which stages it has and what it takes up."""

from collections.abc import Iterator

from trivium.schema import STAGES, Config


def names_are_file_names(config: Config) -> Iterator[str]:
    """Names that become folders can be some."""
    named = {"name": config.name, "model.name": config.model.name, "dataset.name": config.dataset.name}
    for key, name in named.items():
        if not name.strip() or name.startswith(".") or any(c in name for c in "/\\\0\n"):
            yield f"{key}: set to {name!r}; it names a folder: give a text without slashes that does not begin with a dot."


def stages_have_their_inputs(config: Config) -> Iterator[str]:
    """No stage stands before the one that it works on."""
    stages = config.stages
    if not stages:
        yield f"stages: empty; name at least one of {', '.join(STAGES)}."
    for stage in ("train", "evaluate"):
        if stage in stages and "prepare" not in stages[: stages.index(stage)]:
            yield f"stages: {stage} needs prepare before it; it is skipped when it was done already."


def a_run_is_there(config: Config) -> Iterator[str]:
    """What talks to a run, or serves one, is told which."""
    if config.task in ("chat", "serve"):
        yield f"task={config.task} needs a finished run; name its folder with from_run=outputs/<name>/<time>, or from_run=last."


def exports_can_be_made(config: Config) -> Iterator[str]:
    """Exports have weights, programs and permission."""
    from trivium.export.problems import problems_in

    yield from problems_in(config)
