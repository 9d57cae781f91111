"""What is known, before a run is made again, of what has changed since."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from trivium import drift, environment
from trivium.arms import Arm
from trivium.binding import Problems, bind_fields
from trivium.models import identity
from trivium.reproduce.plan import MOVED
from trivium.reproduce.source import Source
from trivium.schema import Config, OpenAIGenerator

SAME, DIFFERS, UNKNOWN, GONE = "same", "differs", "unknown", "gone"
_SHOWN = 6


@dataclass(frozen=True)
class Finding:
    """One thing that a run depends on: what it was, what it is, and whether that is the same."""

    what: str
    then: str
    now: str
    status: str


def findings(source: Source, config: Config, arms: list[Arm]) -> list[Finding]:
    """Everything that the result depends on, one by one."""
    return [
        _settings(source, config),
        *_environment(source, config),
        *(found for arm in arms for found in _files(source, arm, len(arms) > 1)),
        *(found for arm in arms for found in _base_model(source, arm, len(arms) > 1)),
        *_beyond_control(config),
    ]


def _settings(source: Source, config: Config) -> Finding:
    """What shapes data and weights; where files lie is told by what they hold."""
    recorded = bind_fields(Config, source.settings, "", Problems())
    changed = drift.differences(drift.shaping(recorded), drift.shaping(config))
    other = [line for line in changed if line.split(":")[0] not in ("task", *MOVED)]
    then = f"seed {config.seed}{', ' if other else ''}{', '.join(line.split(' → ')[0] for line in other)}"
    return Finding(
        "settings", then, ", ".join(line.split(" → ")[1] for line in other) or "the same", DIFFERS if other else SAME
    )


def _environment(source: Source, config: Config) -> Iterator[Finding]:
    then, now = source.environment, environment.describe(config)
    if then is None:
        yield Finding("environment", "not recorded", now["python"], UNKNOWN)
        return
    yield _code(then, now)
    for part in ("packages", "machine"):
        other = environment.differences({part: then[part]}, {part: now[part]})
        count = f"{len(then[part])} packages" if part == "packages" else _words(then[part])
        yield Finding(part, *_before_and_now(other, count, part), DIFFERS if other else SAME)
    for part in ("python", "system"):
        yield Finding(part, then[part], now[part], SAME if then[part] == now[part] else DIFFERS)
    for later in then.get(environment.LATER, []):
        told = "; ".join(environment.differences(then, later))
        yield Finding("interruption", f"went on under another environment ({told})", "unbroken", DIFFERS)


def _code(then: Mapping[str, object], now: Mapping[str, object]) -> Finding:
    other = environment.differences({"code": then["code"]}, {"code": now["code"]})
    rooms = ", ".join(line.split(":")[0].removeprefix("code.") for line in other)
    return Finding(
        "source code", _commit(then), f"{_commit(now)}{f'; changed: {rooms}' if other else ''}", DIFFERS if other else SAME
    )


def _commit(told: Mapping[str, object]) -> str:
    if told["commit"] is None:
        return f"version {told['trivium']}"
    return f"{str(told['commit'])[:10]}{' and changes that were not committed' if told['dirty'] else ''}"


def _words(values: Mapping[str, object]) -> str:
    return ", ".join(f"{key} {value}" for key, value in values.items())


def _before_and_now(other: list[str], alike: str, part: str) -> tuple[str, str]:
    if not other:
        return alike, alike
    shown = [line.removeprefix(f"{part}.") for line in other]
    more = f", … {len(shown) - _SHOWN} more" if len(shown) > _SHOWN else ""
    before = ", ".join(line.split(" → ")[0].replace(": ", " ") for line in shown[:_SHOWN])
    now = ", ".join(f"{line.split(': ')[0]} {line.split(' → ')[1]}" for line in shown[:_SHOWN])
    return before + more, now + more


# --- files -----------------------------------------------------------------------------------------------------------


def _files(source: Source, arm: Arm, several: bool) -> Iterator[Finding]:
    """The user's own files that settings name."""
    then, named = (source.inputs or {}).get(_known_as(arm, source.inputs), {}), environment.named(arm.config)
    for key, digest in then.items():
        what = f"{arm.name}: {key}" if several else key
        if not Path(named[key]).expanduser().exists():
            yield Finding(what, digest[:12], f"{named[key]} is not there", GONE)
        else:
            now = environment.digest(named[key])
            yield Finding(what, digest[:12], now[:12], SAME if now == digest else DIFFERS)
    if source.inputs is None:
        yield Finding("data", "not recorded", "as they are", UNKNOWN)


def _base_model(source: Source, arm: Arm, several: bool) -> Iterator[Finding]:
    model, then = arm.config.model, source.base(_known_as(arm, source.receipts))
    what = f"{arm.name}: base model" if several else "base model"
    if arm.config.starts_from is not None:
        yield Finding(what, f"the merged weights of {arm.config.starts_from}", "made again", SAME)
    elif model.path is None:
        yield Finding(what, model.name, "built from settings and source code", SAME)
    elif not Path(model.path).expanduser().is_dir():
        pinned = re.fullmatch(r"[0-9a-f]{40}", model.revision or "") is not None
        yield Finding(
            what, model.path, "the same commit" if pinned else "no commit named (model.revision)", SAME if pinned else UNKNOWN
        )
    elif not then:
        yield Finding(what, "not recorded", model.path, UNKNOWN)
    else:
        now = identity.contents(model.path, Path(arm.config.cache_dir))
        other = sorted(name for name in {*then, *now} if then.get(name) != now.get(name))
        yield Finding(what, f"{len(then)} files", ", ".join(other) or f"{len(now)} files", DIFFERS if other else SAME)


def _known_as(arm: Arm, told: Mapping[str, object] | None) -> str:
    """What an arm is called where it was recorded: the one of a run without arms goes by no name, or that of its loss."""
    return arm.name if told and arm.name in told else ""


# --- what nothing can promise ----------------------------------------------------------------------------------------


def _beyond_control(config: Config) -> Iterator[Finding]:
    if isinstance(config.generator, OpenAIGenerator) and config.dataset.kind == "library":
        yield Finding("teacher's text", config.generator.model, "asked again for what cache_dir does not have", UNKNOWN)
    if config.hardware.device != "cpu":
        yield Finding("kernels", config.hardware.device, "the same numbers are not promised on an accelerator", UNKNOWN)
    if config.backend.name == "unsloth":
        yield Finding("backend=unsloth", "its own environment", "its packages are not recorded", UNKNOWN)
