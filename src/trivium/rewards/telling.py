"""What a run says of its rewards: the audit before it, and proxy beside gold after it."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from trivium.artifact import write_json
from trivium.console import Screen
from trivium.errors import GateError
from trivium.rewards.audit import sentence, tables
from trivium.rewards.rehearse import embedded_asked
from trivium.schema import Config
from trivium.tracking import Tracker

DIVERGENCE = "proxy_gold_divergence"
"""The named warning, and the tag of the run."""


def write_audit(report: Mapping[str, Any], out: Path, screen: Screen) -> None:
    """`<out>/reward_audit.json` and its tables."""
    write_json(out / "reward_audit.json", report)
    for title, columns, rows in tables(report):
        screen.table(title, columns, rows)


def judge_audit(mode: str, name: str, report: Mapping[str, Any], screen: Screen) -> None:
    """Warn of a reward set that pays an attack, or raise `GateError` if `mode` is strict."""
    if not report["failed"]:
        return
    if mode == "strict":
        raise GateError(sentence(name, report))
    screen.warn(sentence(name, report))


def audit_metrics(report: Mapping[str, Any]) -> dict[str, float]:
    """`reward_audit/…`: every number of the terms and of the families."""
    return {f"reward_audit/{name}": value for part in ("terms", "families") for name, value in _numbers(report[part])}


def tell_prompts(metrics: Mapping[str, float], screen: Screen) -> None:
    """How many distinct prompts a training meets, as a share of the data."""
    if "train/prompts_seen" in metrics:
        seen, share = metrics["train/prompts_seen"], metrics["train/prompts_share"]
        screen.say(f"  the policy met {seen:.0f} distinct prompts, {share:.0%} of the training questions")


def tell_embedded(config: Config, screen: Screen) -> None:
    """Say so where tiny scorers, which know the generated world only, judged a user's own questions."""
    if names := embedded_asked(config):
        keys = ", ".join(f"reward.scorers.{name}.path" for name in names)
        screen.warn(f"{keys}: not set; the embedded models were asked, which know the generated world only. Name real ones.")


def tell_gold(config: Config, screen: Screen) -> None:
    """Say so where the gold reward is a term that is trained on: it then proves nothing."""
    trained = [name for name, term in config.reward.terms.items() if term["fn"] == config.reward.gold.get("fn")]
    if trained:
        screen.warn(
            f"reward.gold.fn={config.reward.gold['fn']} is what the term {trained[0]} is trained on, so gold proves nothing; "
            "set reward.gold.fn to another score, for example answer.f1."
        )


def tell_divergence(metrics: Mapping[str, float], tracker: Tracker, screen: Screen) -> None:
    """The named warning where the proxy rose on held-out prompts and the gold reward did not."""
    if not metrics.get("gold/divergence"):
        return
    tracker.tag(DIVERGENCE, "true")
    change = {name: _change(metrics, f"gold/{name}") for name in ("proxy", "reward")}
    screen.warn(
        f"{DIVERGENCE}: on held-out prompts the proxy rose ({change['proxy']}) and the gold reward did not "
        f"({change['reward']}); the policy may be paid for something else than better answers: read the completions, and audit "
        "the rewards."
    )


def _change(metrics: Mapping[str, float], name: str) -> str:
    first, last = metrics[f"{name}_first"], metrics[f"{name}_last"]
    return (
        f"{first:.2f} to {last:.2f}, change {metrics[f'{name}_delta_ci_low']:+.2f} to {metrics[f'{name}_delta_ci_high']:+.2f}"
    )


def _numbers(tree: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, float]]:
    for key, value in tree.items():
        if isinstance(value, Mapping):
            yield from _numbers(value, f"{prefix}{key}/")
        elif isinstance(value, int | float):
            yield f"{prefix}{key}", float(value)
