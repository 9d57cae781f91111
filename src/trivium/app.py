"""The one entrypoint behind the command line: compose, check, then run the task that the configuration names."""

import logging
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from trivium import tiers
from trivium.arms import Arm, plan
from trivium.compose import CONFIG_NAME, conf_dir, files_explained, hydra_at, register_schemas
from trivium.errors import ConfigError, Interrupted, TriviumError
from trivium.hardware import detect
from trivium.overrides import checked, is_override, key_of, loosen
from trivium.result import Result
from trivium.schema import Config
from trivium.serving import runs
from trivium.serving.settings import take_up

Task = Callable[[Config, list[Arm], Path, str], Result | None]
"""Configuration, its arms, the run's folder, and the run's name: what differs from the experiment as it is shipped."""


def launch(args: list[str], inspect_only: bool) -> int:
    """Run Hydra on the command line's words; returns the exit code."""
    from hydra.errors import HydraException
    from omegaconf.errors import OmegaConfBaseException

    try:
        if inspect_only and _multirun(args):
            raise ConfigError("-m and a flag that only inspects (--cfg, --info …) exclude each other; leave one out.")
        if inspect_only and any(key_of(arg) == "from_run" for arg in args):
            raise ConfigError("from_run: a run that is taken up shows its settings in its config.resolved.yaml.")
        if not inspect_only:
            args = _precheck(args)
        with files_explained():
            return _run_hydra(args)
    except TriviumError as error:
        return _say(_problems(error), error.exit_code)
    except (HydraException, OmegaConfBaseException) as error:
        return _say([str(error)], ConfigError.exit_code)
    except OSError as error:
        return _say([os_sentence(error, any(key_of(arg) == "from_run" for arg in args))], TriviumError.exit_code)


def os_sentence(error: OSError, taken_up: bool = False) -> str:
    """An operating system error as a sentence with the way out; a run that is taken up stays in its own folder."""
    import errno

    elsewhere = "write elsewhere (hydra.run.dir=…, cache_dir=…)"
    if taken_up:
        elsewhere = "copy the run's folder to another place and name the copy (from_run=…); cache_dir=… moves the cache"
    ways = {
        errno.ENOSPC: f"free some space, or {elsewhere}",
        errno.EDQUOT: f"free some space, or {elsewhere}",
        errno.EFBIG: "raise the limit on the size of a file (ulimit -f unlimited)",
        errno.EACCES: f"make it writable, or {elsewhere}",
        errno.EPERM: f"make it writable, or {elsewhere}",
    }
    way = ways.get(error.errno or 0, elsewhere)
    return f"{error.filename or 'the file system'}: {(error.strerror or str(error)).lower()}; {way}."


def _say(problems: list[str], code: int) -> int:
    for problem in problems:
        sys.stderr.write(f"trivium: {problem}\n")
    return code


def _precheck(args: list[str]) -> list[str]:
    """Check what can be checked before a run directory exists; returns the words with values loosened for Hydra."""
    config_dir = _config_dir(args)
    if config_dir is not None and not config_dir.is_dir():
        raise ConfigError(f"--config-dir: {config_dir} is not a folder; it holds your own <group>/<option>.yaml files.")
    stray = [arg for i, arg in enumerate(args) if not arg.startswith("-") and not is_override(arg) and not _is_value(args, i)]
    if stray:
        raise ConfigError([f"{word!r} is not key=value, group=option or a flag; see trivium --help." for word in stray])
    overrides = [arg for arg in args if is_override(arg) and not _is_value(args, args.index(arg))]
    with hydra_at():
        ours = _ours(overrides)
        if _multirun(args) and any(key_of(o) == "from_run" for o in ours):
            raise ConfigError("-m makes new runs, and from_run takes up a finished one; leave one of them out.")
        values = {o: _swept(o) for o in ours}
        fixed = [o for o in ours if values[o] is None]
        if len(fixed) < len(ours) and not _multirun(args):
            several = [o for o in ours if values[o] is not None]
            raise ConfigError([f"{o}: several values need -m, one run for each; a list is written [1,2]." for o in several])
        if (name := runs.named(fixed)) is not None:
            return _taken_up(args, overrides, name, config_dir)
        if _is_reproduction(ours):
            return _reproduced(args, overrides, config_dir)
        if _is_search(fixed):
            if not _multirun(args):
                raise ConfigError("a sweep is a search over many runs: add -m, for example trivium -m sweep=alpha.")
            checked(fixed, config_dir)  # before Hydra composes; the sweeper checks its space and its objectives
            return _loosened(args, overrides)
        if endless := [o for o in ours if values[o] == []]:
            raise ConfigError(
                [f"{o}: an interval is searched, not listed; choose a sweep, as in -m sweep=alpha {o}." for o in endless]
            )
        for one in [fixed, *([*fixed, word] for words in values.values() for word in words or ())]:
            config = checked(one, config_dir)
        plan(config, fixed, lambda changed: checked(changed, config_dir))
    from trivium.backends.process import machines

    added = machines.words(config, list(map(key_of, overrides)), _multirun(args))
    return [*_loosened(args, overrides), *added]


def _taken_up(args: list[str], overrides: list[str], name: str, config_dir: Path | None) -> list[str]:
    """The words for Hydra where a finished run is taken up: it works in the run's own folder and writes no `.hydra` there."""
    folder = runs.locate(name)
    if name == runs.LAST:
        sys.stderr.write(f"from_run={name}: {folder}\n")
    take_up(folder, overrides, config_dir)
    others = [arg for arg in args if arg not in overrides or key_of(arg) != "from_run"]
    place = [f"from_run={_quoted(folder)}", f"hydra.run.dir={_quoted(folder)}", "hydra.output_subdir=null"]
    return _loosened([*others, *place], [*overrides, *place])


def _is_reproduction(overrides: list[str]) -> bool:
    return any(key_of(o) == "reproduces" or (key_of(o), o.split("=", 1)[-1]) == ("task", "reproduce") for o in overrides)


def _reproduced(args: list[str], overrides: list[str], config_dir: Path | None) -> list[str]:
    """The words for Hydra where a run is made again, under the name that it had."""
    from trivium.reproduce.run import require

    if _multirun(args):
        raise ConfigError("-m makes many runs, and task=reproduce makes one again; leave one of them out.")
    named = [] if any(key_of(o) == "name" for o in overrides) else [f"name={_quoted(require(_ours(overrides), config_dir))}"]
    return _loosened([*args, *named], [*overrides, *named])


def _ours(overrides: list[str]) -> list[str]:
    return [o for o in overrides if not o.lstrip("+~").startswith("hydra")]


def _quoted(path: Path | str) -> str:
    """A text, often a path, as a value that Hydra's grammar takes for a text, whatever is in it."""
    text = str(path).replace("'", "\\'")
    return f"'{text}'"


def _arms(overrides: list[str], config_dir: Path | None) -> tuple[Config, list[Arm]]:
    """The configuration of a single run and its arms; a run that is taken up has none, one that is made again its own."""
    if (name := runs.named(overrides)) is not None:
        config = take_up(Path(name), overrides, config_dir)
        return config, [Arm(config.name, config, True)]
    if _is_reproduction(overrides):
        from trivium.reproduce.plan import planned

        return planned(overrides, config_dir)
    config = checked(overrides, config_dir)
    return config, plan(config, overrides, lambda changed: checked(changed, config_dir))


def _loosened(args: list[str], overrides: list[str]) -> list[str]:
    return [loosen(arg) if arg in overrides else arg for arg in args]


def _is_search(overrides: list[str]) -> bool:
    """Whether a sweep is chosen that keeps a study."""
    chosen = [o.split("=", 1)[1] for o in overrides if key_of(o) == "sweep"]
    return bool(chosen) and chosen[-1] != "none"


def config_dir_of(composed: Any) -> Path | None:
    """The user's own `--config-dir` of a composed configuration with Hydra's part."""
    sources = composed.hydra.runtime.config_sources
    return next((Path(source.path) for source in sources if source.provider == "command-line"), None)


_FLAGS_WITH_VALUE = ("--config-dir", "-cd", "--config-name", "-cn", "--config-path", "-cp", "--package", "-p")


def _multirun(args: list[str]) -> bool:
    return any(arg in ("-m", "--multirun") for arg in args)


def _is_value(args: list[str], index: int) -> bool:
    return index > 0 and args[index - 1] in _FLAGS_WITH_VALUE


def _config_dir(args: list[str]) -> Path | None:
    for i, arg in enumerate(args):
        flag, _, value = arg.partition("=")
        if flag in ("--config-dir", "-cd"):
            return Path(value or (args[i + 1] if i + 1 < len(args) else ""))
    return None


def _swept(override: str) -> list[str] | None:
    """The single overrides that a sweep stands for, as far as they can be listed; None for what is no sweep."""
    from hydra.core.override_parser.overrides_parser import OverridesParser
    from hydra.errors import HydraException

    try:
        parsed = OverridesParser.create().parse_override(override)
        if not parsed.is_sweep_override():
            return None
        listed = parsed.is_choice_sweep() or parsed.is_range_sweep()
        return [f"{override.split('=', 1)[0]}={value}" for value in parsed.sweep_string_iterator()] if listed else []
    except HydraException:
        return None  # left to the check pass, which names it together with the other problems


def _run_hydra(args: list[str]) -> int:
    """`hydra.main` on these words. A single run's error is raised here, untouched by Hydra's own reporting.

    Of several runs, each that fails says so at once and the others go on; the exit code is then the first failure's.
    """
    import hydra

    os.environ.setdefault("HYDRA_FULL_ERROR", "1")
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # threads that spin make two runs on one machine several times slower
    register_schemas()
    failures: list[Exception] = []
    sys.argv = ["trivium", *args]
    try:
        hydra.main(config_path=str(conf_dir()), config_name=CONFIG_NAME)(_job(failures, _config_dir(args)))()
    except KeyboardInterrupt:
        if not failures:
            raise
    if not failures:
        return 0
    if not _multirun(args):
        raise failures[0]
    return _say([f"runs that failed: {len(failures)}."], getattr(failures[0], "exit_code", TriviumError.exit_code))


def _job(failures: list[Exception], config_dir: Path | None) -> Callable[[Any], float | list[float] | None]:
    """What Hydra calls for every run; it returns the objectives of `sweep`, as other sweepers of Hydra's want them."""

    def job(_composed: Any) -> float | list[float] | None:
        from hydra.core.hydra_config import HydraConfig
        from hydra.types import RunMode

        from trivium.sweep.worker import STUDY, work

        logging.getLogger("torch").setLevel(logging.WARNING)  # it tells its cache statistics at exit
        logging.getLogger("bitsandbytes").setLevel(logging.ERROR)  # it misses kernels that nothing here needs
        settings = HydraConfig.get()
        if study := os.environ.get(STUDY):
            work(Path(study))
            return None
        overrides = list(settings.overrides.task)
        out = Path(settings.runtime.output_dir)
        try:
            config, arms = _arms(overrides, config_dir)
            if settings.runtime.choices.get("hardware") == tiers.AUTO:
                sys.stderr.write(f"hardware=auto: {tiers.choose(detect())}\n")
            result = TASKS[config.task](config, arms, out, _label(config, overrides))
            return _objectives(config, result)
        except (TriviumError, OSError) as error:
            failures.append(error)
            if settings.mode == RunMode.MULTIRUN:
                _say([f"{out}: {problem}" for problem in _problems(error)], 1)
            if isinstance(error, Interrupted):
                raise KeyboardInterrupt from error  # Hydra would go on to the next run
        return None

    return job


def _objectives(config: Config, result: Result | None) -> float | list[float] | None:
    wanted = list(config.sweep.sought)
    measured = result.metrics if result is not None else {}
    if not wanted or not measured.keys() >= set(wanted):
        return None
    return measured[wanted[0]] if len(wanted) == 1 else [measured[name] for name in wanted]


def _problems(error: Exception) -> list[str]:
    if isinstance(error, ConfigError):
        return error.problems
    return [os_sentence(error) if isinstance(error, OSError) else str(error)]


def _label(config: Config, overrides: list[str]) -> str:
    silent = ("name", "task", "experiment", "tracking", "cache_dir", "from_run", "hydra")
    words = [o.lstrip("+") for o in overrides if key_of(o).split(".")[0] not in silent]
    return " ".join([config.name, *(tiers.named(word, config.hardware) for word in words)])[:250]


def _run(config: Config, arms: list[Arm], out: Path, label: str) -> Result | None:
    if config.hardware.machine_rank:
        from trivium.backends.process import machines

        machines.take_part(config, out)
        return None
    from trivium.pipeline import run

    return run(config, arms, out, label)


def _audit(config: Config, _arms: list[Arm], out: Path, label: str) -> None:
    from trivium.auditing import run

    run(config, out, label)


def _chat(config: Config, _arms: list[Arm], out: Path, _label: str) -> None:
    from trivium.serving.chat import chat

    chat(config, out)


def _serve(config: Config, _arms: list[Arm], out: Path, _label: str) -> None:
    from trivium.serving.serve import serve

    serve(config, out)


def _doctor(config: Config, _arms: list[Arm], out: Path, _label: str) -> None:
    from trivium.doctor.run import examine

    examine(config, out)


def _plan(config: Config, arms: list[Arm], out: Path, _label: str) -> Result:
    from trivium.planner.run import plan as foretell

    return foretell(config, arms, out)


def _reproduce(config: Config, arms: list[Arm], out: Path, label: str) -> Result:
    from trivium.reproduce.run import reproduce

    return reproduce(config, arms, out, label)


TASKS: dict[str, Task] = {
    "run": _run,
    "plan": _plan,
    "doctor": _doctor,
    "audit": _audit,
    "reproduce": _reproduce,
    "chat": _chat,
    "serve": _serve,
}
