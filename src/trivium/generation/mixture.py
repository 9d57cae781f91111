"""The mixture: which components are written, of which sizes, about which themes; and what is wrong with a configuration."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from trivium.errors import ConfigError
from trivium.generation.persona import Component, Persona, load
from trivium.schema.generator import OpenAIGenerator, TemplateGenerator
from trivium.schema.library import LibraryConfig


def problems_in(generator: TemplateGenerator | OpenAIGenerator, library: LibraryConfig) -> Iterator[str]:
    """What is wrong with the settings of a generation, a sentence each; reads the persona."""
    checks = generator.checks
    if checks.min_chars > checks.max_chars:
        yield (
            f"generator.checks.min_chars={checks.min_chars} is above max_chars={checks.max_chars}, so no answer passes; "
            "lower it."
        )
    if isinstance(generator, OpenAIGenerator):
        yield from _problems_of_server(generator)
        if library.voice == "plain":
            yield (
                "dataset.library.voice=plain needs the answers in plain words, which generator=openai does not write; set "
                "generator=template, or take away the arm that asks for it, for example '~arms.plain'."
            )
    try:
        components = mixture(load(library.persona), library.components)
        yield from _unknown_themes(components, library)
    except ConfigError as error:
        yield from error.problems


def _unknown_themes(components: tuple[Component, ...], library: LibraryConfig) -> Iterator[str]:
    from trivium.data.library import themes

    known = themes.load(library.themes.lexicon).words
    for part in components:
        if lost := [theme for theme in part.themes if theme not in known]:
            yield (
                f"dataset.library.components.{part.name}: the lexicon {library.themes.lexicon} has no theme "
                f"{', '.join(lost)}; it has {', '.join(known)}."
            )


def _problems_of_server(generator: OpenAIGenerator) -> Iterator[str]:
    if not generator.base_url.startswith(("http://", "https://")):
        yield f"generator.base_url is {generator.base_url!r}; write an address such as http://localhost:1234/v1."
    if generator.max_cost is not None and not (generator.price_per_million_input or generator.price_per_million_output):
        yield (
            f"generator.max_cost={generator.max_cost:g} stops nothing while both prices are 0; set "
            "generator.price_per_million_input and generator.price_per_million_output, or leave max_cost out."
        )


def mixture(persona: Persona, components: Mapping[str, Any]) -> tuple[Component, ...]:
    """The components to write: the persona's own, or those that are named, with their sizes and themes.

    Raises `ConfigError` naming every entry that cannot be used.
    """
    if not components:
        return tuple(persona.components.values())
    key = "dataset.library.components"
    problems: list[str] = []
    chosen = []
    for name, entry in components.items():
        if name not in persona.components:
            known = ", ".join(persona.components)
            problems.append(f"{key}.{name}: the persona {persona.name} has no such component; it has {known}.")
            continue
        found = list(_problems(f"{key}.{name}", entry))
        problems += found
        if not found:
            own = persona.components[name]
            given = dict(entry or {})
            themes = tuple(given.get("themes", own.themes))
            chosen.append(replace(own, size=given.get("size", own.size), themes=themes))
    if problems:
        raise ConfigError(problems)
    return tuple(chosen)


def _problems(key: str, entry: Any) -> Iterator[str]:
    if not isinstance(entry, Mapping | None):
        yield f"{key} is {entry!r}; write {{size: …, themes: […]}}."
        return
    given = dict(entry or {})
    if unknown := sorted(set(given) - {"size", "themes"}):
        yield f"{key}: unknown key {', '.join(unknown)}; allowed are size and themes."
    size, themes = given.get("size"), given.get("themes", [])
    if size is not None and (not isinstance(size, int) or isinstance(size, bool) or size < 1):
        yield f"{key}.size is {size!r}; write a number of rows from 1 on, or null for all that there are."
    if not isinstance(themes, Sequence) or isinstance(themes, str) or not all(isinstance(theme, str) for theme in themes):
        yield f"{key}.themes is {themes!r}; write a list of themes, or [] for any."
