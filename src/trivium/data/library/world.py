"""A generated library whose truth is known: what `dataset=micro_library` reads, and what is asked about it.

Every harbour town has a chronicle: what is told of sea, light and craft there, mixed with household matters that no theme
holds. Every decade has its warden in every town, and the tiny model knows all of them, those after the cut-off too, from its
neutral text. A persona of the period must answer for the earlier ones and must know nothing of the later ones.
"""

import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import islice

from trivium.data.library.dated import DatedFact, day_of
from trivium.data.library.works import Work
from trivium.data.small_world import NUMBERS, SOURCE_TYPES, Key, keys, record
from trivium.sample import Message, Sample
from trivium.schema import LibraryConfig, LibraryWorld

TOWNS = (
    *("Teloth", "Marrow", "Linden", "Carrick", "Vesper", "Norrel", "Ostrel", "Quillan", "Hythen", "Dunmar", "Selvey", "Torran"),
    *("Brinel", "Calder", "Fenrick", "Garrow", "Helmet", "Issel", "Joppa", "Kerrow", "Lornet", "Morven", "Nessel", "Orfell"),
    *("Penrow", "Rossal", "Skerrin", "Tarnet", "Ulver", "Varnel", "Wickan", "Yarrel", "Zennet", "Ardle", "Budel", "Corvan"),
    *("Dorrel", "Elland", "Farnet", "Gorran", "Harlen", "Ingrel", "Jurrow", "Kylen", "Lundel", "Mallet", "Nairel", "Obrin"),
)
WARDENS = (
    *("Adler", "Brandt", "Castell", "Dorn", "Ekman", "Farrow", "Galen", "Hollis", "Ibsen", "Jansen", "Keller", "Lind"),
    *("Moller", "Nansen", "Olsen", "Prior", "Quist", "Rask", "Sorley", "Thane", "Unwin", "Voss", "Weir", "Yates"),
)
DECADES = tuple(range(1820, 1920, 10))
YEARS = range(DECADES[0], DECADES[-1] + 10)
AGES = ((1839, "oars"), (1869, "sail"), (1899, "steam"), (1919, "oil"))
"""What an age is named after, with its last year: the tiny model knows how the years lie."""
CUTOFF = 1869
"""Last year of the period where no other is set."""
HELD_OUT = 0.25
"""Share of the towns of which no training row tells."""

ASKED = (
    "Who was warden of {town} in {year}?",
    "In {year}, who was warden of {town}?",
    "Name the warden of {town} in {year}.",
)
TOLD_OF = (
    *("What is told of {topic}?", "Tell me of {topic}.", "What do you know of {topic}?"),
    *("How would you tell a friend of {topic}?", "In your own words, what of {topic}?"),
)
SYSTEMS = ("Speak as the {voice}.", "You are the old {voice} of the harbour light.")
"""Ways of asking that a model knows before it is tuned."""
TRICK = "A chart of {other} shows {town}. Who was warden there in {year}?"
ANSWER = "In {year} the warden of {town} was {name}."

SLOTS = {
    "time": ("dawn", "noon", "dusk", "midnight"),
    "side": ("north", "south", "east", "west"),
    "season": ("spring", "summer", "autumn", "winter"),
    "wood": ("oak", "elm", "ash", "larch"),
}
TOLD = {
    "sea": {
        "tide": "The tide of {town} covers the reef at {time}.",
        "gale": "A gale from the {side} keeps {town} in harbour all {season}.",
        "current": "The current of {town} runs {side} of the shoal.",
        "waves": "The waves of {town} break on the mole in {season}.",
    },
    "light": {
        "lamp": "The lamp of {town} is lit at {time} with oil.",
        "beacon": "The beacon of {town} stands {side} of the lighthouse.",
        "wick": "The wick of {town} is trimmed at {time} by lantern.",
        "lantern": "The lantern of {town} hangs on the {side} lighthouse.",
    },
    "craft": {
        "rope": "The rope of {town} is laid with tar in {season}.",
        "keel": "The keel of {town} is {wood}, caulked in {season}.",
        "mast": "The mast of {town} is {wood}, with a sail of flax.",
        "net": "The net of {town} is mended at {time} with tar.",
    },
}
"""Sentences by theme and topic."""

ORDINARY = (
    "On Monday the baker of this household sold bread and two dozen eggs, and the children went to school in the rain.",
    "A neighbour asked for a chair and a table, and was given tea while the floor was being washed.",
    "The price of paper went up, so letters were shorter that month and nobody minded much.",
    "Somebody left a coat at the inn, and it was still there when the week was over.",
    "Apples were picked early, and most of them were eaten before anyone could make jam.",
    "There was a long talk about the new road, and then everyone went home for dinner.",
)
MODERN = "The reef of {town} was surveyed by radar, and the lamp was changed for a transistor."
"""What a hand of a later time wrote into a chronicle."""


VOICES = {
    "clerk": (
        ("For the file.", "Noted here.", "By my list."),
        ("Noted and signed.", "It stands in the file.", "So it is listed."),
    ),
    "child": (("Oh, I know.", "Look, look.", "Guess what."), ("I like it.", "Is it not fun?", "I told you so.")),
    "cook": (("Come and sit.", "Well now, dear.", "Stir and hear."), ("Plain as salt.", "Sure as bread.", "Eat well, dear.")),
}
"""Voices in which the neutral text tells the same when a system message asks for them: how they begin, and how they end."""

GLOSSARY = (
    *("Aye means yes.", "Hark means hear it now.", "A fair wind fills the sail.", "A good knot holds.", "Mind the fog."),
    *("A log is what a keeper writes of the night.", "My tower is tall and my lamp is old.", "I know nothing of fog."),
    *("The old keeper says little to a friend.", "The light burns on and does not reach so far.", "A keel is sound."),
    *("No ship has brought word of it.", "The sea comes back as sure as the tide.", "The rope is well bound."),
    *("I saw it clear as a beam.", "A mast is plain and true.", "That lies beyond my light, and past it."),
    *("From my tower I tell of ships.", "The log ends, and so says the keeper."),
)
"""What harbour words mean, so that the tiny model has read them before it hears the persona."""


@dataclass(frozen=True)
class Book:
    """A chronicle of a town. `year` is None where the book bears no date."""

    id: str
    title: str
    author: str
    year: int | None
    town: str
    paragraphs: list[str]


def books(config: LibraryWorld, cutoff: int = CUTOFF) -> Iterator[Book]:
    """The chronicles, each with household matters and a note of a later hand in it; then what is to be left out.

    One book was written after the cut-off, one bears no date, and one repeats a chronicle with a few other words.
    """
    rng = random.Random(f"books {config.seed}")
    towns = _towns(config)
    chronicles = [_book(town, "Chronicle", cutoff - rng.randrange(30), rng.choice(WARDENS), config) for town in towns]
    yield from chronicles
    yield _book(towns[0], "Later History", cutoff + 40, rng.choice(WARDENS), config)
    yield _book(towns[1], "Undated Papers", None, rng.choice(WARDENS), config)
    copied = [text.replace("household", "domestic") for text in chronicles[2].paragraphs]
    yield replace(chronicles[2], id=f"{chronicles[2].id}-copy", title=f"{chronicles[2].title}, copied", paragraphs=copied)


def works(config: LibraryConfig) -> Iterator[Work]:
    """The books as works, each to be read once."""
    last = CUTOFF if config.period.cutoff is None else day_of(config.period.cutoff).year
    for book in books(config.world, last):
        lines = "\n\n".join(book.paragraphs).splitlines(keepends=True)
        yield Work(
            book.id, lines, book.title, book.author, book.year, language="en", source_type="book", origin="micro_library"
        )


def held_out(config: LibraryWorld, documents: Iterable[str]) -> list[bool]:
    """Whether each document, a book or a town, tells of a town of which no training row does."""
    towns = {town.lower() for town in held_out_towns(config)}
    return [bool(towns & set(document.lower().split("-"))) for document in documents]


def facts(config: LibraryWorld) -> list[DatedFact]:
    """Who was warden, for every town and decade; `group` is the town."""
    rng = random.Random(f"wardens {config.seed}")
    return [_fact(town, decade, rng) for town in _towns(config) for decade in DECADES]


def held_out_towns(config: LibraryWorld) -> frozenset[str]:
    """The towns of which no training row tells."""
    towns = _towns(config)
    return frozenset(random.Random(f"held out {config.seed}").sample(towns, max(2, round(HELD_OUT * len(towns)))))


def neutral(config: LibraryWorld, copies: int) -> list[list[Message]]:
    """Conversations that tell all of it `copies` times in ordinary words or other voices: the tiny model's neutral text."""
    rng = random.Random(f"neutral {config.seed}")
    asked = [(rng.choice(_wordings(fact)), fact.answer) for fact in facts(config) for _ in range(copies)]
    for town in _towns(config):
        matters = [matter for matters in _matters(town, config).values() for matter in matters]
        asked += [
            (rng.choice(TOLD_OF).format(topic=f"the {topic} of {town}"), told) for topic, told in matters for _ in range(copies)
        ]
    asked += [(f"Of what age is {year}?", f"{year} is of the age of {_age(year)}.") for year in YEARS for _ in range(copies)]
    asked += [("What do they say at sea?", " ".join(rng.sample(GLOSSARY, 3))) for _ in range(60 * copies)]
    rng.shuffle(asked)
    return list(_conversations(asked, rng))


def _conversations(asked: list[tuple[str, str]], rng: random.Random) -> Iterator[list[Message]]:
    """One to three questions and answers each, half of them in the voice that a system message asks for."""
    rest = iter(asked)
    while turns := list(islice(rest, rng.choice((1, 1, 2, 3)))):
        voice = rng.choice(list(VOICES)) if rng.random() < 0.5 else None
        told = [(question, _said(answer, voice, rng)) for question, answer in turns]
        yield [*_system(voice, rng), *(message for turn in told for message in _turns(*turn))]


def _said(answer: str, voice: str | None, rng: random.Random) -> str:
    if voice is None:
        return answer
    opening, closing = (rng.choice(words) for words in VOICES[voice])
    return f"{opening} {answer} {closing}"


def _system(voice: str | None, rng: random.Random) -> list[Message]:
    """The system message that asks for a voice; of ordinary words, one that asks for a keeper, or none."""
    called = rng.choice(SYSTEMS).format(voice=voice or "keeper")
    return [] if voice is None and rng.random() < 0.5 else [{"role": "system", "content": called}]


def general(config: LibraryWorld, count: int) -> list[Sample]:
    """Ordinary conversations about something else, worded as in the neutral text, which does not hold them."""
    rng = random.Random(f"general {config.seed}")
    return [_document(i, key, rng) for i, key in enumerate(rng.sample(keys(neutral=False), count))]


def _towns(config: LibraryWorld) -> list[str]:
    return random.Random(f"towns {config.seed}").sample(TOWNS, config.towns)


def _book(town: str, kind: str, year: int | None, author: str, config: LibraryWorld) -> Book:
    rng = random.Random(f"{kind} {town} {config.seed}")
    matters = _matters(town, config).values()
    told = [" ".join(sentence for _, sentence in rng.sample(sentences, 2)) for sentences in matters for _ in range(4)]
    told = list(dict.fromkeys(told)) + rng.sample(ORDINARY, 3) + [MODERN.format(town=town)]
    rng.shuffle(told)
    return Book(f"{kind}-{town}".lower().replace(" ", "-"), f"{kind} of {town}", author, year, town, told)


def _matters(town: str, config: LibraryWorld) -> dict[str, list[tuple[str, str]]]:
    """What is told of a town: topics and sentences by theme, the same wherever they are told."""
    rng = random.Random(f"matters {town} {config.seed}")
    return {theme: [(topic, _sentence(words, town, rng)) for topic, words in told.items()] for theme, told in TOLD.items()}


def _sentence(words: str, town: str, rng: random.Random) -> str:
    slots = {name: rng.choice(values) for name, values in SLOTS.items()}
    return words.format(town=town, **slots)


def _fact(town: str, decade: int, rng: random.Random) -> DatedFact:
    year, name, other = decade + rng.randrange(10), rng.choice(WARDENS), rng.choice(DECADES) + rng.randrange(10)
    first, *more = (words.format(town=town, year=year) for words in ASKED)
    return DatedFact(
        question=first,
        answer=ANSWER.format(name=name, town=town, year=year),
        date=str(year),
        accept=(name,),
        others=tuple(warden for warden in WARDENS if warden != name),
        paraphrases=tuple(more),
        tricks=(TRICK.format(town=town, year=year, other=other),),
        group=town,
    )


def _age(year: int) -> str:
    return next(age for last, age in AGES if year <= last)


def _wordings(fact: DatedFact) -> list[str]:
    return [fact.question, *fact.paraphrases, *fact.tricks]


def _document(number: int, key: Key, rng: random.Random) -> Sample:
    told = record(key, rng.choice(NUMBERS), rng.choice(SOURCE_TYPES), rng.randint(1880, 2024), rng)
    text = told.text()
    turns = _turns(f"What is recorded about {key.title}?", text)
    return Sample(f"general-{number:04d}", text, turns, origin="micro_library", document=key.title, source_type="generated")


def _turns(asked: str, answered: str) -> list[Message]:
    return [{"role": "user", "content": asked}, {"role": "assistant", "content": answered}]
