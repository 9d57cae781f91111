"""What the export stage says: the certificate as a table and as metrics, and a mismatch as a failed gate."""

from collections.abc import Mapping
from typing import Any

from trivium.console import Screen
from trivium.errors import GateError
from trivium.schema import ParityConfig

Report = Mapping[str, Any]
"""What `parity.json` holds."""

COLUMNS = ["form", "templates", "tokens", "stops", "KL, nats\na token", "likeliest\ntoken", "same\nanswers", "certificate"]
_FIGURES = ("templates", "tokens", "kl", "kl_max", "top1", "answers", "passed")


def metrics(report: Report) -> dict[str, float]:
    """`export/<form>/…` of every form."""
    return {f"export/{form['name']}/{name}": float(form[name]) for form in report.get("forms", ()) for name in _FIGURES}


def tell(report: Report, screen: Screen) -> None:
    """One row for each form that was run."""
    if forms := report.get("forms"):
        screen.table("parity with the evaluated model", COLUMNS, [_row(form) for form in forms])


def judge(report: Report, settings: ParityConfig, screen: Screen) -> None:
    """Raise `GateError`, or warn, for each form that differs too much."""
    wrong = [f"{form['name']}: {'; '.join(form['reasons'])}" for form in report.get("forms", ()) if not form["passed"]]
    if wrong and settings.gate == "strict":
        raise GateError(
            f"an export does not answer as the evaluated model: {'. '.join(wrong)}. The files are kept (see "
            "export/parity.json); choose a more exact type, or set export.parity.gate=warn."
        )
    for sentence in wrong:
        screen.warn(f"{sentence}.")


def _row(form: Mapping[str, Any]) -> list[str]:
    return [
        form["name"],
        f"{form['templates']:.0%}",
        f"{form['tokens']:.0%}",
        "equal" if form["stops"] else "differ",
        f"{form['kl']:.1e}\n≤ {form['limit']['kl']:g}",
        f"{form['top1']:.1%}\n≥ {form['limit']['top1']:.0%}",
        f"{form['answers']:.0%}",
        "passed" if form["passed"] else "FAILED",
    ]
