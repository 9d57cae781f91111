"""What a study's trials share, in words that hold without the sweep: its option file may have set more than the search."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from trivium import compose
from trivium.overrides import key_of
from trivium.sweep.spec import ALONE, Check, Spec, settings

OF_THE_SWEEP = ("sweep", "hydra", "arms")


def shared(spec: Spec, check: Check) -> tuple[str, list[str]]:
    """The experiment's option, and the overrides that make of it what every trial starts from."""
    config_dir = Path(spec.config_dir) if spec.config_dir else None
    with_sweep = compose.choices([*spec.fixed, ALONE], config_dir)
    given = [o for o in spec.fixed if key_of(o).split(".")[0] not in OF_THE_SWEEP and key_of(o) != "experiment"]
    experiment = f"experiment={with_sweep['experiment']}"
    without = compose.choices([experiment, *given], config_dir)
    chosen = {group: option for group, option in with_sweep.items() if without.get(group) != option and group != "sweep"}
    words = [*(f"{group}={option}" for group, option in chosen.items()), *given]
    return with_sweep["experiment"], [*words, *_values(settings(check([experiment, *words, ALONE])), spec.settings)]


def _values(now: dict[str, Any], wanted: dict[str, Any]) -> Iterator[str]:
    """An override for every setting that still differs."""
    from hydra.core.override_parser.types import Override, Quote, QuotedString

    for key, value in wanted.items():
        if now.get(key) != value:
            quoted = QuotedString(text=value, quote=Quote.single) if isinstance(value, str) else value
            yield f"{key}={Override._get_value_element_as_str(quoted)}"
