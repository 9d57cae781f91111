from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jinja2.exceptions import TemplateError
from tests.export.formats import CHATML, CHATML_DEFAULT, FORMATS, GEMMA2, LLAMA2, LLAMA3, PHI3, conversations, renderer

from trivium.errors import ModelError
from trivium.export.template import Turn, parts, require, without_generation_tags
from trivium.models.tiny import CHAT_TEMPLATE

USER = {"role": "user", "content": "Who?"}
SYSTEM = {"role": "system", "content": "Be brief."}


@pytest.mark.parametrize("name", FORMATS)
def test_the_parts_make_what_the_template_makes(name):
    render = renderer(FORMATS[name])
    found = parts(render)
    for messages, ask in conversations(name):
        assert found.assemble(messages, ask) == render(messages, ask)


def test_the_strings_around_turns_are_those_of_the_format():
    found = parts(renderer(CHATML_DEFAULT))
    assert found.turns["user"] == Turn("<|im_start|>user\n", "<|im_end|>\n")
    assert found.turns["system"] == Turn("<|im_start|>system\n", "<|im_end|>\n")
    assert found.heads == {
        "user": "<|im_start|>system\nYou help.<|im_end|>\n<|im_start|>user\n",
        "system": "<|im_start|>system\n",
    }
    assert (found.prompt, found.last_answer) == ("<|im_start|>assistant\n",) * 2


def test_where_a_system_message_goes():
    ways = {name: parts(renderer(template)).system for name, template in FORMATS.items()}
    assert {name: way for name, way in ways.items() if way != "turn"} == {
        "llama2": "joined",
        "gemma3": "joined",
        "mistral": "last",
        "gemma2": "none",
    }


def test_an_end_after_a_conversation_that_nobody_goes_on_with():
    found = parts(renderer(PHI3))
    assert found.ends == {"user": "</s>", "assistant": "</s>"} and found.turns["user"].suffix == "<|end|>\n"


def test_blanks_that_the_template_takes_away():
    assert parts(renderer(LLAMA3)).stripped == {"system", "user", "assistant"}
    assert parts(renderer(GEMMA2)).stripped == {"user", "assistant"}
    assert parts(renderer(CHATML)).stripped == set()
    assert parts(renderer(LLAMA3)).differs == ()


def test_what_cannot_be_told_is_said():
    assert parts(renderer(CHATML)).differs == ()
    assert "thinking" in parts(renderer(FORMATS["thinking"])).differs[0]
    one_side = CHATML.replace("m['content']", "m['content'].lstrip()")
    assert "blanks" in parts(renderer(one_side)).differs[0]


def test_a_begin_token_that_the_program_adds_by_itself():
    for template in (LLAMA3, LLAMA2, GEMMA2):
        render = renderer(template)
        messages = [USER, {"role": "assistant", "content": "Nobody."}, USER]
        assert "<s>" + parts(render).without("<s>").assemble(messages, True) == render(messages, True)
    assert parts(renderer(CHATML)).without("<s>") == parts(renderer(CHATML))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ("{{ messages[-1]['content'] }}", "leaves out or changes"),
        (CHATML.replace("m['content']", "m['content'] | upper"), "leaves out or changes"),
        (CHATML.replace("m['content']", "m['content'] ~ (loop.index if m['role'] == 'user' else '')"), "where its parts give"),
        (CHATML.replace("m['content']", "m['content'] ~ ('!' if '\"' in m['content'] else '')"), "where its parts give"),
        ("{{ raise_exception('never') }}", "refuses a conversation of user"),
    ],
)
def test_a_template_that_cannot_be_taken_apart(change, says):
    with pytest.raises(ModelError, match=says) as failed:
        parts(renderer(change))
    assert "model.chat_template" in str(failed.value)


def test_a_conversation_that_reads_differently_is_shown():
    render = renderer(CHATML)
    found = parts(render)
    with pytest.raises(ModelError, match=r"conversation of system, user reads .*end.* where its parts give"):
        wrong = {**found.turns, "system": Turn("<|im_start|>system\n", "\n")}
        require(replace(found, turns=wrong), render, [([SYSTEM, USER], True)])


TAGGED = (
    CHAT_TEMPLATE,
    "{% for m in messages %}\n  {% generation %}\n{{ m['content'] }}\n  {% endgeneration %}\n{% endfor %}",
    "{% for m in messages %}{{ m['role'] -}} {%- generation -%}  {{ m['content'] }}  {%- endgeneration %} x\n{% endfor %}",
    "{% for m in messages %}{{ m['role'] -}} {% generation %} {{ m['content'] }} {%+ endgeneration +%}\n x\n{% endfor %}",
    "{% for m in messages %}{# {% generation %} #}{{ '{% generation %}' }}{%generation%}{{ m['content'] }}{%endgeneration%}"
    "{% endfor %}",
)


@pytest.mark.parametrize("template", TAGGED)
def test_without_generation_tags_the_rendering_is_the_same(template):
    bare = without_generation_tags(template)
    for messages, ask in conversations("chatml"):
        assert renderer(bare)(messages, ask) == renderer(template)(messages, ask)


def test_the_embedded_template_has_none_left():
    assert "generation %" not in without_generation_tags(CHAT_TEMPLATE) and "{#" not in without_generation_tags(CHAT_TEMPLATE)
    assert without_generation_tags(CHATML) == CHATML


PIECES = ("x", " ", "\n", "{{ m['content'] }}", "{{- m['content'] -}}", "{% if true %}", "{%- if true -%}", "{# c -#}")


@settings(max_examples=60, deadline=None)
@given(*[st.lists(st.sampled_from(PIECES), max_size=4)] * 3, *[st.sampled_from(("", "-", "+"))] * 4)
def test_blanks_around_tags_survive_their_removal(before, within, after, a, b, c, d):
    body = f"{''.join(before)}{{%{a} generation {b}%}}{''.join(within)}{{%{c} endgeneration {d}%}}{''.join(after)}"
    template = f"{{% for m in messages %}}{body}{'{% endif %}' * body.count('if true')}{{% endfor %}}"
    try:
        wanted = renderer(template)([USER], False)
    except TemplateError:  # an if that the tag would cut in two
        return
    bare = without_generation_tags(template)
    assert "%} generation" not in bare and renderer(bare)([USER], False) == wanted
