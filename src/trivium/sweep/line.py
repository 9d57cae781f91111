"""A point in words that hold without the sweep: its option file may have set more than the search."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from trivium import compose
from trivium.overrides import is_choice, key_of, loosen
from trivium.sweep.spec import ALONE, UNSEEN, Spec

OF_THE_SWEEP = ("sweep", "hydra", "arms", "experiment")


def experiment_of(spec: Spec) -> str:
    """The option of the group `experiment` that a study is made on."""
    return compose.choices([*spec.fixed, ALONE], _config_dir(spec))["experiment"]


def words(spec: Spec, point: Sequence[str]) -> list[str]:
    """The overrides that, beside the experiment's option, make the configuration that a point was trained with.

    Hydra must be initialised.
    """
    config_dir = _config_dir(spec)
    swept = [*spec.fixed, ALONE, *map(_told, point)]
    chosen = compose.choices(swept, config_dir)
    given = [o for o in spec.fixed if key_of(o).split(".")[0] not in OF_THE_SWEEP]
    experiment = f"experiment={chosen['experiment']}"
    plain = compose.choices([experiment, *given, *map(_told, point)], config_dir)
    groups = [f"{group}={option}" for group, option in chosen.items() if group != "sweep" and plain.get(group) != option]
    told = [experiment, *groups, *given, *map(_told, point), ALONE]
    more = _differences(_flat(compose.compose(told, config_dir)), _flat(compose.compose(swept, config_dir)))
    return [*groups, *(o.lstrip("+") if o[:2] == "++" else o for o in given), *point, *more]


def _told(override: str) -> str:
    return override if is_choice(override) else loosen(override)


def _config_dir(spec: Spec) -> Path | None:
    return Path(spec.config_dir) if spec.config_dir else None


def _flat(composed: Mapping[str, Any]) -> dict[str, Any]:
    from trivium.summary import flatten

    return {key: value for key, value in flatten(composed).items() if key.split(".")[0] not in UNSEEN}


def _differences(now: Mapping[str, Any], wanted: Mapping[str, Any]) -> Iterator[str]:
    """An override for every setting that still differs."""
    from hydra.core.override_parser.types import Override, Quote, QuotedString

    for key, value in wanted.items():
        if now.get(key) != value:
            quoted = QuotedString(text=value, quote=Quote.single) if isinstance(value, str) else value
            yield f"{key}={Override._get_value_element_as_str(quoted)}"
