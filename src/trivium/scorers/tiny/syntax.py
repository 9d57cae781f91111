"""The tiny parser: a spaCy pipeline of tagger and parser, taught on sentences of the small world in seconds."""

import random
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from trivium.data.logic_world import KINDS, PROPERTIES, plural
from trivium.scorers.tiny.grammar import Tree, sentence
from trivium.scorers.tiny.lessons import one_thread

_SENTENCES, _EPOCHS, _BATCH = 600, 5, 24
_WIDTH, _DEPTH, _ROWS = 48, 3, (1500, 500, 500, 300)
_POS = {
    "DT": "DET", "WDT": "DET", "NN": "NOUN", "NNS": "NOUN", "NNP": "PROPN", "PRP": "PRON", "WP": "PRON",
    "EX": "PRON", "VBZ": "VERB", "VB": "VERB", "VBN": "VERB", "VBD": "VERB", "VBP": "VERB", "MD": "AUX", "RB": "ADV",
    "JJ": "ADJ", "IN": "ADP", "CC": "CCONJ", "UH": "INTJ", ",": "PUNCT", ".": "PUNCT",
}  # fmt: skip
"""Universal parts of speech by tag; words in `_EXCEPTIONS` have their own."""
_EXCEPTIONS = {"is": "AUX", "are": "AUX", "does": "AUX", "not": "PART", "because": "SCONJ", "since": "SCONJ"}


def build_syntax(out: Path, seed: int, epochs: int = _EPOCHS) -> None:
    """Write the pipeline into `out` as an ordinary spaCy directory; the same seed gives the same weights."""
    with _own_randomness(seed), one_thread():
        pipeline = teach(random.Random(f"syntax {seed}"), epochs)
    pipeline.to_disk(out)


def teach(rng: random.Random, epochs: int) -> Any:
    """A pipeline trained on random sentences, one to three of them in a text."""
    import spacy

    pipeline = spacy.blank("en")
    pipeline.add_pipe("tok2vec", config={"model": _reading()})
    listening = {"@architectures": "spacy.Tok2VecListener.v1", "width": _WIDTH, "upstream": "*"}
    pipeline.add_pipe("tagger", config={"model": {"@architectures": "spacy.Tagger.v2", "tok2vec": listening}})
    pipeline.add_pipe("parser", config={"model": _moving(listening)})
    examples = [_example(pipeline, [sentence(rng) for _ in range(rng.choice((1, 1, 2, 3)))]) for _ in range(_SENTENCES)]
    optimizer = pipeline.initialize(lambda: examples)
    optimizer.learn_rate = 0.003
    for _ in range(epochs):
        rng.shuffle(examples)
        for start in range(0, len(examples), _BATCH):
            pipeline.update(examples[start : start + _BATCH], sgd=optimizer, drop=0.1)
    _add_rules(pipeline)
    return pipeline


def gold(pipeline: Any, trees: list[Tree]) -> Any:
    """A spaCy document of some sentences with their syntax."""
    from spacy.tokens import Doc

    starts = [sum(len(tree.words) for tree in trees[:i]) for i in range(len(trees))]
    words = [word for tree in trees for word in tree.words]
    spaces = [after[:1].isalnum() for after in [*words[1:], ""]]
    return Doc(
        pipeline.vocab,
        words=words,
        spaces=spaces,
        tags=[tag for tree in trees for tag in tree.tags],
        deps=[dep for tree in trees for dep in tree.deps],
        heads=[start + head for start, tree in zip(starts, trees, strict=True) for head in tree.heads],
    )


def _example(pipeline: Any, trees: list[Tree]) -> Any:
    from spacy.training import Example

    reference = gold(pipeline, trees)
    return Example(pipeline.make_doc(reference.text), reference)


def _reading() -> dict[str, Any]:
    """Word vectors from hashed features, read in context."""
    embed = {
        "@architectures": "spacy.MultiHashEmbed.v2",
        "width": _WIDTH,
        "attrs": ["NORM", "PREFIX", "SUFFIX", "SHAPE"],
        "rows": list(_ROWS),
        "include_static_vectors": False,
    }
    encode = {
        "@architectures": "spacy.MaxoutWindowEncoder.v2",
        "width": _WIDTH,
        "depth": _DEPTH,
        "window_size": 1,
        "maxout_pieces": 3,
    }
    return {"@architectures": "spacy.Tok2Vec.v2", "embed": embed, "encode": encode}


def _moving(listening: dict[str, Any]) -> dict[str, Any]:
    """The parser's own part."""
    return {
        "@architectures": "spacy.TransitionBasedParser.v2",
        "state_type": "parser",
        "extra_state_tokens": False,
        "hidden_width": 48,
        "maxout_pieces": 2,
        "use_upper": True,
        "tok2vec": listening,
    }


def _add_rules(pipeline: Any) -> None:
    """Parts of speech from the tags, and the base forms of the small world's words; after training, which would drop them."""
    rules = pipeline.add_pipe("attribute_ruler")
    for tag, pos in _POS.items():
        rules.add([[{"TAG": tag}]], {"POS": pos})
    for word, pos in _EXCEPTIONS.items():
        rules.add([[{"LOWER": word}]], {"POS": pos})
    for word, lemma in _lemmas().items():
        rules.add([[{"LOWER": word}]], {"LEMMA": lemma})


def _lemmas() -> dict[str, str]:
    verbs = {form: what.do.split()[0] for what in PROPERTIES for form in (what.does.split()[0], what.passive.split()[2])}
    return {**verbs, **{plural(kind): kind for kind in KINDS}, "is": "be", "are": "be", "does": "do", "belongs": "belong"}


@contextmanager
def _own_randomness(seed: int) -> Iterator[None]:
    """spaCy draws from the global generators; what they were is put back afterwards."""
    import numpy as np
    import torch
    from thinc.api import fix_random_seed

    python, numpy = random.getstate(), np.random.get_state()
    with torch.random.fork_rng():
        fix_random_seed(seed)
        try:
            yield
        finally:
            random.setstate(python)
            np.random.set_state(numpy)
