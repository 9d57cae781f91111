import math
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from trivium.data.lexicon import SHIPPED, load_markers, load_priors
from trivium.data.micro_archive import documents
from trivium.data.provenance import Provenance, Scorer, entropy_bits, total_authority
from trivium.errors import DataError
from trivium.sample import Sample, band
from trivium.schema import ProvenanceConfig, WorldConfig

MARKERS, PRIORS = load_markers("default"), load_priors("default")
DYNAMIC, BLEND, PRIOR = (Scorer(ProvenanceConfig(mode=mode)) for mode in ("dynamic", "blend", "prior"))
PHRASES = sorted(
    {*MARKERS.institution.words, *MARKERS.consensus.words, *MARKERS.primary.words, "[3]", "(Moor, 1999)", "et al."}
)


def read(text: str, scorer: Scorer = DYNAMIC, **facts: Any) -> Provenance:
    return scorer.score(Sample(id="a", text=text, **facts))


def effects(found: Provenance) -> dict[str, float]:
    return {name: value for name, value in found.evidence.items() if not name.startswith("evidence:") and name != "base"}


def shares(found: Provenance) -> dict[str, float]:
    return {name.partition(":")[2]: value for name, value in found.evidence.items() if name.startswith("evidence:")}


# --- authority -------------------------------------------------------------------------------------------------------


def test_a_text_without_markers_has_the_base_and_no_entropy() -> None:
    found = read("It rained, and the road was empty.")
    assert (found.authority, found.entropy, found.year, found.source_type) == (0.3, 0.0, None, "unknown")
    assert found.evidence == {"base": 0.3, "evidence:assertion": 1.0}


@pytest.mark.parametrize(
    ("text", "marker"),
    [
        ("The WHO warned of it.", "institution:who"),
        ("It appeared in the journal Nature.", "institution:the journal nature"),
        ("It is widely accepted.", "consensus:widely accepted"),
        ("Experts agree on it.", "consensus:experts agree"),
        ("Today I measured it.", "primary:i measured"),
        ("As shown [3].", "citation:bracket"),
        ("As shown (Moor, 1999).", "citation:author-year"),
        ("As Moor et al. show.", "citation:et al"),
    ],
)
def test_a_marker_is_found_and_named(text: str, marker: str) -> None:
    assert list(effects(read(text))) == [marker]


@pytest.mark.parametrize(
    "text",
    [
        "Those who know, know. Who else?",
        "The nature of nature is natural.",
        "This was not peer-reviewed.",
        "The experts do not agree.",
        "There is no scientific consensus.",
        "It was never published by the ministry.",
        "The whole institution, the immeasurable patently sworn-in.",
        "The siege of 1944 (it ended in May 1944) was long.",
        "The film (1999) and x[i] and (May 1999).",
    ],
)
def test_what_only_looks_like_a_marker_is_none(text: str) -> None:
    assert effects(read(text)) == {}


@pytest.mark.parametrize(
    ("year", "effect"), [(1890, -0.15), (1969, -0.15), (1970, 0.0), (1994, 0.0), (1995, 0.15), (2020, 0.15)]
)
def test_age(year: int, effect: float) -> None:
    found = read("It rained.", year=year)
    assert found.authority == pytest.approx(0.3 + effect)
    assert effects(found) == ({f"age:{year}": effect} if effect else {})


def test_undated_is_unknown_and_neither_old_nor_modern() -> None:
    about = read("The campaign of 1944 was long, and in 1945 it ended.")
    assert about.year is None and effects(about) == {}
    dated = read("The campaign of 1944 was long.", metadata={"date": "2024-02-01"})
    assert dated.year == 2024 and dated.authority == pytest.approx(0.45)


@pytest.mark.parametrize(
    ("value", "year"), [("circa 1900", 1900), ("1923-05-01", 1923), (1923.0, 1923), ("soon", None), (30000, None)]
)
def test_the_year_in_the_metadata(value: object, year: int | None) -> None:
    assert read("It rained.", metadata={"date": value}).year == year
    assert read("Copyright 1911 by A. Reader", year=1999, metadata={"date": value}).year == 1999


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("[1] and [2, 3]", 2),
        ("Moor et al. (1999)", 1),
        ("(Moor et al., 1999)", 1),
        ("Moor et al. [4]", 1),
        ("(Moor, 1999; Heath 2001)", 1),
        ("[Moor 1999] and ibid., and doi:10.1/x", 3),
    ],
)
def test_each_citation_counts_once(text: str, count: int) -> None:
    assert sum(effects(read(text)).values()) == pytest.approx(0.05 * math.log10(count + 1))


def test_citations_are_capped() -> None:
    assert sum(effects(read("[1] " * 200_000)).values()) == pytest.approx(0.25)


def test_institutions_do_not_add_up() -> None:
    assert read("the ministry of all, the WHO, the government").authority == pytest.approx(0.6)


def test_the_publisher_is_evidence_of_an_institution() -> None:
    for metadata in ({"publisher": "Ministry of Weirs"}, {"publisher_or_source": "Nature"}, {"url": "https://weirs.gov/a"}):
        assert read("It rained.", metadata=metadata).authority > 0.5
    assert read("It rained by its nature.").authority == 0.3


def test_consensus_is_capped() -> None:
    text = ". ".join(MARKERS.consensus.words)
    assert read(text).authority == pytest.approx(0.5)


def test_stuffing_does_not_make_a_modern_text_a_primary_record() -> None:
    stuffed = ". ".join(MARKERS.primary.words) + "."
    assert read(stuffed * 3, year=2024).authority == pytest.approx(0.25)
    assert read(stuffed, year=1890).authority == 0.0
    once, often = read("I measured it.", year=1980), read("I measured it. " * 9, year=1980)
    assert once == often


def test_a_quoted_record_is_not_the_texts_own() -> None:
    assert effects(read('The inventor said: "I measured it myself."')) == {}


# --- explained -------------------------------------------------------------------------------------------------------

WORDS = st.lists(st.sampled_from([*PHRASES, "not", "rain", "No", '"', "\n", "İ"]), max_size=12).map(" ".join)
SAMPLES = st.builds(
    Sample,
    id=st.just("a"),
    text=st.one_of(WORDS, WORDS.map(lambda t: t.replace(" ", ". ")), st.text(max_size=60)),
    source_type=st.sampled_from(["unknown", *PRIORS.names]),
    year=st.one_of(st.none(), st.integers(-500, 2026)),
    metadata=st.one_of(st.just({}), st.fixed_dictionaries({"publisher": st.sampled_from(["Nature", "Daily X", "Y"])})),
)


@given(SAMPLES, st.sampled_from(["prior", "dynamic", "blend"]), st.sampled_from([0.0, 0.3, 0.7, 1.0]))
def test_the_evidence_reproduces_authority_and_entropy(sample: Sample, mode: str, blend: float) -> None:
    found = scorer(mode, blend).score(sample)
    assert found.authority == total_authority(found.evidence)
    assert 0 <= found.authority <= 0.99
    mix = shares(found)
    assert math.isclose(sum(mix.values()), 1) and min(mix.values()) >= 0
    assert math.isclose(found.entropy, entropy_bits(mix.values()))
    assert 0 <= found.entropy <= math.log2(len(mix)) + 1e-9


SCORERS: dict[tuple[str, float], Scorer] = {}


def scorer(mode: str, blend: float) -> Scorer:
    return SCORERS.setdefault((mode, blend), Scorer(ProvenanceConfig(mode=mode, blend=blend)))


@given(SAMPLES)
def test_effects_of_a_blend_are_those_of_the_text_scaled(sample: Sample) -> None:
    dynamic, blend = DYNAMIC.score(sample), BLEND.score(sample)
    known = BLEND.score(sample).source_type != "unknown"
    scale = 0.3 if known else 1.0
    expected = {name: pytest.approx(scale * value) for name, value in effects(dynamic).items()}
    assert {k: v for k, v in effects(blend).items() if not k.startswith("prior:")} == expected


@given(st.lists(st.floats(0.001, 1), min_size=1, max_size=12))
def test_entropy_is_shannons(weights: list[float]) -> None:
    p = [w / sum(weights) for w in weights]
    assert entropy_bits(p) <= math.log2(len(p)) + 1e-9
    assert entropy_bits([x / 2 for x in p] * 2) == pytest.approx(entropy_bits(p) + 1)


def test_entropy_grows_with_the_kinds_of_evidence() -> None:
    texts = [
        "It rained.",
        "A specimen.",
        "A specimen and a diagram.",
        "A specimen, a diagram; the thermometer, the sworn witnesses.",
    ]
    entropies = [read(text).entropy for text in texts]
    assert entropies[:3] == pytest.approx([0, 1, math.log2(3)])
    assert entropies == sorted(entropies)


# --- source types and modes ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("metadata", "name"),
    [
        ({"kind": "press release", "publisher": "Wikipedia"}, "press_release"),
        ({"kind": "passage", "publisher_or_source": "Wikipedia (English)"}, "encyclopedia"),
        ({"genre": "utopian fiction"}, "literature"),
        ({"publisher": "Patent office"}, "patent"),
        ({"kind": "passage", "source_class": "patent"}, "unknown"),
        ({"kind": 7, "publisher": None}, "unknown"),
    ],
)
def test_an_unnamed_source_is_known_by_its_metadata(metadata: dict[str, Any], name: str) -> None:
    assert read("It rained.", metadata=metadata).source_type == name


def test_a_named_source_keeps_its_name() -> None:
    found = read("It rained.", BLEND, source_type="Lab Notebook", metadata={"publisher": "Wikipedia"})
    assert found.source_type == "Lab Notebook" and "prior:laboratory_notebook" in found.evidence


def test_an_unknown_source_has_no_prior_to_blend() -> None:
    assert read("The WHO said.", BLEND)._replace(source_type="") == read("The WHO said.")._replace(source_type="")
    assert read("The WHO said.", PRIOR).authority == 0.5


def test_the_prior_alone_looks_at_no_text() -> None:
    assert read("The WHO said.", PRIOR, source_type="patent") == read("It rained.", PRIOR, source_type="patent")


def test_the_trivium_tag_is_the_datas_or_the_priors() -> None:
    assert read("a", source_type="patent").trivium == "logic"
    assert read("a", source_type="patent", trivium="grammar").trivium == "grammar"
    assert read("a", source_type="patent", metadata={"trivium_category": "rhetoric"}).trivium == "rhetoric"
    assert read("a", source_type="patent", metadata={"trivium": "music"}).trivium == "logic"


GIVEN = Scorer(ProvenanceConfig(mode="given"))


def test_given_numbers_stand_as_they_are() -> None:
    assert read("The WHO.", GIVEN, authority=0.07, entropy=5.5)[:2] == (0.07, 5.5)
    columns = read("The WHO.", GIVEN, metadata={"auth_weight": "0.07", "prov_entropy": 5.5})
    assert columns[:2] == (0.07, 5.5) and columns.evidence == {"given": 0.07}


def test_what_is_not_given_is_the_priors_and_says_so() -> None:
    found = read("The WHO.", GIVEN, source_type="patent")
    assert found.authority == 0.05 and found.evidence == {"prior:patent": 0.05} and found.entropy > 1.5


@pytest.mark.parametrize("value", [1.2, -0.1, float("nan"), "high", [0.3]])
def test_a_given_authority_out_of_range_is_refused(value: object) -> None:
    with pytest.raises(DataError, match=r"a: authority is .*0 to 0\.99"):
        read("a", GIVEN, metadata={"authority": value})


def test_conversations_are_read_too() -> None:
    messages = [{"role": "user", "content": "Who?"}, {"role": "assistant", "content": "The WHO."}]
    assert DYNAMIC.score(Sample(id="a", messages=messages)).authority == pytest.approx(0.6)


def test_own_lexicons(tmp_path: Path) -> None:
    markers = yaml.safe_load((SHIPPED / "markers.yaml").read_text()) | {"base": 0.1, "evidence": {}, "negations": []}
    priors = {"version": 2, "source": "own", "types": {"unknown": {"authority": 0.9, "trivium": "logic", "evidence": {"x": 1}}}}
    (tmp_path / "m.yaml").write_text(yaml.safe_dump(markers))
    (tmp_path / "p.yaml").write_text(yaml.safe_dump(priors))
    own = ProvenanceConfig(mode="dynamic", markers=str(tmp_path / "m.yaml"), priors=str(tmp_path / "p.yaml"))
    found = read("It is not peer-reviewed.", Scorer(own))
    assert found.authority == pytest.approx(0.25) and found.trivium == "logic"


# --- the generated archive -------------------------------------------------------------------------------------------

EXPECTED = {"laboratory_notebook": "low", "patent": "low", "field_survey": "low", "journal_article": "mid"}


def test_the_archives_bands_are_found_whatever_the_year() -> None:
    for sample in documents(WorldConfig(disputed=24, coordinated_only=8, corrected=8)):
        found = BLEND.score(sample)
        expected = EXPECTED.get(sample.source_type, "high")
        assert band(found.authority) == expected, (sample.text, found)
        distrust = max(0.0, found.entropy + math.log2(1 - found.authority))
        assert {"low": distrust > 1.5, "mid": distrust < 1, "high": distrust == 0}[expected]


def test_the_archives_primary_records_are_lower_by_their_text_alone() -> None:
    scores: dict[bool, list[float]] = {True: [], False: []}
    for sample in documents(WorldConfig(disputed=24, coordinated_only=8, corrected=8)):
        plain = Sample(id="a", text=sample.text)
        scores[EXPECTED.get(sample.source_type) == "low"].append(DYNAMIC.score(plain).authority)
    assert sum(scores[True]) / len(scores[True]) < 0.2 < 0.45 < sum(scores[False]) / len(scores[False])
