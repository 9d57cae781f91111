"""The task: tell what has changed, make the run again, hold it against the first."""

import math
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trivium.arms import Arm
from trivium.artifact import write_json
from trivium.console import Screen
from trivium.errors import ConfigError, GateError
from trivium.reproduce.findings import GONE, SAME, Finding, findings
from trivium.reproduce.plan import planned
from trivium.reproduce.source import Source, read, weights
from trivium.result import Result
from trivium.schema import Config
from trivium.tracking.outbox import metric_name

if TYPE_CHECKING:
    from trivium.session import Session

REPORT = "reproduction.json"
_OF_THE_OCCASION = ("system/", "plan/", "reproduce/", "trial/", "alerts/")
_SHOWN = 8


def reproduce(config: Config, arms: list[Arm], out: Path, label: str) -> Result:
    """`task=reproduce`: make the run again that `planned` has prepared.

    Raises `ConfigError` where files are gone, and `GateError` where the result differs and nothing explains it.
    """
    from trivium.pipeline import run

    source = read(str(config.reproduces), config.tracking)
    told = findings(source, config, arms)
    _show(source, told, Screen())
    _require_files(told)
    return run(config, arms, out, label, after=lambda session: _compare(source, told, session))


def require(overrides: list[str], config_dir: Path | None) -> str:
    """Check, before a folder is made, that a run can be made again; returns its name."""
    config, arms = planned(overrides, config_dir)
    _require_files(findings(read(str(config.reproduces), config.tracking), config, arms))
    return config.name


def _require_files(told: list[Finding]) -> None:
    if gone := [finding for finding in told if finding.status == GONE]:
        raise ConfigError(
            [f"reproduces: {f.what}: {f.now}; put it back, or say where it is with {f.what.split(': ')[-1]}=…." for f in gone]
        )


def _show(source: Source, told: list[Finding], screen: Screen) -> None:
    rows = [[one.what, one.then, one.now, one.status] for one in told]
    screen.table(f"making {source.name} again", ["what", "then", "now", ""], rows, left=True)
    if all(one.status == SAME for one in told):
        screen.say("nothing differs that the result depends on: weights and metrics are to be identical")


# --- afterwards ------------------------------------------------------------------------------------------------------


def _compare(source: Source, told: list[Finding], session: "Session") -> None:
    """Write `reproduction.json`, tell the verdict, and fail where something differs that nothing explains."""
    same = _weights(source, session)
    compared = _metrics(source.metrics, session.result.metrics)
    other = {name: pair for name, pair in compared.items() if not _equal(*pair)}
    identical = all(same.values()) and bool(same) and not other
    explained = [one.what for one in told if one.status != SAME]
    verdict = "identical" if identical else "differs, as was to be expected" if explained else "differs"
    report = {
        "reproduces": source.name,
        "mlflow_run_id": source.run_id,
        "verdict": verdict,
        "told": [asdict(one) for one in told],
        "weights_identical": same,
        "metrics": {"compared": len(compared), "equal": len(compared) - len(other), "different": other},
    }
    write_json(session.out / REPORT, report)
    session.tracker.artifact(session.out / REPORT)
    session.tracker.tag("reproduces", source.run_id or source.name)
    session.result.add({"reproduce/identical": float(identical), "reproduce/metrics_different": float(len(other))})
    sentence = _sentence(same, compared, other)
    session.screen.say(f"{verdict}: {sentence}")
    if not identical and not explained:
        raise GateError(f"reproduces: {sentence}, though nothing was found to differ before; see {session.out / REPORT}.")


def _weights(source: Source, session: "Session") -> dict[str, bool]:
    """Of every arm whose weights are known: whether the files are the same, byte for byte."""
    found = {}
    for work in session.works:
        then = source.weights(work.arm.name if work.arm.name in source.receipts else "")
        if then and work.tuned is not None:
            found[work.arm.name] = weights(work.tuned.manifest.files) == then
    return found


def _metrics(before: Mapping[str, float], now: Mapping[str, float]) -> dict[str, tuple[Any, Any]]:
    """What both runs measured, but for time and memory."""
    names = {name: metric_name(name) for name in now if not name.split("arms/")[-1].startswith(_OF_THE_OCCASION)}
    return {name: (before[known], now[name]) for name, known in names.items() if known in before and not _of_time(name)}


def _of_time(name: str) -> bool:
    return name.endswith(("seconds", "per_second", "step_time")) or "/system/" in name or "/plan/" in name


def _equal(before: float, now: float) -> bool:
    return before == now or (math.isnan(before) and math.isnan(now))


def _sentence(same: Mapping[str, bool], compared: Mapping[str, Any], other: Mapping[str, tuple[float, float]]) -> str:
    weights = (
        f"weights of {sum(same.values())} of {len(same)} trainings are the same bytes" if same else "weights are not known"
    )
    metrics = f"{len(compared) - len(other)} of {len(compared)} metrics are equal"
    largest = sorted(other, key=lambda name: -abs(other[name][1] - other[name][0]))[:_SHOWN]
    shown = ", ".join(f"{name} {other[name][0]:.6g} → {other[name][1]:.6g}" for name in largest)
    return f"{weights}, {metrics}{f' ({shown})' if shown else ''}"
