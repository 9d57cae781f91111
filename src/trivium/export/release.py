"""The release gate: a model that failed what matters is not exported by mistake."""

from collections.abc import Iterator, Mapping, Sequence

from trivium.binding import nearest
from trivium.console import number
from trivium.errors import ConfigError, GateError
from trivium.schema import BANDS, CoherenceEvaluation, Config, ExportConfig, NoneConfig

REFUSED = {"failed": "is failed", "missed": "misses its target", "worse": "is worse than the base model's"}
"""Verdicts that keep a model in, and how they are told."""


def problems_in(config: Config) -> Iterator[str]:
    """A sentence for every critical figure that no evaluation can measure, as far as that is known before one."""
    from trivium.export.card_words import MEANINGS

    known = {*MEANINGS, *(f"band/{band}/{figure}" for band in BANDS for figure in ("ppl", "bpb"))}
    unknown = [name for name in config.export.critical if name not in known]
    own = _figures_of(config) if unknown else []
    if own is not None:
        yield from (
            f"export.critical: {name} is no figure; {nearest(name, {*known, *own})}" for name in unknown if name not in own
        )


def failed_checks(export: ExportConfig, verdicts: Mapping[str, str], metrics: Mapping[str, float]) -> list[str]:
    """A sentence for every critical figure with such a verdict.

    Raises `ConfigError` for figures that were chosen as critical and that the run's evaluation did not judge.
    """
    if not export.force:
        _require_judged(export.critical, verdicts)
    return list(_failed(export, verdicts, metrics))


def judge(export: ExportConfig, failed: list[str]) -> None:
    """Raise `GateError` for failed checks, unless the export is forced."""
    if failed and not export.force:
        raise GateError(
            f"not exported: {'; '.join(failed)}. Train again, change what is critical (export.critical), or set "
            "export.force=true; the model card then says so."
        )


def _require_judged(critical: Sequence[str], verdicts: Mapping[str, str]) -> None:
    """Those that are critical unless something else is said are so where they were measured; others must have been."""
    usual = ExportConfig().critical
    missing = [name for name in critical if name not in verdicts and name not in usual] if verdicts else []
    if missing:
        raise ConfigError(
            [
                f"export.critical: {name} has no verdict in this run, so it would keep nothing in; judged here: "
                f"{', '.join(sorted(verdicts))}. Name one of these, leave it out, or set export.force=true."
                for name in missing
            ]
        )


def _figures_of(config: Config) -> list[str] | None:
    """What the evaluation's own suites and scores are called; None where a suite cannot be read."""
    evaluation = config.evaluation
    if isinstance(evaluation, NoneConfig):
        return []
    names = list(evaluation.scores) if isinstance(evaluation, CoherenceEvaluation) else []
    try:
        names += [name for suite in evaluation.suites for name in _metrics_of(suite)]
    except ConfigError:
        return None
    return [f"eval/{name}" for name in names]


def _metrics_of(suite: str) -> Iterator[str]:
    from trivium.data.yamlfile import Entry, located
    from trivium.evaluation.suites import SHIPPED

    for part in Entry.read(located(suite, SHIPPED)[0], "evaluation.suites").keys("name version source parts").entries("parts"):
        yield from (str(part.value[key]) for key in ("metric", "stands_for") if key in part.value)


def _failed(export: ExportConfig, verdicts: Mapping[str, str], metrics: Mapping[str, float]) -> Iterator[str]:
    for metric in export.critical:
        if (verdict := verdicts.get(metric, "")) in REFUSED:
            low, high = (number(metrics, f"{metric}_ci_{end}") for end in ("low", "high"))
            yield f"{metric} = {number(metrics, metric)} [{low}, {high}] {REFUSED[verdict]}"
