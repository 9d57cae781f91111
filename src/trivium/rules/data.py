"""Data, where they come from, how they are prepared and split."""

from collections.abc import Iterator
from pathlib import Path

from trivium.acquire import place
from trivium.binding import nearest
from trivium.errors import ConfigError
from trivium.schema import TEXT_FILES, Config


def data_exist(config: Config) -> Iterator[str]:
    """There is exactly one source of data, and it is there or will be fetched."""
    dataset = config.dataset
    if (dataset.generator is None) == (dataset.path is None):
        way = f"set dataset.path=null for generator={dataset.generator}" if dataset.path is not None else "neither is"
        yield (
            f"dataset: exactly one of dataset.path and dataset.generator must be set; {way}; for your own files: "
            "dataset=folder dataset.path=<folder>."
        )
    elif config.task == "plan":
        return  # it says that the data are not counted
    elif dataset.path == "":
        name = dataset.name
        yield f"dataset.path: not set; give a file or folder of .txt, .jsonl or .parquet: dataset={name} dataset.path=<path>."
    elif dataset.path is not None and Path(dataset.path).is_file() and not dataset.path.lower().endswith(TEXT_FILES):
        yield f"dataset.path: {dataset.path} is none of {', '.join(TEXT_FILES)}; give such a file or a folder of them."
    elif dataset.path is not None and not Path(dataset.path).exists() and not _to_be_fetched(config):
        yield f"dataset.path: {dataset.path} does not exist; give a folder or file of .txt, .jsonl or .parquet."


def _to_be_fetched(config: Config) -> bool:
    return "acquire" in config.stages and config.dataset.path == str(place.texts(config.acquire))


def sources_can_be_fetched(config: Config) -> Iterator[str]:
    """What is to be fetched is told in full."""
    if config.acquire.sources:
        from trivium.acquire.kinds import problems_in

        yield from problems_in(config.acquire)
    if config.acquire.dry_run and config.stages != ["acquire"]:
        yield "acquire.dry_run=true only counts, so there is nothing to go on with; set stages=[acquire]."


def library_can_be_prepared(config: Config) -> Iterator[str]:
    """Books, persona and period fit each other."""
    library = config.dataset.library
    if config.dataset.kind != "library":
        return
    from trivium.data.library.problems import problems_in as of_library
    from trivium.generation.mixture import problems_in as of_generation

    yield from of_library(library)
    yield from of_generation(config.generator, library)
    if library.period.share + library.general.share >= 1:
        yield (
            f"dataset.library: period.share={library.period.share:g} and general.share={library.general.share:g} leave no room "
            "for the persona; lower one of them, so that they stay below 1 together."
        )
    if library.period.share and library.period.cutoff is None:
        yield "dataset.library.period.share needs dataset.library.period.cutoff; set the last year of the period, or share=0."
    general = library.general.path
    if general is not None and not Path(general).expanduser().exists():
        yield f"dataset.library.general.path: {general} does not exist; give a file or folder of conversations, or null."


def filters_are_readable(config: Config) -> Iterator[str]:
    """`dataset.where` says something."""
    from trivium.data.where import Where

    try:
        Where(config.dataset.where)
    except ConfigError as error:
        yield from error.problems


def documents_can_be_read(config: Config) -> Iterator[str]:
    """Lengths, columns and prompts of documents fit."""
    from trivium.data.records import COLUMNS

    dataset = config.dataset
    if dataset.min_chars > dataset.max_chars:
        yield f"dataset.min_chars={dataset.min_chars} is more than dataset.max_chars={dataset.max_chars}; change one of them."
    for ours in dataset.fields:
        if ours not in COLUMNS:
            yield f"dataset.fields.{ours}: no such column of ours; {nearest(ours, COLUMNS)}"
    for key in ("prompt", "prompt_untitled"):
        text = getattr(dataset.chat, key)
        try:
            empty = not text.format_map({"title": "t", "source_type": "s", "year": "y"}).strip()
        except (KeyError, ValueError, IndexError, AttributeError):
            empty = True
        if empty:
            yield f"dataset.chat.{key}: set to {text!r}; allowed: words, with {{title}}, {{source_type}} and {{year}}."


def shares_fit(config: Config) -> Iterator[str]:
    """Ranges of shares have a solution."""
    shares = config.dataset.rebalance
    pairs = {"low": shares.low, "mid": shares.mid, "high": shares.high, "trivium": config.dataset.targets.trivium}
    pairs["entropy_mean"] = config.dataset.targets.entropy_mean
    wrong = [key for key, pair in pairs.items() if len(pair) != 2 or pair[0] > pair[1]]
    yield from (f"dataset: {key} is {pairs[key]}; give [least, most] with least ≤ most." for key in wrong)
    bands = [shares.low, shares.mid, shares.high]
    if not wrong and not sum(b[0] for b in bands) <= 1 <= sum(b[1] for b in bands):
        yield "dataset.rebalance: no shares inside these ranges add up to 1; widen low, mid or high."


def thinking_can_be_told(config: Config) -> Iterator[str]:
    """The two tags around the thinking differ."""
    talk = config.dataset.chat
    if not talk.think_open.strip() or not talk.think_close.strip() or talk.think_open == talk.think_close:
        yield (
            f"dataset.chat.think_open={talk.think_open!r} and think_close={talk.think_close!r}: give two different tags, for "
            "example <think> and </think>."
        )
