"""Asking: items are gathered once, a respondent answers them, and every single answer is kept."""

import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, replace
from itertools import islice
from pathlib import Path
from typing import Any

from trivium.data.contamination import Hit, scan
from trivium.data.jsonl import read_samples
from trivium.evaluation import persona
from trivium.evaluation.items import LONGEST, EvalItems, Measure, Scores, measured
from trivium.evaluation.respondents import Respondent
from trivium.evaluation.suites import Item, Part, load, require_distinct
from trivium.evaluation.voice import Voice, voice_of
from trivium.sample import Sample, band
from trivium.schema import BANDS, CoherenceEvaluation, DatasetConfig, EvaluationConfig, PersonaEvaluation
from trivium.scores.answer import exact
from trivium.scores.completion import split
from trivium.scores.honesty import fact_exactness

Evaluation = EvaluationConfig | CoherenceEvaluation | PersonaEvaluation


def load_items(config: Evaluation, dataset: DatasetConfig, prepared: Path, voice: Voice | None = None) -> EvalItems:
    """The items of every suite that applies and the held-out documents or questions; items that training has seen are taken
    out. `voice` is what is known of a persona, by default that of the dataset.

    Raises `ConfigError` for a suite that cannot be read.
    """
    world = prepared / "world.json"
    items = EvalItems([], {})
    if isinstance(config, CoherenceEvaluation):
        items.questions = list(islice(read_samples(prepared / "heldout.jsonl"), config.questions))
    elif isinstance(config, EvaluationConfig) and config.perplexity:
        items.documents = _documents(config, prepared)
    for name in config.suites:
        parts = load(name, world if world.is_file() else None, config.seed)
        items.parts += parts
        if not parts:
            items.left_out.append(f"{name} (asks about a generated world)")
    require_distinct(items.parts)
    if isinstance(config, PersonaEvaluation):
        persona.gather(items, config, dataset, prepared, voice or voice_of(dataset))
    elif any(part.kind == "period" for part in items.parts):
        items.parts = [part for part in items.parts if part.kind != "period"]
        items.left_out.append("period (only evaluation=persona asks about a period)")
    if dataset.contamination.mode != "off":
        _take_out_seen(items, dataset, prepared)
    return items


def evaluate(respondent: Respondent, items: EvalItems, config: Evaluation, measure: Measure | None = None) -> Scores:
    """Ask everything of one respondent; `measure` scores its answers to held-out questions, save those of a persona, which
    brings its own judge.
    """
    scores = Scores()
    if isinstance(config, PersonaEvaluation):
        persona.ask(respondent, items, config, scores)
    elif items.questions and measure is not None:
        texts = respondent.complete(items.questions, config.max_new_tokens or LONGEST)
        scores.items, scores.answers["questions"] = measured(items.questions, measure(items.questions, texts), texts)
    for part in items.parts:
        rows = list(_choices(respondent, part) if part.kind == "choice" else _recalls(respondent, part, config))
        scores.answers[part.metric] = rows
        scores.items[part.metric] = {row["id"]: row["value"] for row in rows}
    for name, samples in items.documents.items():
        readings = respondent.read(samples)
        scores.readings[name] = {sample.id: reading for sample, reading in zip(samples, readings, strict=True)}
    return scores


def _choices(respondent: Respondent, part: Part) -> Iterator[dict[str, Any]]:
    for item, scores in zip(part.items, respondent.choose(part.items), strict=True):
        chosen = pick(scores)
        yield {**_shown(item), "scores": scores, "chosen": chosen, "value": float(chosen == item.right)}


def pick(scores: list[float]) -> int | None:
    """The index of the one highest score; None for a tie at the top or a score that is not a finite number.

    >>> pick([0.1, 0.3]), pick([0.3, 0.3]), pick([float("nan"), 0.3])
    (1, None, None)
    """
    if not all(map(math.isfinite, scores)):
        return None
    best = max(scores)
    return scores.index(best) if scores.count(best) == 1 else None


def _recalls(respondent: Respondent, part: Part, config: Evaluation) -> Iterator[dict[str, Any]]:
    """An answer that is given to most of the questions answers none of them, whatever words it holds."""
    texts = respondent.answer(part.items, config.max_new_tokens or LONGEST)
    times = Counter(texts)
    for item, text in zip(part.items, texts, strict=True):
        own = times[text] <= max(1, len(texts) / 2)
        yield {**_shown(item), "completion": text, "value": _recalled(item, text) if own else 0.0}


def _recalled(item: Item, text: str) -> float:
    """Whether a free answer states what it must: the right option and no other, or every fact and nothing to be avoided."""
    if not item.facts:
        return exact(text, item.answer, item.wrong)
    metadata = {"facts": [list(fact) for fact in item.facts], "contradictions": list(item.avoids)}
    found = fact_exactness(split(text), Sample(id=item.id, metadata=metadata))
    return float(found is not None and found >= 1.0)


def _shown(item: Item) -> dict[str, Any]:
    if item.facts:
        return {"id": item.id, "prompt": item.prompt, "facts": item.facts, "avoids": item.avoids}
    return {"id": item.id, "prompt": item.prompt, "options": [asdict(o) for o in item.options], "right": item.right}


def _documents(config: EvaluationConfig, prepared: Path) -> dict[str, list[Sample]]:
    """Held-out documents by authority band, at most so many each."""
    found: dict[str, list[Sample]] = {name: [] for name in BANDS}
    for sample in read_samples(prepared / "heldout.jsonl"):
        rows = found[band(sample.authority or 0.0)]
        if len(rows) < config.max_perplexity_samples:
            rows.append(sample)
    return {name: rows for name, rows in found.items() if rows}


def _take_out_seen(items: EvalItems, dataset: DatasetConfig, prepared: Path) -> None:
    questions = [(item.id, item.question) for part in items.parts for item in part.items]
    questions += [(sample.id, sample.question) for sample in items.questions]
    questions += [(wording.id, wording.text) for wording in items.persona.wordings] if items.persona else []
    rows = (text for sample in read_samples(prepared / "train.jsonl") for text in _shows(sample))
    hits: list[Hit] = scan([question for _, question in questions], rows, dataset.contamination)
    items.seen = [questions[hit.prompt][0] for hit in hits]
    seen = set(items.seen)
    items.parts = [replace(part, items=tuple(item for item in part.items if item.id not in seen)) for part in items.parts]
    items.parts = [part for part in items.parts if part.items]
    items.questions = [sample for sample in items.questions if sample.id not in seen]
    if items.persona:
        items.persona.take_out(seen)


def _shows(sample: Sample) -> Iterator[str]:
    """What training shows of a row: a document's text, or a conversation's turns, and the question by itself."""
    if not sample.messages:
        yield sample.text
        return
    yield "\n".join(message["content"] for message in sample.messages)
    yield sample.question
