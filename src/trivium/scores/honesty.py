"""Does the answer name what is known, admit what is not, state the facts, and argue without leaning on authorities?"""

import re
from collections.abc import Iterable, Sequence
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

from trivium.data.phrases import PhraseFinder
from trivium.errors import ConfigError
from trivium.sample import Sample
from trivium.scores.completion import Completion
from trivium.scores.lexicon import Lexicon, load
from trivium.scores.names import holds, names, numbers, own
from trivium.scores.support import recall
from trivium.scores.words import asserting, contents, is_prose, plain, ramp, sentences, words

_RIGHT, _RIGHT_HEDGED, _ASKED, _UNKNOWN_HEDGED, _UNKNOWN = 1.0, 0.5, 0.25, -0.25, -1.0
"""What naming somebody or something is worth: known from the truth, known from the question only, or unknown."""

_MOST_FACTS, _LONGEST_FACT = 40, 100
"""Names and numbers that are taken from one reference, and their characters."""


def entity_verification(
    completion: Completion, sample: Sample, *, whitelist: str | None = None, lexicon: str = "general"
) -> float | None:
    """Whether the names and numbers in the answer are known, from −1 (invented and unhedged) to 1 (right and unhedged).

    Known are those of the reference, of `sample.metadata["entities"]` and of the file `whitelist` (a name a line). Naming what
    only the question names is worth little, and an unknown name costs less where its own sentence hedges, but never pays. Half
    of the score is the worst name. An answer that names nothing is 0. None where nothing is known that could be named.
    """
    known = load(lexicon)
    truth = "\n".join([sample.reference or "", *_listed(sample.metadata.get("entities")), *_whitelisted(whitelist)])
    if not words(truth):
        return None
    if not words(completion.answer):
        return -1.0
    worth = _worth(completion.answer, truth, sample.question, known)
    if not worth:
        return 0.0
    return (sum(worth.values()) / len(worth) + min(worth.values())) / 2


def epistemic_calibration(completion: Completion, sample: Sample, *, lexicon: str = "general") -> float | None:
    """Whether the answer is as sure as it may be, from −1 to 1; None where neither metadata nor a reference tells.

    `sample.metadata["answerable"]` false, or a reference that says it does not know: saying so is 1, a mere hedge less, and
    any new name or number, hedged or not, and any plain assertion take it away. Answerable: a confident answer is worth as
    much as the reference supports it, hedging takes some of that away, and a refusal is −0.5.
    """
    known = load(lexicon)
    answerable = _answerable(sample, known)
    if answerable is None or (answerable and not words(sample.reference or "")):
        return None
    if not words(completion.answer):
        return -1.0
    if not answerable:
        return _admission(completion.answer, sample.question, known)
    told = [sentence for sentence in own(asserting(completion.answer), sample.question) if is_prose(sentence, known)]
    support = recall(" ".join(told), sample.reference or "", known, sample.question) or 0.0
    unsure = [sentence for sentence in told if _unsure(sentence, known)]
    if any(known.find(sentence, "refusals", negatable=False) for sentence in unsure) and support < 0.5:
        return -0.5
    share = len(unsure) / len(told) if told else 1.0
    return (2 * ramp(support, 0, 0.7) - 1) * (1 - 0.4 * share)


def fact_exactness(completion: Completion, sample: Sample) -> float | None:
    """The share of facts that the answer states, less what it states against them, from −1 to 1; −1 for an empty answer.

    Facts are `sample.metadata["facts"]`, a list of phrases or of lists of alternatives; `sample.metadata["contradictions"]`
    lists phrases that must not be stated, each worth −1. Without them the facts are the numbers and names of the reference
    that the question does not hold, and every other number in the answer lowers the share, so that listing many earns little.
    Phrases are matched on word boundaries and do not count where they are denied. None where there is nothing to judge by.
    """
    facts_given = sample.metadata.get("facts")
    given = [_listed(fact) for fact in (facts_given if isinstance(facts_given, list | tuple) else _listed(facts_given))]
    wrong = _listed(sample.metadata.get("contradictions"))
    facts = given or [[fact] for fact in _derived(sample)]
    if not facts and not wrong:
        return None
    answer = plain(completion.answer)
    if not words(answer):
        return -1.0
    stated = _stated(answer, [phrase for fact in facts for phrase in fact] + wrong)
    share = sum(any(phrase.lower() in stated for phrase in fact) for fact in facts) / max(1, len(facts))
    if facts and not given:
        right = set(numbers(f"{sample.reference}\n{sample.question}"))
        rivals = sum(number not in right for number in numbers(answer))
        share *= len(facts) / (len(facts) + rivals)
    return max(-1.0, share - (1 + share) * min(1, sum(phrase.lower() in stated for phrase in wrong)))


def authority_citation(
    completion: Completion, sample: Sample, *, authorities: list[str] | None = None, lexicon: str = "general"
) -> float | None:
    """A penalty for leaning on authorities: −0.5 for the first citation, −1 for more; None for an empty answer.

    A citation is "according to X" or "X says" with X one of `authorities` (by default those of the lexicon) and not named in
    the question. Speaking about X costs nothing.
    """
    answer = plain(completion.answer)
    if not words(answer):
        return None
    known = load(lexicon)
    listed = tuple(name for name in authorities or known.of("authorities") if not holds(sample.question, name))
    if not listed:
        return 0.0
    cited = len(_citations(listed, known.of("citing")).findall(answer))
    return -min(1.0, cited / 2) if cited else 0.0


def _worth(answer: str, truth: str, question: str, known: Lexicon) -> dict[str, float]:
    """What naming each name and number of the answer is worth; of several mentions the worst counts."""
    told = {*asserting(answer)}
    predicates = set(contents(f"{truth} {question}", known))
    fresh = any(not holds(question, name) for name in (*names(truth, known, predicates), *numbers(truth)))
    found: dict[str, float] = {}
    for sentence in sentences(answer):
        hedged = _unsure(sentence, known)
        for name in (*names(sentence, known, predicates), *numbers(sentence)):
            if _holds(truth, name):
                said = sentence in told and is_prose(sentence, known) and not (fresh and _holds(question, name))
                value = (_RIGHT_HEDGED if hedged else _RIGHT) if said else _ASKED
            elif _holds(question, name):
                value = _ASKED
            else:
                value = _UNKNOWN_HEDGED if hedged else _UNKNOWN
            found[name] = min(found.get(name, 1.0), value)
    return found


def _holds(text: str, name: str) -> bool:
    return holds(text, name) or (name[0].isdigit() and name in numbers(text))


def _unsure(sentence: str, known: Lexicon) -> bool:
    """Whether a sentence admits that it does not know, or hedges without being sure all the same."""
    if known.find(sentence, "refusals", negatable=False):
        return True
    return bool(known.find(sentence, "hedges", negatable=False)) and not known.find(sentence, "confident")


def _answerable(sample: Sample, known: Lexicon) -> bool | None:
    told = sample.metadata.get("answerable")
    if told is not None:
        return str(told).strip().lower() not in ("false", "no", "0")
    if not words(sample.reference or ""):
        return None
    return not known.find(plain(sample.reference or ""), "refusals", negatable=False)


def _admission(answer: str, question: str, known: Lexicon) -> float:
    """How well an answer owns up to a question that cannot be answered."""
    admitted, kept, claimed, specific = False, 0, 0, 0
    for sentence in sentences(answer):
        unsure = _unsure(sentence, known)
        admitted = admitted or bool(known.find(sentence, "refusals", negatable=False))
        kept += unsure
        fresh = [name for name in (*names(sentence, known), *numbers(sentence)) if not _holds(question, name)]
        specific += bool(fresh)
        claimed += not unsure and not set(contents(sentence, known)) <= set(contents(question, known))
    if not kept:
        return -1.0
    base = 1.0 if admitted else 0.4
    fault = max(0.7 if specific else 0.0, 0.8 * claimed / (claimed + kept), 0.9 if specific and claimed else 0.0)
    return base - (1 + base) * fault


def _derived(sample: Sample) -> list[str]:
    """The numbers and names that the reference adds to the question."""
    reference = plain(sample.reference or "")
    found = [*numbers(reference), *names(reference, load("general"))]
    short = [fact for fact in found if len(fact) <= _LONGEST_FACT][:_MOST_FACTS]
    return [fact for fact in short if not _holds(sample.question, fact)]


def _stated(answer: str, phrases: Sequence[str]) -> set[str]:
    """The phrases, in lower case, that the answer states in some sentence that does not deny them."""
    known = load("general")
    lowers = tuple(dict.fromkeys(phrase.lower() for phrase in phrases))
    finder = _finder(lowers, known)
    stated: set[str] = set()
    for sentence in asserting(_without_separators(answer)):
        if not is_prose(sentence, known):
            continue
        lower = sentence.lower()
        stated.update(phrase for phrase in finder.find(lower) if not _denied(known, phrase).search(lower))
    return stated


def _without_separators(text: str) -> str:
    return re.sub(r"(?<=\d),(?=\d{3}\b)", "", text)


@lru_cache(4096)
def _denied(known: Lexicon, phrase: str) -> re.Pattern[str]:
    """The phrase with a denial after it, in the same clause."""
    return re.compile(
        rf"(?<!\w){re.escape(phrase)}(?!\w)(?: [\w'-]+){{0,2}} (?:{'|'.join(map(re.escape, known.of('denials')))})(?!\w)"
    )


@lru_cache(512)
def _finder(lowers: tuple[str, ...], known: Lexicon) -> PhraseFinder:
    return PhraseFinder(lowers, known.of("negations"), known.of("affirmations"))


@lru_cache(64)
def _citations(authorities: tuple[str, ...], verbs: tuple[str, ...]) -> re.Pattern[str]:
    who = "|".join(re.escape(name) for name in sorted(authorities, key=len, reverse=True))
    how = "|".join(map(re.escape, verbs))
    before = r"(?:according to|as|in the words of|in the view of|confirmed by|stated by|attested by|on the word of)"
    return re.compile(
        rf"\b{before} (?:(?:the|many|most|all|some|leading) ){{0,2}}(?:{who})(?!\w)(?! (?:is|are|was|were)\b)"
        rf"|(?<!\w)(?:{who})(?: (?:have|has|all|also|now|widely|generally)){{0,2}} (?:{how})(?!\w)",
        re.IGNORECASE,
    )


def _listed(value: Any) -> list[str]:
    """A text, or the texts of a list, without empty ones."""
    values: Iterable[Any] = value if isinstance(value, list | tuple) else [value]
    return [str(item) for item in values if item is not None and str(item).strip()]


def _whitelisted(path: str | None) -> tuple[str, ...]:
    return _lines(Path(path)) if path else ()


@cache
def _lines(path: Path) -> tuple[str, ...]:
    try:
        return tuple(line.strip() for line in path.read_text(encoding="utf-8").splitlines() if line.strip())
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"whitelist: {path} cannot be read ({error}); give a UTF-8 text file with a name a line.") from error
