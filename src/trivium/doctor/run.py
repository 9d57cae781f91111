"""The whole examination: every check, a table, `doctor.json`, and whether anything failed."""

import sqlite3
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError
from pathlib import Path
from tempfile import TemporaryDirectory

from trivium.artifact import write_json
from trivium.console import Screen
from trivium.doctor import machine, packages, programs, records
from trivium.doctor.finding import ABSENT, FAIL, OK, STATUSES, WARN, Check, Finding
from trivium.doctor.rehearsal import PARTS, rehearse
from trivium.errors import TriviumError
from trivium.hardware import detect
from trivium.recording import recorded
from trivium.result import Result
from trivium.schema import Config

REPORT = "doctor.json"
MARKS = {OK: "✓", WARN: "!", FAIL: "✗", ABSENT: "–"}
_BROKEN = (ImportError, OSError, RuntimeError, AttributeError)
"""What a PyTorch that does not go with its driver raises."""
_SETUP = "make setup"

CHECKS = (
    Check("Python", packages.python, (PackageNotFoundError,), _SETUP),
    Check("dependencies", packages.dependencies, (PackageNotFoundError,), _SETUP),
    Check("lock", packages.lock, (OSError, UnicodeDecodeError), _SETUP),
    Check("extras", packages.extras, (PackageNotFoundError,), _SETUP),
    Check("accelerator", machine.accelerator, (*_BROKEN, subprocess.SubprocessError)),
    Check("PyTorch", machine.pytorch, _BROKEN, _SETUP),
    Check("precision", machine.precision, _BROKEN, _SETUP),
    Check("memory", machine.memory),
    Check("disk", machine.disk),
    Check("write access", machine.write_access),
    Check("MLflow", records.mlflow, (OSError, ImportError, sqlite3.Error), _SETUP),
    Check("hub token", records.hub_token, (OSError, ImportError)),
    Check("scorers", programs.scorers, (OSError, ImportError)),
    Check("llama.cpp", programs.llama_cpp, (OSError, TriviumError)),
    Check("MLX", programs.mlx, (OSError, ImportError)),
    Check("Unsloth", programs.unsloth, (OSError, TriviumError, subprocess.SubprocessError)),
    Check("Ollama", programs.ollama, (OSError, subprocess.SubprocessError, UnicodeDecodeError)),
)


def examine(config: Config, out: Path) -> None:
    """`task=doctor`: look at everything, tell it, and raise `TriviumError` where something failed."""
    screen, result, started = Screen(), Result(config.task, config.name), time.monotonic()
    with recorded(config, out, result):
        findings = list(_looked_at(config, screen))
        counts = Counter(finding.status for finding in findings)
        seconds = time.monotonic() - started
        result.add({f"doctor/{status}": float(counts[status]) for status in STATUSES} | {"doctor/seconds": seconds})
        write_json(out / REPORT, {"machine": asdict(detect()), "findings": [asdict(f) for f in findings], "seconds": seconds})
        _tell(findings, counts, seconds, screen)
        if counts[FAIL]:
            names = ", ".join(finding.name for finding in findings if finding.status == FAIL)
            raise TriviumError(
                f"{counts[FAIL]} of {len(findings)} checks failed ({names}); what to do stands in {out / REPORT}."
            )


def _looked_at(config: Config, screen: Screen) -> Iterator[Finding]:
    steps = len(CHECKS) + len(PARTS)
    with screen.bar("examining") as update, TemporaryDirectory(prefix="trivium-doctor-") as scratch:
        for done, check in enumerate(CHECKS):
            update(done, steps, {})
            yield from check.findings(config)
        for done, finding in enumerate(rehearse(config, Path(scratch)), len(CHECKS) + 1):
            update(done, steps, {})
            yield finding


def _tell(findings: list[Finding], counts: Counter[str], seconds: float, screen: Screen) -> None:
    rows = [[f"{MARKS[f.status]} {f.name}", f.status, f.detail + (f"\n→ {f.remedy}" if f.remedy else "")] for f in findings]
    screen.table("the doctor", ["check", "status", "found"], rows, left=True)
    told = ", ".join(f"{counts[status]} {status}" for status in STATUSES)
    screen.say(f"{told}; {seconds:.1f} s")
