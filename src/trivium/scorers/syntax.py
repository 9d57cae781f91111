"""Syntax by any spaCy pipeline."""

import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from trivium.errors import ModelError
from trivium.schema import ScorerConfig
from trivium.scorers.places import explained
from trivium.scores.ask import Parse, Syntax, Token
from trivium.scores.words import plain

LONGEST = 20_000
"""Characters of a text that are parsed unless another limit is given."""
_KEY = "reward.scorers.syntax.path"
_CHARACTERS_PER_WORD = 5
_OWN_NAMES = ("spacy.", "spacy-legacy.")


class Parser:
    """Answers `Parse` questions; what of a text is beyond `longest` characters is not read."""

    def __init__(self, pipeline: Any, batch_tokens: int, longest: int = LONGEST) -> None:
        self.failures: Counter[str] = Counter()
        self._pipeline, self._batch_tokens, self._longest = pipeline, batch_tokens, longest

    def __call__(self, questions: Sequence[Parse]) -> list[Syntax | None]:
        """The syntax of each text; None for one that the pipeline fails on for want of memory."""
        texts = [plain(question.text)[: self._longest] for question in questions]
        order = sorted(range(len(texts)), key=lambda i: len(texts[i]))
        found: list[Syntax | None] = [None] * len(texts)
        size = self._batch_size(texts)
        docs = self._pipeline.pipe([texts[i] for i in order], batch_size=size)
        for index, doc in zip(order, docs, strict=True):
            found[index] = syntax_of(doc)
        return found

    def _batch_size(self, texts: Sequence[str]) -> int:
        longest = max(map(len, texts), default=1) // _CHARACTERS_PER_WORD + 1
        return max(1, self._batch_tokens // longest)


def syntax_of(doc: Any) -> Syntax:
    """A spaCy document as `Syntax`. A lemma that the pipeline does not give is the word in lower case."""
    tokens = tuple(Token(t.text, t.lemma_ or t.lower_, _pos(t), t.dep_, t.head.i) for t in doc)
    sentences = tuple((s.start, s.end) for s in doc.sents) if doc.has_annotation("SENT_START") else ()
    parsed = doc.has_annotation("DEP") and doc.has_annotation("POS")
    chunks = tuple((c.start, c.end) for c in doc.noun_chunks) if parsed else ()
    return Syntax(tokens, sentences, chunks, tuple((e.start, e.end, e.label_) for e in doc.ents))


def _pos(token: Any) -> str:
    return "SPACE" if token.is_space else str(token.pos_)


def load_syntax(config: ScorerConfig, path: str) -> Parser:
    """The pipeline of a folder or an installed package, made of spaCy's own parts; `ModelError` where it cannot be used."""
    folder = _folder(path)
    _require_own_parts(folder)
    if config.device != "cpu":
        raise ModelError(f"reward.scorers.syntax.device is {config.device}; the parser runs on the CPU: set it to cpu.")
    with warnings.catch_warnings(), explained(path, "syntax", "it may be damaged, or made for another version of spaCy"):
        warnings.simplefilter("ignore")
        import spacy

        pipeline = spacy.load(folder)
    if "parser" not in pipeline.pipe_names:
        raise ModelError(
            f"{_KEY}: {path} has no parser (it has {', '.join(pipeline.pipe_names) or 'nothing'}); name one that has."
        )
    return Parser(pipeline, config.batch_tokens)


def _folder(path: str) -> Path:
    """The folder of a pipeline: `path` itself, or that of the installed package of this name, which is not imported."""
    folder = Path(path).expanduser()
    if folder.is_dir():
        if not (folder / "config.cfg").is_file():
            raise ModelError(f"{_KEY}: {path} has no config.cfg, so it is not a spaCy pipeline; name the folder that has it.")
        return folder
    spec = find_spec(path) if path.isidentifier() else None
    if spec is not None and spec.submodule_search_locations:
        package = Path(next(iter(spec.submodule_search_locations)))
        for file in sorted(package.glob("*/config.cfg")):
            return file.parent
        raise ModelError(f"{_KEY}: the package {path} holds no spaCy pipeline; name one that does, or a folder.")
    raise ModelError(
        f"{_KEY}: there is no folder and no installed package {path}; install it with "
        f"`python -m spacy download {Path(path).name}`, or set it to a pipeline's folder, or to null for the embedded one."
    )


def _require_own_parts(folder: Path) -> None:
    """Raise `ModelError` where a pipeline needs more than spaCy's own components, so that no other code is run."""
    from thinc.api import Config

    try:
        config = Config().from_disk(folder / "config.cfg", interpolate=False)
    except (OSError, ValueError) as error:
        raise ModelError(f"{_KEY}: {folder / 'config.cfg'} cannot be read ({' '.join(str(error).split())[:200]}).") from error
    allowed = _own_factories()
    for name, component in dict(config.get("components", {})).items():
        factory = component.get("factory")
        if factory not in allowed:
            raise ModelError(
                f"{_KEY}: the component {name} of {folder} is made by {factory or component.get('source')}, which is not "
                f"spaCy's own; allowed are {', '.join(sorted(allowed))}. Name another pipeline, such as en_core_web_sm."
            )
    for place, made in _registered({key: config.get(key, {}) for key in ("nlp", "components")}, ""):
        if not made.startswith(_OWN_NAMES):
            raise ModelError(f"{_KEY}: {place} of {folder} is {made}, which is not spaCy's own; name another pipeline.")


def _own_factories() -> set[str]:
    """The names of the components that come with spaCy."""
    import spacy
    from spacy.util import registry

    spacy.blank("en")
    return {name for name, make in registry.factories.get_all().items() if make.__module__.startswith("spacy.")}


def _registered(section: Any, place: str) -> Iterator[tuple[str, str]]:
    """The places in a pipeline's configuration that name a registered function, with that name."""
    for key, value in section.items() if isinstance(section, dict) else ():
        where = f"{place}.{key}" if place else str(key)
        if str(key).startswith("@"):
            yield where, str(value)
        yield from _registered(value, where)
