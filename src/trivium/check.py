"""The check pass: a composed configuration becomes typed, or every problem in it is reported at once.

Three kinds of problems are found together, before anything is loaded or created: keys that do not exist (with the nearest
spelling), values of the wrong type or out of range, and facts across groups that cannot hold at the same time.
"""

import typing
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from trivium import tiers
from trivium.acquire import place
from trivium.binding import Problems, bind_fields
from trivium.errors import ConfigError
from trivium.rules import data, machine, method, model, run
from trivium.schema import Config, SweepConfig


def bind(composed: Mapping[str, Any]) -> Config:
    """The typed configuration of a composed one.

    Raises `ConfigError` with all problems found, one line each.
    """
    problems = Problems()
    config = bind_fields(Config, composed, "", problems)
    if problems.typed:
        _read_what_is_fetched(config)
        problems.extend(_broken_rules(config, bool(problems)))
    if problems:
        raise ConfigError(problems)
    return typing.cast(Config, config)


def bind_sweep(composed: Mapping[str, Any]) -> SweepConfig:
    """A sweep's settings from plain data that were checked before; raises `ConfigError` where they were spoilt since."""
    problems = Problems()
    sweep = bind_fields(SweepConfig, composed, "sweep", problems)
    if problems:
        raise ConfigError(problems)
    return typing.cast(SweepConfig, sweep)


def _read_what_is_fetched(config: Config) -> None:
    """A dataset without a path of its own reads what the same configuration fetches."""
    if config.dataset.path == "" and config.acquire.sources:
        config.dataset.path = str(place.texts(config.acquire))


def _broken_rules(config: Config, known_problems: bool) -> Iterator[str]:
    for rule in RULES if config.from_run is None else RULES_OF_FINISHED:
        try:
            yield from list(rule(config))
        except ArithmeticError:  # a value out of range, which is reported already
            if not known_problems:
                raise


RULES: tuple[Callable[[Config], Iterator[str]], ...] = (
    run.names_are_file_names,
    run.a_run_is_there,
    run.stages_have_their_inputs,
    run.exports_can_be_made,
    machine.backend_has_method,
    machine.backend_can_train_it,
    machine.batch_divides,
    machine.processes_can_train_it,
    machine.dtype_fits_device,
    tiers.problems_in,
    model.heads_divide_width,
    model.model_exists,
    model.blocks_are_named,
    data.data_exist,
    method.data_files_exist,
    method.own_suites_can_be_read,
    model.model_folder_is_whole,
    data.filters_are_readable,
    data.documents_can_be_read,
    data.shares_fit,
    method.kinds_agree,
    method.rewards_can_be_given,
    method.groups_fill_batches,
    model.scorers_are_there,
    data.sources_can_be_fetched,
    data.library_can_be_prepared,
    data.thinking_can_be_told,
    method.best_needs_evaluations,
    machine.alerts_can_be_sent,
)

RULES_OF_FINISHED = (
    run.names_are_file_names,
    run.exports_can_be_made,
    machine.dtype_fits_device,
    model.model_exists,
    model.model_folder_is_whole,
)
"""What must still hold of a run that is taken up: its data may be gone, its base model not."""
