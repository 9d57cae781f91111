import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from trivium.errors import ConfigError, ModelError
from trivium.export.modelfile import Modelfile, read, write

printable = st.text(st.characters(codec="utf-8") | st.sampled_from('"" \n\t\r{}\\#'), max_size=30)
paths = st.from_regex(r"\./[a-z]{1,8}\.gguf", fullmatch=True)
keys = st.sampled_from(["stop", "num_ctx", "temperature"])
files = st.builds(
    Modelfile,
    base=paths,
    adapter=st.none() | paths,
    template=st.none() | printable,
    system=st.none() | printable,
    parameters=st.lists(st.tuples(keys, printable), max_size=4).map(tuple),
    licenses=st.lists(printable, max_size=2).map(tuple),
)

LIKE_OURS = Modelfile(
    "./base.gguf",
    "./lora.gguf",
    '{{ range .Messages }}<|user|>\n{{ .Content }}"""\t"" {{ end }}\n',
    'Say "yes".\n# No comment\nFROM here on.',
    (("num_ctx", "2048"), ("stop", "<|end|>"), ("stop", "\n\n"), ("stop", '"'), ("stop", ""), ("stop", " User:")),
    ('A """licence""" of\n\nlines', "apache-2.0"),
)


@given(files, st.text(max_size=20))
@example(LIKE_OURS, "")
def test_what_is_written_is_read_or_refused(file, comment):
    try:
        text = write(file, comment)
    except ConfigError as error:
        values = [file.template, file.system, *file.licenses, *(value for _, value in file.parameters)]
        assert any(_unfit(value) for value in values if value) and "cannot stand as" in str(error)
        return
    assert read(text) == file


def _unfit(value):
    """Holds what Ollama drops, or quotes that close at a line's end."""
    lines = value.replace("\r", "\n").split("\n")
    return any(not c.isprintable() and c not in "\r\n\t" for c in value) or any(
        line.strip().endswith('"""') for line in lines[:-1]
    )


def test_our_own_is_taken():
    assert read(write(LIKE_OURS, "Trivium\nrun 1")) == LIKE_OURS
    assert write(LIKE_OURS, "Trivium\nrun 1").startswith("# Trivium\n# run 1\nFROM ./base.gguf\nADAPTER ./lora.gguf\n")


def test_stops_are_among_the_parameters():
    assert LIKE_OURS.stops() == ("<|end|>", "\n\n", '"', "", " User:")


def test_it_is_read_as_ollama_reads_it():
    text = (
        '  from ./a.gguf \r\n# x\n\n\tSystem """one\n"two"\n""" \nparameter stop "a" b"\n'
        "PARAMETER stop c d\nTEMPLATE a\u00a0b\u200dc"
    )
    found = read(text)
    assert found == Modelfile("./a.gguf", None, "abc", 'one\n"two"\n', (("stop", 'a" b'), ("stop", "c d")))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("TEMPLATE x\n", "no FROM"),
        ('FROM x\nSYSTEM """one\n', "within the quotes of SYSTEM"),
        ('FROM x\nPARAMETER stop "one\n', "within the quotes of STOP"),
        ("FROM x\nPARAMETER stop\n", "no instruction"),
        ("FROM x\nMESSAGE user hello\n", "holds MESSAGE"),
        ("FROM x\n<|user|> hello\n", "no instruction"),
        ("FROM x\nSYSTEM\n", "no instruction"),
    ],
)
def test_damage_is_told(text, says):
    with pytest.raises(ModelError, match=says):
        read(text)


@pytest.mark.parametrize("system", ["a\u00a0b", "👩\u200d💻", 'say """\nand go on'])
def test_what_ollama_would_change_is_refused(system):
    with pytest.raises(ConfigError, match="cannot stand as SYSTEM"):
        write(Modelfile("./a.gguf", system=system))
