"""Is the answer built of sentences, about what was asked, that are joined by reasons, and of the right length?"""

from collections.abc import Iterable, Sequence
from functools import cache

from trivium.sample import Sample
from trivium.scores.ask import Asking, Embed, Token
from trivium.scores.clauses import Sentence, concepts, parses, read
from trivium.scores.completion import Completion
from trivium.scores.lexicon import Lexicon, load
from trivium.scores.names import holds
from trivium.scores.repetition import ngrams, repeated_share
from trivium.scores.words import contents, plain, ramp, sentences, spread, windows, words

_MARKS = frozenset(("advcl", "relcl", "acl", "acl:relcl", "ccomp", "advcl:relcl"))
_LEAST_JOINED = 3
"""Distinct concepts in a link of reason."""
_YES_NO = frozenset(
    [
        "is",
        "are",
        "was",
        "were",
        "do",
        "does",
        "did",
        "has",
        "have",
        "had",
        "can",
        "could",
        "will",
        "would",
        "shall",
        "should",
        "may",
        "might",
        "must",
        "am",
    ]
)


def structural_coherence(completion: Completion, sample: Sample) -> Asking:
    """The share of the answer that is well-formed sentences, from 0 to 1, less what is repeated; needs a parser.

    A sentence counts by its words: a clause with subject and verb, function words between the content words in a possible
    order, and an end. A list of words is near 0, and so is a text that says one sentence again and again.
    """
    parsed = yield parses(completion.answer)
    again = max(repeated_share(sentences(completion.answer.casefold())), repeated_share(ngrams(words(completion.answer), 4)))
    return _formed(read(parsed)) * (1 - ramp(again, 0.1, 0.6))


def topic_relevance(
    completion: Completion, sample: Sample, *, lexicon: str = "general", enough: float = 0.6, fallback: bool = True
) -> Asking:
    """How much of what the question is about the answer speaks of in sentences that assert, from 0 to 1; needs a parser.

    `enough` is the share of the question's concepts that earns 1. A sentence that asks, that is no well-formed clause, or that
    only repeats the question earns nothing. With `fallback` an answer that names too few of them is compared by embeddings as
    well, for up to 0.7. None where the question names no concept.
    """
    known = load(lexicon)
    asked, told = parses(sample.question), parses(completion.answer)
    parsed = yield [*asked, *told]
    question, answer = read(parsed[: len(asked)]), read(parsed[len(asked) :])
    topics = set().union(*(sentence.concepts(known) for sentence in _asking(question)))
    if not topics:
        return None
    saying = [sentence for sentence in answer if not sentence.asks and not _echoes(sentence, question, known)]
    covered = dict.fromkeys(topics, 0.0)
    for sentence in saying:
        for word in sentence.concepts(known) & topics:
            covered[word] = max(covered[word], sentence.quality)
    share = min(1.0, sum(covered.values()) / len(topics) / max(1e-9, enough))
    if not fallback or share >= 0.7 or not saying:
        return share
    said = "\n".join(" ".join(token.text for token in sentence.tokens) for sentence in saying)
    near = (yield from _nearness(sample.question, said)) or 0.0
    return max(share, 0.7 * max(sentence.quality for sentence in saying) * ramp(near, 0.15, 0.55))


def interconnection_depth(completion: Completion, sample: Sample, *, lexicon: str = "general", enough: int = 2) -> Asking:
    """How many links of reason the answer draws between concepts, as a share of `enough`, from 0 to 1; needs a parser.

    A link is a well-formed sentence in which an explaining phrase or a subordinate clause joins concepts to other concepts, or
    a sentence that such a phrase joins to the one before it. Words that fit any subject are no concepts, at least one concept
    must come from the question or the reference, and a link that is drawn again does not count again: not the number of marker
    words counts, but what they join.
    """
    known = load(lexicon)
    parsed = yield parses(completion.answer)
    anchors = set(contents(f"{sample.question} {sample.reference or ''}", known))
    answer = read(parsed)
    drawn: dict[frozenset[str], float] = {}
    before: set[str] = set()
    for sentence in answer:
        for left, right, strength in _links(sentence, before, sample.question, known):
            joined = frozenset(left | right)
            anchored = left and right and left != right and 4 * len(joined & anchors) >= len(joined)
            if anchored and len(joined) >= _LEAST_JOINED and not any(joined <= other for other in drawn):
                drawn[joined] = strength * sentence.quality
        before = sentence.concepts(known)
    return min(1.0, sum(drawn.values()) / max(1, enough)) * ramp(_formed(answer), 0, 0.5)


def completeness(
    completion: Completion, sample: Sample, *, lexicon: str = "general", least: float = 0.5, most: float = 1.5, spare: int = 20
) -> float | None:
    """Whether the answer is about as long as the reference, from 0 to 1; None without a reference.

    It rises with the distinct content words up to `least` times those of the reference, so that neither padding nor repetition
    fills it, and falls smoothly with all words beyond `most` times those of the reference (or `spare` words, if more).
    """
    expected = words(plain(sample.reference or ""))
    if not expected:
        return None
    known = load(lexicon)
    wanted = len(set(contents(sample.reference or "", known))) or 1
    stated, spoken = len(set(contents(completion.answer, known))), len(words(completion.answer))
    if not spoken:
        return 0.0
    allowed = max(most * len(expected), spare)
    filled = ramp(max(stated, 0.5), 0, max(0.5, least * wanted))
    return filled * min(1.0, (allowed / spoken) ** 2)


def _formed(answer: Sequence[Sentence]) -> float:
    """The mean quality of the sentences by their words, 0 where there is none."""
    total = sum(len(sentence.words) for sentence in answer)
    return sum(sentence.quality * len(sentence.words) for sentence in answer) / max(1, total)


def _echoes(sentence: Sentence, question: Sequence[Sentence], known: Lexicon) -> bool:
    """Whether a sentence is a run of the question's words, or holds no concept beyond one of the question's sentences.

    The assertion of what a question asks to be confirmed or denied is an answer to it.
    """
    said = _spoken(sentence)
    for other in question:
        if said in _spoken(other) or (other.asks and _spoken(other) in said):
            return True
    asking = _asking(question)
    return any(sentence.concepts(known) <= other.concepts(known) for other in asking if not _confirmable(other))


def _asking(question: Sequence[Sentence]) -> Sequence[Sentence]:
    """The sentences that ask; where there is none, such as in a request, the last one."""
    return [sentence for sentence in question if sentence.asks] or question[-1:]


def _confirmable(question: Sentence) -> bool:
    return question.words[0].text.lower() in _YES_NO


def _spoken(sentence: Sentence) -> str:
    return " ".join(["", *(token.text.lower() for token in sentence.words), ""])


def _nearness(question: str, said: str) -> Asking:
    """The mean cosine of what is said to the question."""
    parts = spread(windows(sentences(said), 120), 4)
    if not parts:
        return 0.0
    asked, *found = yield [Embed(plain(question)[:2000]), *map(Embed, parts)]
    return float(sum(float(asked @ vector) for vector in found) / len(found))


def _links(sentence: Sentence, before: set[str], question: str, known: Lexicon) -> Iterable[tuple[set[str], set[str], float]]:
    """What a sentence joins: the concepts on both sides, and how strongly (1 by a phrase, 0.5 by a clause).

    A sentence that asks, one of the question's own, and boilerplate join nothing.
    """
    tokens, text = sentence.tokens, _spoken(sentence)
    if sentence.asks or holds(question, text) or known.find(text, "boilerplate", negatable=False):
        return
    cuts = _cuts(tokens, known)
    for start, end in cuts:
        left, rest = tokens[:start], tokens[end:]
        if not concepts(left, known):
            yield before, concepts(rest, known), 1.0
            left, rest = _halves(rest)
        yield concepts(left, known), concepts(rest, known), 1.0
    if not cuts:
        for i, token in enumerate(tokens):
            if token.dep in _MARKS and i > 0:
                yield concepts(tokens[:i], known), concepts(tokens[i:], known), 0.5


def _halves(tokens: tuple[Token, ...]) -> tuple[tuple[Token, ...], tuple[Token, ...]]:
    """What a sentence that begins `If …,` or `Because …,` joins: what stands before the comma and after it."""
    comma = next((i for i, token in enumerate(tokens) if token.text == ","), 0)
    return tokens[:comma], tokens[comma:]


def _cuts(tokens: Sequence[Token], known: Lexicon) -> list[tuple[int, int]]:
    """Where explaining phrases stand, as spans of tokens."""
    lowers = [token.text.lower() for token in tokens]
    first = _by_first(known)
    found: list[tuple[int, int]] = []
    for i, word in enumerate(lowers):
        size = next((len(phrase) for phrase in first.get(word, ()) if phrase == tuple(lowers[i : i + len(phrase)])), 0)
        if size and (not found or i >= found[-1][1]):
            found.append((i, i + size))
    return found


@cache
def _by_first(known: Lexicon) -> dict[str, list[tuple[str, ...]]]:
    """The explaining phrases by their first word, the longest first."""
    found: dict[str, list[tuple[str, ...]]] = {}
    for phrase in sorted(known.words("explanatory"), key=len, reverse=True):
        found.setdefault(phrase.split()[0], []).append(tuple(phrase.split()))
    return found
