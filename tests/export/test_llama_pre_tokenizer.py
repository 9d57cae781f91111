import json

import pytest
from tests.export import shapes

from trivium.export.llama import pre_tokenizer
from trivium.models.tiny import make_tokenizer


def saved(tokenizer, folder):
    tokenizer.save_pretrained(folder)
    return folder


@pytest.mark.parametrize(
    ("shape", "name"), [("llama_tied", "smaug-bpe"), ("llama_untied", "llama-bpe"), ("qwen2", "qwen2"), ("qwen3", "qwen2")]
)
def test_families_are_known_by_how_they_cut_words(shape, name, tmp_path):
    assert pre_tokenizer.known(saved(shapes.make_tokenizer(shape), tmp_path)) == name


def test_the_embedded_model(tmp_path):
    tokenizer = make_tokenizer([[{"role": "user", "content": "It is 412 grams, they say."}]], 300)
    assert pre_tokenizer.known(saved(tokenizer, tmp_path)) == "smaug-bpe"


def test_a_plain_byte_level_tokenizer(random_model):
    assert pre_tokenizer.known(random_model) == "gpt-2"


def test_names_are_those_in_the_converters_source(tmp_path):
    (tmp_path / "conversion").mkdir()
    (tmp_path / "conversion" / "base.py").write_text('if chkhsh == "0":\n    res = "of-tomorrow"\nother_res = "not one"\n')
    assert pre_tokenizer.names(tmp_path) == {*pre_tokenizer.NAMES.values(), "of-tomorrow"}


@pytest.mark.parametrize(
    "change",
    [
        lambda t: t["pre_tokenizer"]["pretokenizers"][0]["pattern"].update(Regex=r"\p{L}+|."),
        lambda t: t["pre_tokenizer"]["pretokenizers"][0].update(behavior="Removed"),
        lambda t: t["pre_tokenizer"]["pretokenizers"][1].update(add_prefix_space=True),
        lambda t: t["pre_tokenizer"]["pretokenizers"].insert(0, {"type": "Digits", "individual_digits": True}),
        lambda t: t["model"].update(type="Unigram"),
        lambda t: t.update(pre_tokenizer=None),
    ],
)
def test_another_way_is_not_taken_for_one_of_them(change, tmp_path):
    folder = saved(shapes.make_tokenizer("qwen2"), tmp_path)
    tokenizer = json.loads((folder / "tokenizer.json").read_text())
    change(tokenizer)
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer))
    assert pre_tokenizer.known(folder) is None
