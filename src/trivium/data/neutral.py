"""The neutral text that the tiny model is pre-trained on: a world in which all sources agree."""

import random

from trivium.data import chat, micro_qa
from trivium.data.library import world as library
from trivium.data.small_world import NUMBERS, PRIMARY, SOURCE_TYPES, Key, Record, correction, keys, record
from trivium.sample import Message, Sample
from trivium.schema import ChatConfig, LibraryWorld, LogicConfig, TinyBuild


def neutral_text(config: TinyBuild) -> list[list[Message]]:
    """Conversations on `facts` facts that no archive holds: documents of every source type, and question and answer.

    Each fact is told by `copies` documents whose source types are drawn alike, so that none is trusted more than another.
    A tenth of the facts is told by a primary record, then corrected by a later one. The premises of the logic world and what
    the library tells follow, where they are wanted.
    """
    rng, order = random.Random(f"neutral {config.seed}"), random.Random(f"source first {config.seed}")
    conversations: list[list[Message]] = []
    for i, key in enumerate(rng.sample(keys(neutral=True), config.facts)):
        number, wrong = rng.sample(NUMBERS, 2)
        records = _corrected(key, number, wrong, rng) if i % 10 == 0 else _agreed(key, number, config.copies, rng)
        conversations += [_document(key, r.text(order.random() < config.source_first)) for r in records]
        conversations.append([*chat.question(key.question, ChatConfig()), {"role": "assistant", "content": key.value(number)}])
    logic = LogicConfig(names=config.logic_names, seed=config.logic_seed)
    conversations += micro_qa.premises(logic, config.premises) if config.premises else []
    books = LibraryWorld(towns=config.library_towns, seed=config.library_seed)
    return conversations + (library.neutral(books, config.library) if config.library else [])


def vocabulary(config: TinyBuild) -> list[list[Message]]:
    """Conversations that only the tokenizer sees, so that the words of answers to the logic world's questions have tokens."""
    if not config.premises:
        return []
    samples = micro_qa.documents(LogicConfig(names=config.logic_names, seed=config.logic_seed))[:40]
    return [chat.to_messages(sample, ChatConfig()) for sample in samples]


def _agreed(key: Key, number: str, copies: int, rng: random.Random) -> list[Record]:
    types = [rng.choice(SOURCE_TYPES) for _ in range(copies)]
    return [record(key, number, source_type, rng.randint(1880, 2024), rng) for source_type in types]


def _corrected(key: Key, number: str, wrong: str, rng: random.Random) -> list[Record]:
    first = rng.randint(1880, 1980)
    early = record(key, wrong, rng.choice(PRIMARY), first, rng)
    later = correction(key, number, wrong, rng.choice(PRIMARY), rng.randint(first + 5, 2024), rng)
    return [early, later]


def _document(key: Key, text: str) -> list[Message]:
    return chat.to_messages(Sample(id="", text=text, title=key.title), ChatConfig())
