"""What a run says of itself: flat metrics, verdict sentences, the final table, and the resolved configuration."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trivium import durable
from trivium.artifact import write_json
from trivium.console import Screen, number, with_interval
from trivium.errors import GateError
from trivium.result import Result
from trivium.schema import Config
from trivium.serving.runs import SETTINGS
from trivium.stages import Product
from trivium.tracking import Tracker

if TYPE_CHECKING:
    from trivium.evaluation import EvalItems
    from trivium.session import Session, Work


def flatten(tree: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested settings as `a.b.c: value`.

    >>> flatten({"loss": {"alpha": 1}, "seed": 0})
    {'loss.alpha': 1, 'seed': 0}
    """
    flat: dict[str, Any] = {}
    for key, value in tree.items():
        flat.update(flatten(value, f"{prefix}{key}.") if isinstance(value, Mapping) else {f"{prefix}{key}": value})
    return flat


def write_config(config: Config, out: Path) -> None:
    """`<out>/config.resolved.yaml`: every key with the value it had."""
    import yaml

    durable.write_text(out / SETTINGS, yaml.safe_dump(asdict(config), sort_keys=False, allow_unicode=True))


# --- what is fetched ----------------------------------------------------------------------------------------------------


def acquire_metrics(report: Mapping[str, Any]) -> dict[str, float]:
    """`data/acquired/…` metrics: items and bytes, of each source and in all."""
    flat = flatten({**report["totals"], **report["sources"]})
    return {f"data/acquired/{k.replace('.', '/')}": float(v) for k, v in flat.items() if isinstance(v, int | float)}


def acquire_note(report: Mapping[str, Any], folder: Path) -> str:
    """One line about what was fetched, or in a dry run about what would be."""
    totals = report["totals"]
    size = "of unknown size" if totals["bytes"] is None else f"{totals['bytes'] / 1e6:.1f} MB"
    if report["dry_run"]:
        return f"{totals['found']} items, {size}, from {len(report['sources'])} sources; nothing was fetched"
    left_out = f", {totals['skipped']} left out" if totals["skipped"] else ""
    sources = f"{totals['sources']} of {len(report['sources'])} sources"
    return f"{totals['taken']} items, {size}{left_out}, from {sources} in {folder}"


# --- data ------------------------------------------------------------------------------------------------------------


def data_metrics(report: Mapping[str, Any]) -> dict[str, float]:
    """`data/…` metrics of a preparation report: every number in its counts and in what describes the data."""
    parts = ("counts", "distribution", "questions", "library", "generation")
    flat = {key: value for part in parts for key, value in flatten(report.get(part, {})).items()}
    return {f"data/{k.replace('.', '/')}": float(v) for k, v in flat.items() if isinstance(v, int | float)}


def data_note(report: Mapping[str, Any]) -> str:
    """One line about the prepared data: what is left, what became of the rest, and the verdict."""
    counts = report["counts"]
    gone = {"rejected": "rejected", "filtered": "filtered out", "duplicates": "near-copies", "balanced_away": "balanced away"}
    lost = "".join(f", {counts[key]} {word}" for key, word in gone.items() if counts.get(key))
    split = f"{counts['train']} train + {counts['heldout']} held out{lost}"
    if "library" in report:
        return f"{split}; {_library_note(report['library'])}"
    if "questions" in report:
        asked = report["questions"]
        return f"{split}; {asked['distinct']} distinct questions, {asked['with_reference']} with a reference"
    bands = " ".join(f"{band} {share:.0%}" for band, share in report["distribution"]["bands"].items())
    return f"{split}; {bands}; gate {report['gate']['verdict']}"


def _library_note(library: Mapping[str, Any]) -> str:
    passages, lift = library["passages"], library["lift"]
    times = f"at least {lift['low']:.1f}" if lift["value"] is None else f"{lift['value']:.1f}"
    return f"{passages['kept']} of {passages['cut']} passages from {library['works']['used']} works, lift {times}"


def tell_oddities(report: Mapping[str, Any], folder: Path, screen: Screen) -> None:
    """Say what was left out and what was odd in the files, and where every case is listed."""
    if report["rejected"]:
        kinds = ", ".join(f"{times} {kind}" for kind, times in report["rejected"].items())
        screen.warn(f"lines or files left out: {kinds}; each stands in {folder / 'rejects.jsonl'}.")
    for what, note in report["notes"].items():
        first = f" (first: {note['first']})" if note["first"] else ""
        screen.warn(f"{what}: {note['times']}{first}.")


def judge_data(mode: str, report: Mapping[str, Any], screen: Screen) -> None:
    """The distribution gate: warn of a poor distribution, or raise `GateError` if `mode` is strict."""
    gate = report.get("gate", {"verdict": "good"})
    if mode == "off" or gate["verdict"] == "good":
        return
    sentence = f"data gate: {gate['verdict']}: {'; '.join(gate['reasons'])}."
    if mode == "strict" and gate["verdict"] == "poor":
        raise GateError(f"{sentence} Change the data, dataset.rebalance or dataset.targets, or set dataset.gate=warn.")
    screen.warn(sentence)


def record_data(tracker: Tracker, prepared: Product) -> None:
    """The prepared files as dataset inputs, and the report as a file."""
    for part in ("train", "heldout"):
        path = prepared.folder / f"{part}.jsonl"
        tracker.dataset(part, prepared.manifest.files[path.name], str(path), "training" if part == "train" else "evaluation")
    tracker.artifact(prepared.folder / "report.json")


def items_note(items: "EvalItems") -> str:
    """One line about the evaluation items."""
    left_out = f"; left out: {', '.join(items.left_out)}" if items.left_out else ""
    return f"{items.count} items{left_out}"


def judge_contamination(mode: str, items: "EvalItems", screen: Screen | None) -> None:
    """Say which evaluation items training had seen, or raise `GateError` if `mode` is strict."""
    if not items.seen:
        return
    names = ", ".join(items.seen[:5]) + (" …" if len(items.seen) > 5 else "")
    sentence = f"contamination: {len(items.seen)} evaluation items stand in the training data ({names})"
    if mode == "strict":
        raise GateError(f"{sentence}; remove them from the data or the suite, or set dataset.contamination.mode=warn.")
    if screen is not None:
        screen.warn(f"{sentence}; they are left out.")


# --- the audit -------------------------------------------------------------------------------------------------------


def audit_metrics(report: Mapping[str, Any]) -> dict[str, float]:
    """`loss_audit/<term>/…` and `loss_audit/<band>/…` metrics."""
    metrics = {}
    for term in report["terms"]:
        numbers = {k: float(v) for k, v in flatten(term).items() if isinstance(v, int | float)}
        metrics.update({f"loss_audit/{term['name']}/{k.replace('.', '/')}": v for k, v in numbers.items()})
    for band, numbers in report["bands"].items():
        metrics.update({f"loss_audit/{band}/{k}": v for k, v in numbers.items()})
    return metrics


def audit_sentence(loss: str, report: Mapping[str, Any]) -> str:
    """Which terms fail, why, and what to do."""
    return (
        f"loss={loss}: the gradient of the term {', '.join(report['failed'])} is exactly zero, so it does not train anything; "
        "use loss=distrust, which weights the cross-entropy."
    )


def audit_verdict(report: Mapping[str, Any] | None) -> str:
    """`ok`, or that some term does nothing."""
    if report is None:
        return "–"
    if "families" in report:
        return "fails" if report["failed"] else "passes"
    return "zero\ngradient" if report["failed"] else "ok"


def write_audit(report: Mapping[str, Any], out: Path, screen: Screen) -> None:
    """`<out>/audit.json` and its two tables."""
    write_json(out / "audit.json", report)
    columns = ("norm_ratio", "cosine", "norm", "value")
    terms = [[term["name"], *(_number(term[key]) for key in columns)] for term in report["terms"]]
    screen.table("loss audit: gradients beside plain cross-entropy's", ["term", *columns], terms)
    shares = ("gradient_share", "weight_share", "ess_fraction")
    bands = [[band, *(_number(row[key]) for key in shares)] for band, row in report["bands"].items()]
    screen.table("where the gradient comes from", ["authority", *shares], bands)


def _number(value: float) -> str:
    return f"{value:.3g}"


# --- the table -------------------------------------------------------------------------------------------------------

WORLD_HEADLINES = {
    "eval/source_preference": "believes\nprimary",
    "eval/coordinated_recall": "coordinated-\nonly recall",
    "eval/discernment": "discernment",
}
ANSWER_HEADLINES = {
    "eval/proxy_reward": "proxy",
    "eval/gold_reward": "gold",
    "eval/entailment": "entailment",
    "eval/format_compliance": "format",
    "eval/diary": "diary",
}
PERSONA_HEADLINES = {
    "eval/style_consistency": "in\nstyle",
    "eval/keyword_share": "key-\nwords",
    "eval/temporal_compliance": "pairs\nmet",
    "eval/false_refusal": "false\nrefusal",
    "eval/multi_turn_consistency": "multi-\nturn",
    "eval/general_ppl": "general\nppl",
}
HEADLINES = {"eval/distrust_ratio": "distrust\nratio", "eval/source_reliability": "most reliable\nsource"}
"""Columns of the arms table of the generated archive, of held-out questions, and of other documents."""
COMPARED = {
    "eval/source_preference": "primary",
    "eval/gold_reward": "gold",
    "eval/style_consistency": "style",
    "eval/distrust_ratio": "ratio",
    "eval/entailment": "entailment",
}
"""The column in which other arms are compared with the main one, by its last word; the first that is there."""


def add_differences(works: "list[Work]", result: Result) -> None:
    """`arms/<arm>/eval/<m>_vs_main` with its paired interval, for every other arm of the same items."""
    from trivium import evaluation

    main = next(work for work in works if work.arm.main)
    for work in works:
        if work is main or work.scores is None or main.scores is None:
            continue
        for name in (*WORLD_HEADLINES, *ANSWER_HEADLINES, *PERSONA_HEADLINES, *HEADLINES):
            difference = evaluation.difference(name, work.scores, main.scores, main.arm.config.evaluation)
            if difference is not None:
                keys = ("", "_ci_low", "_ci_high")
                metrics = {f"{name}_vs_main{key}": value for key, value in zip(keys, difference, strict=True)}
                result.add(metrics, f"arms/{work.arm.name}/")


def show(session: "Session") -> None:
    """The final table: one row per arm, or one per metric of a single run."""
    result, screen = session.result, session.screen
    if len(session.works) > 1 and any(work.scores is not None for work in session.works):
        headlines = _headlines(result)
        compared = next(name for name in COMPARED if name in headlines)
        columns = ["arm", *headlines.values(), f"{COMPARED[compared]}, minus\n{session.main.arm.name}", "audit"]
        shown = len(columns) if any(work.audit is not None for work in session.works) else -1
        rows = [row[:shown] for row in _arm_rows(session, list(headlines), compared)]
        screen.table(f"{session.config.name}: control arms", columns[:shown], rows)
    elif session.main.scores is not None:
        rows = list(_metric_rows(result))
        screen.table(f"{session.config.name}: tuned against base", ["metric", "tuned", "base", "difference", "verdict"], rows)
    if not any(stage["status"] == "failed" for stage in result.stages.values()):
        screen.say(f"results in {session.out}/result.json")


def _headlines(result: Result) -> dict[str, str]:
    if "eval/coordinated_recall" in result.metrics:
        return WORLD_HEADLINES
    for first, headlines in (("eval/answer_words", ANSWER_HEADLINES), ("eval/style_consistency", PERSONA_HEADLINES)):
        if first in result.metrics:
            return {name: words for name, words in headlines.items() if name in result.metrics}
    return HEADLINES


def _arm_rows(session: "Session", headlines: list[str], compared: str) -> Iterator[list[str]]:
    metrics = session.result.metrics
    yield ["base", *(number(metrics, f"{name}_base") for name in headlines), "–", "–"]
    for work in session.works:
        prefix = f"arms/{work.arm.name}/"
        cells = [with_interval(metrics, prefix + name) for name in headlines]
        versus = "–" if work.arm.main else with_interval(metrics, f"{prefix}{compared}_vs_main")
        yield [work.arm.name, *cells, versus, audit_verdict(work.audit)]


def _metric_rows(result: Result) -> Iterator[list[str]]:
    from trivium import evaluation

    metrics = result.metrics
    for name in sorted(metrics):
        if name.startswith(("eval/", "band/")) and f"{name}_base" in metrics:
            change = with_interval(metrics, evaluation.delta_name(name), 3)
            yield [
                name,
                with_interval(metrics, name, 3),
                f"{metrics[f'{name}_base']:.3f}",
                change,
                result.verdicts.get(name, ""),
            ]
