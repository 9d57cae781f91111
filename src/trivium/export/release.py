"""The release gate: a model that failed what matters is not exported by mistake."""

from collections.abc import Iterator, Mapping

from trivium.console import number
from trivium.errors import GateError
from trivium.schema import ExportConfig

REFUSED = {"failed": "is failed", "missed": "misses its target", "worse": "is worse than the base model's"}
"""Verdicts that keep a model in, and how they are told."""


def failed_checks(export: ExportConfig, verdicts: Mapping[str, str], metrics: Mapping[str, float]) -> list[str]:
    """A sentence for every critical figure with such a verdict."""
    return list(_failed(export, verdicts, metrics))


def judge(export: ExportConfig, failed: list[str]) -> None:
    """Raise `GateError` for failed checks, unless the export is forced."""
    if failed and not export.force:
        raise GateError(
            f"not exported: {'; '.join(failed)}. Train again, change what is critical (export.critical), or set "
            "export.force=true; the model card then says so."
        )


def _failed(export: ExportConfig, verdicts: Mapping[str, str], metrics: Mapping[str, float]) -> Iterator[str]:
    for metric in export.critical:
        if (verdict := verdicts.get(metric, "")) in REFUSED:
            low, high = (number(metrics, f"{metric}_ci_{end}") for end in ("low", "high"))
            yield f"{metric} = {number(metrics, metric)} [{low}, {high}] {REFUSED[verdict]}"
