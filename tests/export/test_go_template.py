import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.export.formats import BOS, FORMATS, conversations, renderer

from trivium.errors import ModelError
from trivium.export import go_template
from trivium.export.go_template import literal, render, write
from trivium.export.template import parts

USER = {"role": "user", "content": "Who?"}


@pytest.mark.parametrize("name", FORMATS)
def test_a_written_template_makes_what_the_chat_template_makes(name):
    own = renderer(FORMATS[name])
    found = parts(own)
    made = write(found)
    for messages, ask in conversations(name):
        end = "" if ask else found.ends[messages[-1]["role"]]
        assert render(made, messages, ask) + end == own(messages, ask)


@pytest.mark.parametrize("name", ["llama3", "llama2", "mistral", "gemma3"])
def test_a_begin_token_is_left_to_the_program_that_adds_it(name):
    own = renderer(FORMATS[name])
    made = write(parts(own).without(BOS))
    for messages, ask in conversations(name):
        assert BOS + render(made, messages, ask) == own(messages, ask)


def test_a_last_turn_of_the_assistant_stays_open():
    made = write(parts(renderer(FORMATS["chatml"])))
    assert render(made, [USER, {"role": "assistant", "content": "It was"}]).endswith("assistant\nIt was")


@pytest.mark.parametrize("name", ["llama3", "llama2", "gemma2", "gemma3", "chatml"])
def test_blanks_are_taken_away_where_the_template_does_it(name):
    own = renderer(FORMATS[name])
    turns = [{"role": role, "content": f" \t\n\r{text} {text}\n \t"} for role, text in (("user", "a"), ("assistant", "é"))]
    assert render(write(parts(own)), [*turns, turns[0]]) == own([*turns, turns[0]], True)
    many = [{"role": "user", "content": " " * 2000 + "a" + "\n" * 2000}]
    assert render(write(parts(own)), many) == own(many, True)


def test_like_roles_in_succession_are_one_turn():
    made = write(parts(renderer(FORMATS["mistral"])))
    two = [{"role": "system", "content": "A."}, {"role": "system", "content": "B."}, USER, USER]
    assert render(made, two) == "<s>[INST] A.\n\nB.\n\nWho?\n\nWho?[/INST]"


@given(st.text(st.characters(codec="utf-8") | st.sampled_from('{}"\\ \n\t\r%-$.'), max_size=40))
def test_any_text_stands_for_itself(text):
    written = literal(text)
    assert render(f"{literal(text)}{{{{ $.System }}}}{literal(text)}", []) == text * 2
    assert all(c.isprintable() or c in "\n\t" for c in written) and '"""' not in written


@pytest.mark.parametrize(
    "template",
    [
        "{{ .Prompt }}",
        "{{ range .Messages }}{{ .Content }}{{ end }}",
        "{{- .System }}",
        "{{ .System -}}",
        "{{ .System",
        "{{ if .System }}x",
        "{{ end }}",
        "{{ if .System }}a{{ else }}b{{ else }}c{{ end }}",
        "{{ range $i, $m := .Messages }}{{ .Content }}",
        "{{ $a = .System }}",
        "{{ .System | html }}",
        "{{ len .System }}",
        '{{ template "none" .System }}',
        '{{ "\\q" }}',
        "{{ json .Messages }}",
        "{{ (.System }}",
        "{{ }}",
        "{{/* a comment */}}",
    ],
)
def test_what_is_not_written_here_is_refused(template):
    with pytest.raises(ModelError, match="the Ollama template"):
        render(template, [USER])


# --- Go itself -------------------------------------------------------------------------------------------------------

needs_go = pytest.mark.skipif(shutil.which("go") is None, reason="go is not installed; with it Go's own text/template is asked")


@pytest.fixture(scope="module")
def in_go(tmp_path_factory):
    """Texts that Go makes of templates and conversations."""
    folder = tmp_path_factory.mktemp("go")
    environment = {**os.environ, "GO111MODULE": "off", "GOCACHE": str(folder / "cache"), "GOFLAGS": ""}
    source = Path(__file__).with_name("ollama_template.go")
    subprocess.run(["go", "build", "-o", folder / "program", source], env=environment, check=True)

    def call(jobs):
        told = json.dumps([{"Template": template, "Messages": messages} for template, messages in jobs])
        done = subprocess.run([folder / "program"], input=told, capture_output=True, text=True, check=True)
        return json.loads(done.stdout)

    return call


@needs_go
def test_go_makes_the_same(in_go):
    """Also of the closed conversations, when the template is told that nobody asks."""
    jobs, wanted = [], []
    for name, format in FORMATS.items():
        own = renderer(format)
        found = parts(own)
        made = write(found)
        closed = made.replace(f"{go_template.ASKED} := $last", f"{go_template.ASKED} := eq 1 2")
        for messages, ask in conversations(name):
            jobs.append((made if ask else closed, messages))
            wanted.append(own(messages, ask).removesuffix("" if ask else found.ends[messages[-1]["role"]]))
    assert in_go(jobs) == wanted


@needs_go
def test_go_and_our_interpreter_agree_where_the_chat_template_is_silent(in_go):
    turns = [
        [USER, {"role": "assistant", "content": "It was"}],
        [USER, {"role": "system", "content": "Stop."}, USER],
        [{"role": "assistant", "content": " \n "}, {"role": "user", "content": ""}],
        [{"role": "system", "content": " only "}],
        [{"role": "user", "content": " \t\r\n a \u00a0 é \n"}, {"role": "tool", "content": "x"}, USER, USER],
    ]
    jobs = [(write(parts(renderer(format))), messages) for format in FORMATS.values() for messages in turns]
    assert in_go(jobs) == [render(template, messages) for template, messages in jobs]


@needs_go
@settings(max_examples=20, deadline=None)
@given(texts=st.lists(st.text(st.characters(codec="utf-8") | st.sampled_from('{}"\\ \n\t\r%-$.'), max_size=40), min_size=20))
def test_any_text_stands_for_itself_in_go(in_go, texts):
    assert in_go([(f"{literal(text)}{{{{ $.System }}}}{literal(text)}", []) for text in texts]) == [text * 2 for text in texts]
