"""What is known of a voice: its markers, the words of its themes, how it declines; found in texts and masked out of them."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from trivium.schema import DatasetConfig
from trivium.scores.lexicon import load
from trivium.scores.words import plain, sentences, words

MASK = "¤"
"""What stands in a masked text wherever a marker or a theme word stood."""

DECLINES = Path(__file__).parent / "declines.yaml"
"""Ways to decline, of no particular voice."""

_SLOT = re.compile(r"\{\w*\}")
_LEAST = 3
"""Words of the shortest piece of a decline that tells one."""


def voice_of(dataset: DatasetConfig) -> "Voice":
    """The voice of a library's persona, with the themes of its lexicon; raises `ConfigError` where one cannot be read."""
    from trivium.data.library import themes
    from trivium.data.library.wordfinder import forms
    from trivium.generation.persona import load as load_persona

    persona = load_persona(dataset.library.persona)
    lexicon = themes.load(dataset.library.themes.lexicon)
    keywords = sorted({form for words in lexicon.words.values() for word in words for form in forms(word)})
    return Voice(persona.markers, keywords, persona.declines, " ".join([persona.description, *persona.rules]))


@dataclass(frozen=True)
class Voice:
    """A persona, as its judge sees it.

    `markers` are phrases of the voice, `themes` keywords of its subjects; `declines` are its ways of saying that it does not
    know, which may have `{slots}`; `description` is for a judge model.
    """

    markers: Sequence[str] = ()
    themes: Sequence[str] = ()
    declines: Sequence[str] = ()
    description: str = ""

    def mask(self, text: str) -> str:
        """The text in lower case, every marker and theme word replaced by the same sign.

        >>> Voice(["aye"], ["tide"]).mask("Aye, the tides turn.")
        '¤, the ¤ turn.'
        """
        return self._pattern.sub(MASK, plain(text).lower())

    def keywords(self, text: str) -> frozenset[str]:
        """The distinct markers and theme words in a text.

        >>> sorted(Voice(["aye"], ["tide"]).keywords("Aye, aye: the tide."))
        ['aye', 'tide']
        """
        return frozenset(match[1] for match in self._pattern.finditer(plain(text).lower()))

    def declined(self, text: str) -> bool:
        """Whether a text says that it does not know: in ordinary words, or by a piece of one of the voice's declines.

        >>> Voice().declined("I never heard of it."), Voice().declined("That lies beyond 1869.")
        (True, False)
        >>> Voice(declines=["That lies beyond {year}, {friend}."]).declined("Aye. That lies beyond 1869.")
        True
        """
        if load(str(DECLINES)).find(text, "refusals", "declines", negatable=False):
            return True
        said = _spoken(text)
        return any(piece in said for piece in self._pieces)

    @cached_property
    def _pattern(self) -> re.Pattern[str]:
        phrases = sorted({phrase.lower() for phrase in (*self.markers, *self.themes) if phrase.strip()}, key=len, reverse=True)
        return re.compile(rf"(?<!\w)({'|'.join(map(re.escape, phrases)) or '(?!)'})(?:'s|s)?(?!\w)")

    @cached_property
    def _pieces(self) -> frozenset[str]:
        parts = (part for frame in self.declines for text in _SLOT.split(frame) for part in sentences(text))
        return frozenset(_spoken(part) for part in parts if len(words(part)) >= _LEAST)


def _spoken(text: str) -> str:
    return f" {' '.join(words(text))} "
