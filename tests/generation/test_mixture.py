from trivium.generation.mixture import problems_in
from trivium.schema import LibraryConfig, TemplateGenerator, ThemesConfig


def problems(**components: object) -> list[str]:
    library = LibraryConfig(persona="keeper", themes=ThemesConfig(lexicon="small_world"), components=dict(components))
    return list(problems_in(TemplateGenerator(), library))


def test_known_themes_pass() -> None:
    assert problems(core={"themes": ["sea", "light"]}, style=None) == []


def test_a_theme_that_the_lexicon_lacks_is_named_with_those_it_has() -> None:
    (problem,) = problems(core={"themes": ["sea", "moor"]})
    assert "dataset.library.components.core" in problem and "moor" in problem and "craft" in problem


def test_an_unknown_component_is_named_with_those_there_are() -> None:
    (problem,) = problems(cores={})
    assert "cores" in problem and "core, style" in problem
