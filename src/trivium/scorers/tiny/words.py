"""The tiny scorers' tokenizer: a word of the small world is one token, any other one is spelt."""

import string
from typing import Any

from trivium.data.logic_world import KINDS, NAMES, PROPERTIES, plural
from trivium.scorers.tiny.filler import SENTENCES, WORDS

PAD, UNKNOWN, START, END = "[PAD]", "[UNK]", "[CLS]", "[SEP]"
_SPOKEN = """
    a an always is not does do belong belongs to the every no yes
    because and since so therefore reason that true by what kind
    recorded about which of it false
"""


def vocabulary() -> list[str]:
    """Every token, in a fixed order: special ones, characters alone and within a word, words."""
    characters = string.ascii_lowercase + string.digits + string.punctuation
    spelt = [*characters, *(f"##{c}" for c in characters)]
    properties = (word for what in PROPERTIES for text in what for word in text.split())
    general = (word.strip(".,!?").lower() for text in SENTENCES for word in text.split())
    told = [*_SPOKEN.split(), *properties, *KINDS, *map(plural, KINDS), *(name.lower() for name in NAMES), *general, *WORDS]
    return list(dict.fromkeys((PAD, UNKNOWN, START, END, *spelt, *told)))


def same_words() -> list[tuple[str, ...]]:
    """Words that mean the same in the small world: forms of a verb, singular and plural, ways to deny and to say of all."""
    verbs = [(what.does.split()[0], what.do.split()[0], what.passive.split()[2]) for what in PROPERTIES]
    kinds = [(kind, plural(kind)) for kind in KINDS]
    return [*verbs, *kinds, ("not", "never", "no"), ("always", "every"), ("belongs", "belong")]


def tokenizer(max_length: int) -> Any:
    """A WordPiece tokenizer (lower case) that takes a text, or a pair of them, of at most `max_length` tokens."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    ids = {token: i for i, token in enumerate(vocabulary())}
    backend = Tokenizer(models.WordPiece(ids, unk_token=UNKNOWN, max_input_chars_per_word=40))
    backend.normalizer = normalizers.BertNormalizer(lowercase=True)
    backend.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    backend.post_processor = processors.TemplateProcessing(
        single=f"{START} $A {END}",
        pair=f"{START} $A {END} $B:1 {END}:1",
        special_tokens=[(START, ids[START]), (END, ids[END])],
    )
    make: Any = PreTrainedTokenizerFast
    return make(
        tokenizer_object=backend,
        pad_token=PAD,
        unk_token=UNKNOWN,
        cls_token=START,
        sep_token=END,
        model_max_length=max_length,
        model_input_names=["input_ids", "token_type_ids", "attention_mask"],
        clean_up_tokenization_spaces=False,
    )
