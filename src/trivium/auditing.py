"""`task=audit`: what the rewards pay, or what each term of the loss does, found out without training."""

from dataclasses import replace
from pathlib import Path

from trivium import stages, summary
from trivium.console import Screen
from trivium.errors import GateError
from trivium.recording import recorded
from trivium.result import Result
from trivium.schema import Config, DatasetConfig
from trivium.tracking import Tracker, open_tracker


def run(config: Config, out: Path, label: str) -> None:
    """`task=audit`: with rewards, what attacks they pay; else what each loss term's gradient does on one real batch.

    Raises `GateError` naming the attacks that beat the median genuine answer, or the terms whose gradient is exactly zero.
    """
    screen, result = Screen(), Result(config.task, config.name)
    with recorded(config, out, result), open_tracker(config, out, f"audit {label}") as tracker:
        result.mlflow_run_id = tracker.run_id
        (_audit_rewards if config.reward.terms else _audit_loss)(config, out, screen, result, tracker)


def _audit_loss(config: Config, out: Path, screen: Screen, result: Result, tracker: Tracker) -> None:
    from trivium.audit import audit

    prepared = stages.prepare(config, screen)
    report = audit(config, stages.base_model(config, screen)[0], prepared.folder)
    summary.write_audit(report, out, screen)
    result.add(summary.audit_metrics(report))
    tracker.metrics(result.metrics)
    if report["failed"]:
        raise GateError(summary.audit_sentence(config.loss.name, report))


def _audit_rewards(config: Config, out: Path, screen: Screen, result: Result, tracker: Tracker) -> None:
    from trivium.rewards import telling

    if config.dataset.kind != "questions":
        screen.warn(f"dataset={config.dataset.name} holds no questions; the rewards are tried on the embedded micro_qa.")
        config = replace(config, dataset=DatasetConfig(name="micro_qa", kind="questions", generator="micro_qa"))
    report = stages.audit_rewards(config, stages.prepare(config, screen), screen)
    telling.tell_embedded(config, screen)
    telling.write_audit(report, out, screen)
    result.add(telling.audit_metrics(report))
    tracker.metrics(result.metrics)
    tracker.artifact(out / "reward_audit.json")
    telling.judge_audit("strict", config.reward.name, report, screen)
    screen.say(f"reward={config.reward.name}: no attack beats the median genuine answer")
