"""Sentences of the small world with their syntax: trees in ClearNLP's labels, from which the tiny parser learns."""

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from trivium.data.logic_world import KINDS, NAMES, PROPERTIES, Property, plural


@dataclass
class Node:
    """A word with its tag, its label, and what hangs on it before and after."""

    word: str
    tag: str
    dep: str
    before: "list[Node]" = field(default_factory=list)
    after: "list[Node]" = field(default_factory=list)


class Tree(NamedTuple):
    """Words of a sentence, their tags, labels, and the positions of their heads (a root's own)."""

    words: list[str]
    tags: list[str]
    deps: list[str]
    heads: list[int]


def tree(root: Node) -> Tree:
    """A node and all below it, in the order of the sentence, the first word with a capital."""
    found = Tree([], [], [], [])
    _place(root, found)
    found.words[0] = found.words[0][:1].upper() + found.words[0][1:]
    return found


def _place(node: Node, into: Tree) -> int:
    left = [_place(child, into) for child in node.before]
    here = len(into.words)
    for column, value in zip(into[:3], (node.word, node.tag, node.dep), strict=True):
        column.append(value)
    into.heads.append(here)
    for child in (*left, *(_place(child, into) for child in node.after)):
        into.heads[child] = here
    return here


def sentence(rng: random.Random) -> Tree:
    """A random sentence: a claim in either wording, a conclusion with its reason, a question, or filler."""
    form = rng.random()
    if form < 0.25:
        root = _claim(rng)
    elif form < 0.5:
        root = _reasoned(rng)
    elif form < 0.6:
        root = _joined(rng)
    elif form < 0.72:
        root = _question(rng)
    else:
        return tree(_general(rng))
    root.after.append(Node("?" if form >= 0.6 else ".", ".", "punct"))
    return tree(root)


def _claim(rng: random.Random, dep: str = "ROOT") -> Node:
    form, what, kind = rng.random(), rng.choice(PROPERTIES), rng.choice(KINDS)
    holds = rng.random() < 0.5
    if form < 0.2:
        return Node("is", "VBZ", dep, [_name(rng, "nsubj")], [*_not(holds), _thing("a", kind, "attr")])
    if form < 0.35:
        to = Node("to", "IN", "prep", after=[_thing("the", plural(kind), "pobj", "NNS")])
        return _verb("belongs", "belong", holds, _name(rng, "nsubj"), [to], dep)
    if form < 0.55:
        return _does(what, holds, _name(rng, "nsubj"), dep)
    if form < 0.75:
        return _passive(what, holds, _name(rng, "pobj"), dep)
    found = Node(what.does.split()[0], "VBZ", dep, after=[_noun(what, "dobj")])
    subject = _thing("a" if form < 0.88 else "every" if holds else "no", kind, "nsubj")
    found.before = [subject]
    if form < 0.88:
        found.before.append(Node("always", "RB", "advmod") if holds else Node("never", "RB", "neg"))
    return found


def _reasoned(rng: random.Random) -> Node:
    """`Yes, X does, because A and B`, and other orders of the same."""
    root, first, second = _claim(rng), _claim(rng, "advcl"), _claim(rng, "conj")
    first.before.insert(0, Node(rng.choice(("because", "since")), "IN", "mark"))
    first.after += [*_comma(rng, 0.3), Node("and", "CC", "cc"), second]
    if rng.random() < 0.25:
        root.before = [first, Node(",", ",", "punct"), *root.before]
    else:
        root.after += [*_comma(rng, 0.8), first]
    if first in root.after and rng.random() < 0.6:
        root.before = [Node(rng.choice(("yes", "no")), "UH", "intj"), Node(",", ",", "punct"), *root.before]
    return root


def _joined(rng: random.Random) -> Node:
    """Two claims in one sentence, or one after a connective."""
    root = _claim(rng)
    if rng.random() < 0.5:
        root.after += [*_comma(rng, 0.5), Node(rng.choice(("and", "but")), "CC", "cc"), _claim(rng, "conj")]
    else:
        root.before.insert(0, Node(rng.choice(("so", "therefore", "thus")), "RB", "advmod"))
    return root


def _question(rng: random.Random) -> Node:
    what, kind = rng.choice(PROPERTIES), rng.choice(KINDS)
    form = rng.random()
    if form < 0.7:
        subject = _name(rng, "nsubj") if form < 0.5 else _thing("a", kind, "nsubj")
        return Node(what.do.split()[0], "VB", "ROOT", [Node("does", "VBZ", "aux"), subject], [_noun(what, "dobj")])
    if form < 0.85:
        return Node("is", "VBZ", "ROOT", [Node("what", "WP", "attr")], [_name(rng, "nsubj")])
    return Node(what.does.split()[0], "VBZ", "ROOT", [_thing("which", kind, "nsubj", det="WDT")], [_noun(what, "dobj")])


_WORDS = {
    "adjective": "old quiet new small large good important difficult careful long bright heavy early common strange",
    "noun": "house river teacher town book plan chapter question answer idea city history student method result reason",
    "past": "described found studied visited wrote changed measured explained bought noticed",
    "verb": "describe find study visit write change measure explain buy notice help",
    "adverb": "slowly often carefully again quickly now later",
    "preposition": "in near of with from about for after",
    "pronoun": "it he she they we you I",
    "modal": "can will should may",
    "many": "some many two several",
    "article": "the the a this",
}
_TAGS = {
    "adjective": "JJ", "past": "VBD", "verb": "VB", "adverb": "RB", "preposition": "IN", "pronoun": "PRP", "modal": "MD",
    "many": "JJ", "article": "DT",
}  # fmt: skip


def _pick(rng: random.Random, sort: str, dep: str) -> Node:
    """A random word of a sort."""
    return Node(rng.choice(_WORDS[sort].split()), _TAGS[sort], dep)


def _general(rng: random.Random) -> Node:
    """Plain English about nothing in particular."""
    form = rng.random()
    end = Node(rng.choice(".......!"), ".", "punct")
    if form < 0.3:
        return Node("is", "VBZ", "ROOT", [_phrase(rng, "nsubj")], [_pick(rng, "adjective", "acomp"), end])
    if form < 0.4:
        found = _pick(rng, "verb", "ROOT")
        found.before, found.after = [_subject(rng), _pick(rng, "modal", "aux")], [_phrase(rng, "dobj"), end]
        return found
    if form < 0.55:
        there = [Node("there", "EX", "expl")]
        return Node("are", "VBP", "ROOT", there, [_phrase(rng, "attr", many=True), end])
    found = _pick(rng, "past", "ROOT")
    found.before, found.after = [_subject(rng)], [_phrase(rng, "dobj")]
    found.after += [_pick(rng, "adverb", "advmod"), end] if rng.random() < 0.3 else [end]
    return found


def _subject(rng: random.Random) -> Node:
    return _pick(rng, "pronoun", "nsubj") if rng.random() < 0.4 else _phrase(rng, "nsubj")


def _phrase(rng: random.Random, dep: str, many: bool = False, depth: int = 0) -> Node:
    """A noun with its article, adjectives and a prepositional phrase."""
    before = [_pick(rng, "many", "amod") if many else _pick(rng, "article", "det")]
    if rng.random() < 0.4:
        before.append(_pick(rng, "adjective", "amod"))
    noun = rng.choice(_WORDS["noun"].split())
    found = Node(f"{noun}s" if many else noun, "NNS" if many else "NN", dep, before)
    if depth < 1 and rng.random() < 0.35:
        found.after = [_pick(rng, "preposition", "prep")]
        found.after[0].after = [_phrase(rng, "pobj", depth=depth + 1)]
    return found


def _name(rng: random.Random, dep: str) -> Node:
    return Node(rng.choice(NAMES), "NNP", dep)


def _thing(article: str, noun: str, dep: str, tag: str = "NN", det: str = "DT") -> Node:
    return Node(noun, tag, dep, [Node(article, det, "det")])


def _noun(what: Property, dep: str) -> Node:
    return Node(what.do.split()[1], "NN", dep)


def _not(holds: bool) -> list[Node]:
    return [] if holds else [Node("not", "RB", "neg")]


def _comma(rng: random.Random, share: float) -> list[Node]:
    return [Node(",", ",", "punct")] if rng.random() < share else []


def _verb(does: str, do: str, holds: bool, subject: Node, after: Sequence[Node], dep: str) -> Node:
    if holds:
        return Node(does, "VBZ", dep, [subject], list(after))
    return Node(do, "VB", dep, [subject, Node("does", "VBZ", "aux"), *_not(False)], list(after))


def _does(what: Property, holds: bool, subject: Node, dep: str) -> Node:
    return _verb(what.does.split()[0], what.do.split()[0], holds, subject, [_noun(what, "dobj")], dep)


def _passive(what: Property, holds: bool, agent: Node, dep: str) -> Node:
    """`heat is carried by Zari`."""
    before = [_noun(what, "nsubjpass"), Node("is", "VBZ", "auxpass"), *_not(holds)]
    return Node(what.passive.split()[2], "VBN", dep, before, [Node("by", "IN", "agent", after=[agent])])
