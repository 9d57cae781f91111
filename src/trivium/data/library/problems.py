"""What of a library's configuration cannot hold, said before anything is read: one sentence for each problem."""

import datetime
from collections.abc import Iterator
from pathlib import Path

from trivium.data.library.dated import day_of, load
from trivium.errors import ConfigError
from trivium.schema.library import ChunkConfig, LibraryConfig, PeriodConfig, ThemesConfig


def problems_in(config: LibraryConfig) -> Iterator[str]:
    """The problems of `dataset.library`: of cutting, of the lexicons, and of the dates."""
    yield from _chunk(config.chunk)
    yield from _themes(config.themes)
    yield from _lexicons(config)
    yield from _period(config.period)


def _chunk(config: ChunkConfig) -> Iterator[str]:
    key = "dataset.library.chunk"
    if config.method == "window" and config.overlap >= config.size:
        yield f"{key}.overlap={config.overlap} is not below {key}.size={config.size}, so windows would not advance; lower it."
    if config.min_size > config.size:
        yield f"{key}.min_size={config.min_size} is above {key}.size={config.size}, so that nothing is left; lower min_size."
    if config.unit == "tokens" and not config.tokenizer:
        yield f"{key}.unit=tokens needs {key}.tokenizer: give the model's folder or hub id, or count characters or words."


def _themes(config: ThemesConfig) -> Iterator[str]:
    key = "dataset.library.themes"
    if config.max_matches is not None and config.max_matches < config.min_matches:
        yield f"{key}.max_matches={config.max_matches} is below {key}.min_matches={config.min_matches}; raise it, or set null."
    if config.ordinary is not None:
        path = Path(config.ordinary).expanduser()
        if not path.is_file() or path.suffix.lower() not in (".txt", ".jsonl"):
            yield f"{key}.ordinary: {config.ordinary} is no .txt or .jsonl file; give one, or null for the shipped sample."


def _lexicons(config: LibraryConfig) -> Iterator[str]:
    from trivium.data.library import period, themes

    for read, name in ((themes.load, config.themes.lexicon), (period.load, config.period.anachronisms)):
        try:
            read(name)
        except ConfigError as error:
            yield from error.problems


def _period(config: PeriodConfig) -> Iterator[str]:
    if config.cutoff is None:
        return
    try:
        last = day_of(config.cutoff, last=True)
    except ValueError as error:
        yield f"dataset.library.period.cutoff: {error}; null sets no end."
        return
    if last > datetime.date.today():
        yield f"dataset.library.period.cutoff: {config.cutoff} is yet to come; set the last day or year of the period, or null."
    yield from _facts(config, last)


def _facts(config: PeriodConfig, last: datetime.date) -> Iterator[str]:
    key = "dataset.library.period"
    if config.facts is None:
        return
    try:
        known = [fact.known_by(last) for fact in load(Path(config.facts), f"{key}.facts")]
    except ConfigError as error:
        yield from error.problems
        return
    if config.share and len(set(known)) < 2:
        side = "none is later" if any(known) else "all are later"
        yield f"{key}.facts: of the {len(known)} dated facts in {config.facts} {side} than {last}; give both, or {key}.share=0."
