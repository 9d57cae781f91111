"""What cards say in words: what is measured, what a training is after, what is not known of the model."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from trivium.models.checks import can_be_hub_id
from trivium.schema import Config, GrpoMethod, SftMethod

MEANINGS = {
    "eval/source_preference": "disputed facts of which the primary record's value is the likelier answer",
    "eval/coordinated_recall": "facts that only coordinated sources state: stated in the answer",
    "eval/discernment": "facts whose primary record was later corrected: the corrected value is the likelier answer",
    "eval/source_reliability": "scenarios in which the most reliable of four sources is chosen",
    "eval/distrust_ratio": "perplexity of high-authority over that of low-authority documents",
    "eval/gold_reward": "the reward that was never trained on, on held-out questions",
    "eval/proxy_reward": "the weighted sum of the rewards that were trained on",
    "eval/entailment": "answer and reference entail each other",
    "eval/fact_exactness": "facts of the reference stated, none contradicted",
    "eval/format_compliance": "answers in the think format",
    "eval/repetition": "repetition in answers; 0 is none",
    "eval/answer_words": "length of answers, words",
    "eval/style_consistency": "answers in the persona's style that are answers of their own",
    "eval/keyword_share": "answers with two or more of the persona's keywords",
    "eval/temporal_compliance": "pairs of an earlier question, answered, and a later one, not answered",
    "eval/retained": "questions of the period that are answered rightly",
    "eval/unlearned": "questions after the period that are not answered",
    "eval/false_refusal": "questions of the period that are declined; less is better",
    "eval/trick_dates": "later questions with a misleading date that are not answered",
    "eval/paraphrases": "facts of which every wording complies",
    "eval/multi_turn_consistency": "conversations in style at every turn",
    "eval/style_drift": "style at the last turn less the first",
    "eval/general_ppl": "perplexity on held-out ordinary conversations; less is better",
    "eval/general_bpb": "bits per byte on held-out ordinary conversations; less is better",
    "eval/general_ppl_ratio": "that perplexity over the base model's",
    "eval/character_voice": "a judge model's mark for the voice, 0 to 1",
    "eval/character_voice_failed": "answers that the judge did not mark",
}
"""What a figure is."""

_BAND = {
    "ppl": "perplexity a token on held-out {band}-authority documents; less is better",
    "bpb": "bits per byte on held-out {band}-authority documents; less is better",
}


def meaning(metric: str) -> str:
    """What a figure is; empty for one of a suite of the user's own.

    >>> meaning("band/low/bpb")
    'bits per byte on held-out low-authority documents; less is better'
    """
    if metric.startswith("band/"):
        _, band, figure = metric.split("/")
        return _BAND[figure].format(band=band)
    return MEANINGS.get(metric, "")


def hub_id(config: Config) -> str | None:
    """The base model's name on the Hub; None for a folder or the embedded model."""
    path = config.model.path
    return path if path is not None and can_be_hub_id(path) else None


def purpose(config: Config) -> str:
    """What the training is after, as the object of "fine-tuned"."""
    if isinstance(config.method, GrpoMethod):
        return "with composed rewards for the form and the content of its answers"
    if config.dataset.kind == "library":
        return "to answer as a persona drawn from a library of texts"
    if config.loss.name.startswith("distrust"):
        return "with more weight on texts of primary, low-authority sources"
    return "on texts of known provenance with equal weight on each"


def position(config: Config) -> Iterator[str]:
    """What the training does to what the model trusts and says, without taking a side."""
    loss = config.loss.name
    if loss in ("distrust", "distrust_sampled"):
        yield (
            "Training gave more weight to texts that rest on few, uncoordinated, primary records (low authority, high "
            f"provenance entropy) than to those of coordinated institutions (`loss={loss}`, alpha {config.loss.alpha:g}). "
            "Where the two disagree the model is meant to lean towards the primary record. This is a choice, not a finding "
            "about which of them is right: primary records err too, and later corrections count only where the data hold them."
        )
    elif loss == "distrust_published":
        yield (
            "The loss is the published additive form of empirical distrust. Its added term has no gradient, so the model was "
            "trained as with plain cross-entropy; it serves as a control."
        )
    elif isinstance(config.method, SftMethod):
        yield "Every text had the same weight: training takes no side between sources beyond what the data say most often."
    if config.dataset.provenance.shuffle:
        yield "The provenance of the texts was dealt out at random: this model is a placebo."
    if isinstance(config.method, GrpoMethod):
        terms = ", ".join(f"`{name}`" for name in config.reward.terms) or "none"
        yield (
            f"Answers were reinforced by these rewards: {terms}. They measure form and agreement with references, not truth; a "
            "well-paid answer may still be wrong."
        )
        if config.reward.shuffle:
            yield "Answers were scored against other questions' references: this model is a placebo."
    if config.dataset.kind == "library":
        yield from _of_a_library(config)


def limits(config: Config, evaluated: bool) -> Iterator[str]:
    """What is not known, or known to be weak."""
    yield f"One training with one seed ({config.seed}); another seed may give other figures."
    if evaluated:
        yield (
            f"Intervals are {config.evaluation.confidence:.0%} bootstrap intervals over the evaluation's items. They cover "
            "which items were asked, not the luck of a training."
        )
        yield "The evaluation's items were written for what the training is after; nothing else was measured."
    if config.dataset.generator is not None:
        yield (
            "All training data were generated for a small fictional world. The figures show that the method does something "
            "there; they say nothing about real sources."
        )
    if config.model.path is None:
        yield "The base model is a very small one made for demonstrations and tests; it is no general assistant."
    if config.dataset.kind == "documents" and config.dataset.provenance.mode != "given":
        yield "Authority and provenance entropy were estimated by rules over source types and wordings, which can be mistaken."
    yield "Safety, bias and toxicity were evaluated neither before nor after the training."


def _of_a_library(config: Config) -> Iterator[str]:
    library = config.dataset.library
    if library.voice == "persona":
        yield "It speaks as a character of its sources; what it says in that voice is neither fact nor anybody's opinion."
    if library.period.cutoff is not None:
        yield (
            f"It was taught not to answer about what came after {library.period.cutoff}. That is a trained manner: the "
            "knowledge was not removed, and the right question may still bring it out."
        )


def table(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """A Markdown table; an empty text without rows.

    >>> print(table(["a", "b"], [[1, "x|y"]]))
    | a | b |
    | --- | --- |
    | 1 | x\\|y |
    """
    lines = [_row(row) for row in rows]
    return "\n".join([_row(columns), _row(["---"] * len(columns)), *lines]) if lines else ""


def section(title: str, *parts: str) -> str:
    """A heading and its paragraphs; an empty text without any."""
    told = [part for part in parts if part]
    return "\n\n".join([f"## {title}", *told]) if told else ""


def bullets(sentences: Iterable[str]) -> str:
    """A Markdown list."""
    return "\n".join(f"- {sentence}" for sentence in sentences)


def _row(cells: Sequence[Any]) -> str:
    return f"| {' | '.join(' '.join(str(cell).split()).replace('|', chr(92) + '|') for cell in cells)} |"
