"""Near-copies go, the first stays; what merely looks alike stays."""

import random
from io import BytesIO

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trivium.data import dedup
from trivium.data.dedup import EDGE, WINDOW, duplicates, normalised, sketches

WORDS = [
    f"{a}{b}{c}" for a in ("mor", "kel", "tan", "vis") for b in ("a", "e", "ion", "ur", "ot") for c in ("", "d", "st", "ley")
]


def prose(rng: random.Random, words: int) -> list[str]:
    return [rng.choice(WORDS) + str(rng.randint(0, 99)) for _ in range(words)]


def jaccard(a: str, b: str) -> float:
    """The exact similarity that the sketches estimate."""
    sets = [
        {n[i : i + WINDOW] for i in range(len(n) - EDGE)} for n in (bytes(EDGE) + normalised(t) + bytes(EDGE) for t in (a, b))
    ]
    return len(sets[0] & sets[1]) / len(sets[0] | sets[1])


def copies(texts: list[str], threshold: float = 0.85) -> list[int]:
    rows = sketches([normalised(t) for t in texts])
    found = duplicates(BytesIO(rows.tobytes()), len(texts), np.ones(len(texts), np.bool_), threshold)
    return np.flatnonzero(found).tolist()


def edited(words: list[str], rng: random.Random, share: float) -> str:
    """The same words with the last `share` of them replaced."""
    keep = round(len(words) * (1 - share))
    return " ".join([*words[:keep], *prose(rng, len(words) - keep)])


def test_ten_percent_edits_are_copies_or_not_by_the_threshold() -> None:
    rng = random.Random(0)
    texts = [prose(rng, 160) for _ in range(40)]
    originals, changed = [" ".join(t) for t in texts], [edited(t, rng, 0.1) for t in texts]
    similarity = [jaccard(a, b) for a, b in zip(originals, changed, strict=True)]
    assert min(similarity) > 0.75 and max(similarity) < 0.85
    assert copies(originals + changed, 0.65) == list(range(40, 80))
    assert copies(originals + changed, 0.95) == []


def test_small_edits_are_found_at_the_default_threshold() -> None:
    rng = random.Random(1)
    texts = [prose(rng, 160) for _ in range(100)]
    changed = [edited(t, rng, 0.03) for t in texts]
    found = copies([" ".join(t) for t in texts] + changed)
    assert len(found) >= 97 and min(found) >= 100


@pytest.mark.parametrize(
    "template",
    [
        "{n} kelvin is the melting point of {who}, as I measured it myself. Laboratory notebook, Adler, 1911.",
        "The committee voted in {n} to leave the rate unchanged; {who} dissented.",
        "What is recorded about the survey of Marrow Bay? {who} observed a depth of {n} metres there.",
    ],
)
def test_templated_sentences_that_differ_in_a_name_or_number_are_no_copies(template: str) -> None:
    names = [a + b for a in ("zari", "moke", "luta", "vino", "pedu") for b in ("sha", "gor", "bel", "fin")]
    texts = [template.format(n=n, who=names[0]) for n in range(221, 990, 7)] + [
        template.format(n=345, who=w) for w in names[1:]
    ]
    assert copies(texts) == []


def test_wrapping_and_case_do_not_matter_and_the_first_is_kept() -> None:
    text = " ".join(prose(random.Random(2), 80))
    assert copies([text, "Something else entirely stands here.", text.upper(), text.replace(" ", "\n  "), text]) == [2, 3, 4]


def test_at_a_threshold_of_one_only_equal_texts_are_copies() -> None:
    text = " ".join(prose(random.Random(3), 400))
    assert copies([text, text + "!", text], 1.0) == [2]


def test_only_marked_texts_are_looked_at() -> None:
    rows = sketches([normalised("one and the same text, four times over")] * 4)
    among = np.array([False, True, False, True])
    assert duplicates(BytesIO(rows.tobytes()), 4, among, 0.85).tolist() == [False, False, False, True]


@settings(deadline=None, max_examples=30)
@given(st.lists(st.text(max_size=40), min_size=1, max_size=30), st.integers(1, 5))
def test_a_sketch_does_not_depend_on_its_batch(texts: list[str], parts: int) -> None:
    data = [normalised(t) for t in texts]
    whole = sketches(data)
    size = -(-len(data) // parts)
    assert (np.concatenate([sketches(data[i : i + size]) for i in range(0, len(data), size)]) == whole).all()


def test_the_estimate_is_near_the_truth() -> None:
    rng = random.Random(4)
    errors = []
    for share in np.linspace(0, 0.5, 60):
        words = prose(rng, 160)
        a, b = " ".join(words), edited(words, rng, float(share))
        rows = sketches([normalised(a), normalised(b)])
        one = np.array([0]), np.array([1])
        errors.append(float(dedup._similarity(BytesIO(rows.tobytes()), *one)[0]) - jaccard(a, b))
    assert abs(np.mean(errors)) < 0.015 and np.std(errors) < 0.05


def test_ten_thousand_members_of_one_bucket_take_no_time() -> None:
    rows = np.repeat(sketches([b"x" * 40]), 10_000)
    rows["minima"][:, 8:] = np.random.default_rng(0).integers(1, 256, (10_000, 120))
    rows["digest"] = np.arange(10_000)
    rows["filled"] = rows["minima"]
    found = duplicates(BytesIO(rows.tobytes()), len(rows), np.ones(len(rows), np.bool_), 0.85)
    assert not found.any()
