"""What a study is: the experiment that it starts from, what it searches, and where it is kept."""

import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from trivium.artifact import key_of as hash_of
from trivium.artifact import write_json
from trivium.check import bind_sweep
from trivium.errors import ConfigError
from trivium.overrides import key_of, loosen
from trivium.schema import Config, NoneConfig, SweepConfig
from trivium.sweep import objectives, space

SPEC = "study.json"
ALONE = "arms=null"
"""A trial is one training; control arms are for the experiment that a study ends in."""

Check = Callable[[list[str]], Config]

KEPT = ("params", "objectives", "constraints", "repeats", "seed", "storage")
"""Keys of a sweep that may not differ when a study goes on."""
GOLD = "eval/gold_reward"
UNSEEN = ("sweep", "tracking", "cache_dir", "arms", "stages", "export", "serve", "talk", "from_run")
"""Parts of a configuration that no trial's result depends on."""


@dataclass(frozen=True)
class Spec:
    """A study. `fixed` are the overrides that all trials share; `settings` is the flat configuration that they make; a study
    that goes on counts failures from `started` (seconds since the epoch), and `until` then is when no new trial is begun.
    """

    study: str
    experiment: str
    folder: Path
    fixed: list[str]
    config_dir: str | None
    sweep: SweepConfig
    settings: dict[str, Any]
    started: float = field(default_factory=time.time)

    @property
    def until(self) -> float:
        """Seconds since the epoch; infinite without `sweep.timeout`."""
        return self.started + (self.sweep.timeout or float("inf"))

    def write(self) -> None:
        """`study.json`."""
        write_json(self.folder / SPEC, {**asdict(self), "folder": str(self.folder)})


def load(folder: Path) -> Spec:
    """What `Spec.write` wrote; raises `OSError` where there is none."""
    data = json.loads((folder / SPEC).read_text(encoding="utf-8"))
    return Spec(**{**data, "folder": Path(data["folder"]), "sweep": bind_sweep(data["sweep"])})


def plan(overrides: list[str], folder: Callable[[Config], Path], config_dir: Path | None, check: Check) -> Spec:
    """The study that a command line asks for. What it fixes is not searched, what it sweeps replaces the option's own words.

    Raises `ConfigError` with every problem.
    """
    swept = {key_of(o): o.split("=", 1)[1] for o in overrides if is_sweep(o)}
    fixed = [o for o in overrides if not is_sweep(o)]
    config = check([*fixed, ALONE])
    given = {key_of(o) for o in fixed}
    params = {key: text for key, text in {**config.sweep.params, **swept}.items() if key not in given or key in swept}
    sweep = replace(config.sweep, params=params, points=_points(config.sweep, params, given | swept.keys()))
    problems = list(_problems(sweep, config, lambda point: check([*fixed, ALONE, *point])))
    if problems:
        raise ConfigError(list(dict.fromkeys(problems)))
    return Spec(
        sweep.study or sweep.name,
        config.name,
        folder(config).absolute(),
        fixed,
        str(config_dir.absolute()) if config_dir else None,
        sweep,
        settings(config),
    )


def _points(sweep: SweepConfig, params: Mapping[str, str], given: Iterable[str]) -> list[dict[str, Any]]:
    """The points to try first: all that the command line gives, of an option's those that lie in the space it is given."""
    if "sweep.points" in given:
        return sweep.points
    changed = params != sweep.params
    found = space.read(params)[0]
    return [point for point in sweep.points if not changed or not any(space.misplaced(point, found))]


def is_sweep(override: str) -> bool:
    """Whether an override names several values."""
    from hydra.core.override_parser.overrides_parser import OverridesParser
    from hydra.errors import HydraException

    try:
        return OverridesParser.create().parse_override(override).is_sweep_override()
    except HydraException:
        return False


def settings(config: Config) -> dict[str, Any]:
    """The flat settings that results depend on."""
    from trivium.summary import flatten

    flat = flatten(json.loads(json.dumps(asdict(config), default=str)))
    return {key: value for key, value in flat.items() if key.split(".")[0] not in UNSEEN}


def _problems(sweep: SweepConfig, config: Config, check: Callable[[list[str]], Config]) -> Iterator[str]:
    from trivium.sweep import search, storage

    found, problems = space.read(sweep.params)
    yield from problems
    if not sweep.params:
        yield "sweep.params: empty, so there is nothing to search; add key: interval(low, high), or choose another sweep."
    yield from objectives.problems_in(sweep)
    yield from search.problems_in(sweep, found)
    yield from storage.problems_in(sweep.storage)
    for i, point in enumerate(sweep.points):
        yield from (f"sweep.points[{i}]: {sentence}" for sentence in space.misplaced(point, found))
    if isinstance(config.evaluation, NoneConfig):
        yield "evaluation=none: a search needs what it seeks measured; choose another evaluation (see trivium --help)."
    if not {"prepare", "train", "evaluate"} <= set(config.stages):
        yield f"stages=[{', '.join(config.stages)}]: a trial prepares, trains and evaluates; leave stages out."
    if sweep.repeats > 1 and "seed" in sweep.params:
        yield "sweep.params.seed: sweep.repeats trains with several seeds already; leave one of them out."
    if config.starts_from is not None:
        yield (
            f"starts_from={config.starts_from}: a trial has no arms to start from; run the first arm once, and search with "
            "starts_from=null model.path=<its folder>/merged."
        )
    if sweep.gpus is not None and len(set(sweep.gpus)) < len(sweep.gpus):
        yield f"sweep.gpus={sweep.gpus}: a GPU stands here twice; name each once."
    elif sweep.gpus is not None and len(sweep.gpus) < sweep.workers:
        yield f"sweep.workers={sweep.workers} share nothing, and sweep.gpus names {len(sweep.gpus)}; name one GPU for each."
    yield from _refused(space.corners(found), sweep, check)


def _refused(points: Iterable[Mapping[str, Any]], sweep: SweepConfig, check: Callable[[list[str]], Config]) -> Iterator[str]:
    """What the schema refuses at the ends of the space, and a measure that is not the same everywhere in it."""
    golds = set()
    for point in points:
        try:
            reward = check([loosen(space.override(key, value)) for key, value in point.items()]).reward
            golds.add(hash_of(reward.gold, reward.gold_scorers))
        except ConfigError as error:
            yield from (f"sweep.params: {problem}" for problem in error.problems)
    if len(golds) > 1 and GOLD in objectives.metrics(sweep):
        yield f"sweep.objectives: {GOLD} is another measure with each reward set; give all of them one: reward.gold={{fn: …}}."


def require_same(new: Spec, old: Spec) -> None:
    """Raise `ConfigError` unless a study can go on: the same experiment, searched for the same."""
    for key in KEPT:
        before, now = getattr(old.sweep, key), getattr(new.sweep, key)
        if before != now:
            raise _other(old, f"sweep.{key}={_short(before)}", _short(now))
    differing = [key for key in {**old.settings, **new.settings} if old.settings.get(key) != new.settings.get(key)]
    for key in differing:
        raise _other(old, f"{key}={_short(old.settings.get(key))}", _short(new.settings.get(key)))


def _other(old: Spec, before: str, now: str) -> ConfigError:
    return ConfigError(
        f"the study {old.study} in {old.folder} was begun with {before}, and here it is {now}; give the same, or begin a new "
        f"study beside it: sweep.study=<another name>."
    )


def _short(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key}: {one}" for key, one in value.items()) + "}"
    return str(value)
