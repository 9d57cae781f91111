import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trivium.errors import ModelError
from trivium.schema import ScorerConfig
from trivium.scorers.syntax import Parser, load_syntax
from trivium.scorers.tiny.grammar import sentence
from trivium.scorers.tiny.syntax import build_syntax, gold
from trivium.scores.ask import Parse, Syntax


@pytest.fixture(scope="module")
def folder(tiny_scorer: Callable[[str], Path]) -> Path:
    return tiny_scorer("syntax")


@pytest.fixture(scope="module")
def parser(folder: Path) -> Parser:
    return load_syntax(ScorerConfig(), str(folder))


def parse(parser: Parser, text: str) -> Syntax:
    found = parser([Parse(text)])[0]
    assert found is not None
    return found


def test_held_out_sentences_have_their_heads_and_boundaries(parser: Parser) -> None:
    rng = random.Random("held out")
    docs = [gold(parser._pipeline, [sentence(rng) for _ in range(rng.choice((1, 2, 3)))]) for _ in range(100)]
    found = parser([Parse(doc.text) for doc in docs])
    pairs = [(g, t) for doc, syntax in zip(docs, found, strict=True) for g, t in zip(doc, syntax.tokens, strict=True)]
    assert sum(g.head.i == t.head for g, t in pairs) >= 0.98 * len(pairs)
    assert sum(g.dep_ == t.dep for g, t in pairs) >= 0.97 * len(pairs)
    whole = [[(s.start, s.end) for s in doc.sents] == list(syntax.sentences) for doc, syntax in zip(docs, found, strict=True)]
    assert sum(whole) >= 0.97 * len(whole)


def test_a_text_as_syntax(parser: Parser) -> None:
    syntax = parse(parser, "Yes, Zari carries heat, because Zari is a metal. Does a wax block light?")
    words = [token.text for token in syntax.tokens]
    assert [words[start] for start, _ in syntax.sentences] == ["Yes", "Does"]
    assert {"Zari", "heat", "a metal", "a wax", "light"} == {" ".join(words[a:b]) for a, b in syntax.noun_chunks}
    carries = syntax.tokens[words.index("carries")]
    assert (carries.lemma, carries.pos, carries.dep, carries.head) == ("carry", "VERB", "ROOT", words.index("carries"))
    assert syntax.tokens[words.index("is")].pos == "AUX" and syntax.tokens[-1].pos == "PUNCT" and syntax.entities == ()


def test_answers_come_in_the_order_of_the_questions(parser: Parser) -> None:
    texts = ["Zari carries heat. " * n for n in (5, 1, 9, 0, 3)]
    found = parser([Parse(text) for text in texts])
    assert [sum(token.text == "heat" for token in syntax.tokens) for syntax in found if syntax] == [5, 1, 9, 0, 3]
    assert parser([]) == []


@settings(deadline=None, max_examples=40)
@given(st.lists(st.text(st.characters(), max_size=80), max_size=4))
def test_any_text_is_parsed(parser: Parser, texts: list[str]) -> None:
    for syntax in parser([Parse(text) for text in texts]):
        assert syntax is not None and all(0 <= token.head < len(syntax.tokens) for token in syntax.tokens)
        assert [start for start, _ in syntax.sentences[1:]] == [end for _, end in syntax.sentences[:-1]]


def test_odd_texts_are_parsed_and_very_long_ones_cut(parser: Parser) -> None:
    odd = ["\ud800\udfff", "\x00\x00", "熱を伝える。", "🙂" * 50, " ", "Zari\ud800 carries\x00 heat."]
    assert None not in parser([Parse(text) for text in odd])
    short = Parser(parser._pipeline, batch_tokens=1000, longest=190)
    assert len(parse(short, "Zari carries heat. " * 6000).tokens) == 40


def test_the_same_seed_gives_the_same_weights_and_leaves_the_callers_randomness(folder: Path, tmp_path: Path) -> None:
    random.seed(3)
    expected = random.random()
    random.seed(3)
    for name in ("one", "two"):
        build_syntax(tmp_path / name, seed=1, epochs=1)
    assert random.random() == expected
    one, two = ((tmp_path / name / "parser" / "model").read_bytes() for name in ("one", "two"))
    assert one == two != (folder / "parser" / "model").read_bytes()


@pytest.mark.parametrize("path", ["en_no_such_pipeline", "/no/such/folder"])
def test_a_missing_pipeline_names_the_ways_out(path: str) -> None:
    with pytest.raises(ModelError, match=r"`python -m spacy download .*pipeline's folder, or to null for the embedded one"):
        load_syntax(ScorerConfig(), path)


def test_a_package_that_is_no_pipeline_is_not_imported() -> None:
    with pytest.raises(ModelError, match=r"the package antigravity holds no spaCy|no installed package antigravity"):
        load_syntax(ScorerConfig(), "antigravity")


@pytest.fixture
def damaged(folder: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(folder, tmp_path / "pipeline"))


def edit(folder: Path, before: str, after: str) -> None:
    config = (folder / "config.cfg").read_text()
    assert before in config
    (folder / "config.cfg").write_text(config.replace(before, after))


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        (
            'factory = "tagger"',
            'factory = "my_tagger"',
            r"the component tagger of .* is made by my_tagger, which is not spaCy's own",
        ),
        ('factory = "tagger"', 'source = "other"', "the component tagger of .* is made by other"),
        (
            "before_creation = null",
            'before_creation = {"@callbacks":"own.run.v1"}',
            "before_creation.@callbacks of .* is own.run.v1",
        ),
        ("spacy.Tok2Vec.v2", "own.Tok2Vec.v2", "components.tok2vec.model.@architectures of .* is own.Tok2Vec.v2"),
    ],
)
def test_parts_that_are_not_spacys_own_are_refused(damaged: Path, before: str, after: str, said: str) -> None:
    edit(damaged, before, after)
    with pytest.raises(ModelError, match=said):
        load_syntax(ScorerConfig(), str(damaged))


def test_damaged_and_foreign_folders_are_named(damaged: Path, tmp_path: Path) -> None:
    (damaged / "parser" / "model").write_bytes(b"\x00")
    with pytest.raises(ModelError, match=r"could not load .*it may be damaged"):
        load_syntax(ScorerConfig(), str(damaged))
    (damaged / "config.cfg").write_text("[nlp\n")
    with pytest.raises(ModelError, match="cannot be read"):
        load_syntax(ScorerConfig(), str(damaged))
    with pytest.raises(ModelError, match=r"has no config\.cfg"):
        load_syntax(ScorerConfig(), str(tmp_path))


def test_a_pipeline_without_a_parser_and_another_device(tmp_path: Path, folder: Path) -> None:
    import spacy

    blank = spacy.blank("en")
    blank.add_pipe("sentencizer")
    blank.to_disk(tmp_path / "blank")
    with pytest.raises(ModelError, match="has no parser"):
        load_syntax(ScorerConfig(), str(tmp_path / "blank"))
    with pytest.raises(ModelError, match="the parser runs on the CPU"):
        load_syntax(ScorerConfig(device="cuda"), str(folder))


def test_a_real_pipeline(real_scorer: Callable[[str], str]) -> None:
    parser = load_syntax(ScorerConfig(), real_scorer("en_ewt_small"))
    syntax = parse(parser, "Copper conducts electricity well because it has free electrons. The wire was cut by a worker.")
    words: list[Any] = [token.text for token in syntax.tokens]
    assert len(syntax.sentences) == 2 and syntax.tokens[words.index("wire")].dep == "nsubjpass"
    assert "free electrons" in {" ".join(words[a:b]) for a, b in syntax.noun_chunks}
