import json
import os
import stat
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from tests.export.formats import CHATML_DEFAULT, FORMATS
from tests.export.llama_cases import certificates, finished, needs_llama_cpp, use_converter
from tests.export.shapes import SHAPES

from trivium.console import Screen, console
from trivium.errors import ConfigError, ModelError
from trivium.export import go_template, modelfile
from trivium.export.kinds import gguf, gguf_lora, ollama
from trivium.export.ollama import begin_of

pytestmark = needs_llama_cpp

STAND_IN = """#!{python}
import json, pathlib, sys
from trivium.export.modelfile import read
if {fails}:
    sys.exit("Error: could not connect to a running Ollama instance")
assert sys.argv[1] == "create" and sys.argv[3] == "-f", sys.argv
file = pathlib.Path(sys.argv[4])
found = read(file.read_text(encoding="utf-8"))
for name in filter(None, (found.base, found.adapter)):
    assert (file.parent / name).open("rb").read(4) == b"GGUF", name
told = dict(name=sys.argv[2], template=found.template, system=found.system, parameters=found.parameters)
pathlib.Path({record!r}).write_text(json.dumps(told))
"""


@pytest.fixture(autouse=True)
def _converter(monkeypatch):
    use_converter(monkeypatch)


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder of finished runs by shape, which the tests of this file share."""
    return tmp_path_factory.mktemp("ollama")


@pytest.fixture
def program(tmp_path, monkeypatch):
    """Puts an `ollama` on the PATH that checks what it is given, or fails; returns the file that it records in."""

    def install(fails=False):
        folder, record = tmp_path / "bin", tmp_path / "record.json"
        folder.mkdir()
        file = folder / "ollama"
        file.write_text(STAND_IN.format(python=sys.executable, fails=fails, record=str(record)), encoding="utf-8")
        file.chmod(file.stat().st_mode | stat.S_IXUSR)
        monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
        return record

    return install


def job_of(place, config_of, shape="llama_tied", *words):
    return finished(shape, place / shape, config_of, "export=ollama", "export.ollama.create=false", *words)


def exported(job):
    """The folder, made from what it needs, its notes, and what it was made from."""
    made = {"merged": job.folder / "merged"}
    for kind in (gguf, gguf_lora):
        name = kind.__name__.rsplit(".", 1)[-1]
        if name in ollama.needs(job.config.export):
            made[name] = job.folder / name
            made[name].mkdir(exist_ok=True)
            if not kind.file_of(job, made[name], job.config.export.ollama.type).is_file():
                kind.make(job, made[name], made)
    folder = job.folder / "ollama"
    folder.mkdir(exist_ok=True)
    for file in folder.iterdir():
        file.unlink()
    return folder, ollama.make(job, folder, made), made


def read(folder):
    return modelfile.read((folder / "Modelfile").read_text(encoding="utf-8"))


def damage(folder, old, new):
    text = (folder / "Modelfile").read_text(encoding="utf-8")
    assert old in text
    (folder / "Modelfile").write_text(text.replace(old, new, 1), encoding="utf-8")


def certificate(job, made):
    return certificates(job, ollama.variants(job, job.folder / "ollama", made))["ollama"]


def test_the_whole_model_under_a_modelfile(place, config_of):
    job = job_of(place, config_of)
    folder, notes, made = exported(job)
    file = read(folder)
    assert sorted(p.name for p in folder.iterdir()) == ["Modelfile", "model.gguf"]
    assert (folder / "model.gguf").samefile(gguf.file_of(job, made["gguf"], "q8_0"))
    assert (file.base, file.adapter, file.system, file.licenses) == ("./model.gguf", None, None, ())
    assert {"<|end|>", "<|user|>"} <= set(file.stops())
    assert {("temperature", "0"), ("repeat_penalty", "1")} < set(file.parameters)
    assert notes["model"] == "small" and not notes["created"] and notes["command"].endswith("ollama create small -f Modelfile")
    found = certificate(job, made)
    assert (found.reasons, found.templates, found.tokens, found.stops) == ([], 1, 1, True)
    assert found.files.keys() == {"ollama/Modelfile", "ollama/model.gguf"}


@pytest.mark.slow
@pytest.mark.parametrize("shape", [pytest.param(SHAPES[1], marks=pytest.mark.long), *SHAPES[2:]])
def test_every_shape_renders_stops_and_answers_as_the_reference(place, config_of, shape):
    job = job_of(place, config_of, shape, "export.ollama.type=f16")
    found = certificate(job, exported(job)[2])
    assert (found.templates, found.tokens, found.stops) == (1, 1, True) and found.kl < 1e-4


def test_a_begin_token_that_llama_cpp_adds_is_not_in_the_template_too(tmp_path, config_of):
    job = job_of(tmp_path, config_of, "llama_untied")
    file = job.folder / "merged" / "tokenizer_config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"add_bos_token": True}))
    folder, _, made = exported(job)
    assert begin_of(folder / "model.gguf") == "<|begin_of_text|>" not in str(read(folder).template)
    found = certificate(job, made)
    assert (found.templates, found.tokens, found.stops) == (1, 1, True)


def test_the_adapter_over_the_base(place, config_of):
    job = job_of(place, config_of, "llama_tied", "export.ollama.source=adapter", "export.ollama.type=f16")
    folder, _, made = exported(job)
    assert (read(folder).base, read(folder).adapter) == ("./base.gguf", "./lora.gguf")
    found = certificate(job, made)
    assert found.reasons == [] and len(found.files) == 3
    damage(folder, "ADAPTER ./lora.gguf\n", "")
    assert "divergence" in certificate(job, made).reasons[0]


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("<|user|>{{ .Content }}", "<|user|> {{ .Content }}", "rendered differently"),
        ("{{ if not $asked }}<|end|>{{ end }}", "", "rendered differently"),
    ],
)
def test_a_damaged_modelfile_is_found(place, config_of, old, new, says):
    job = job_of(place, config_of)
    folder, _, made = exported(job)
    damage(folder, old, new)
    assert any(says in reason for reason in certificate(job, made).reasons)


def test_a_system_message_of_the_training_is_written_and_checked(place, config_of):
    job = job_of(place, config_of, "llama_tied", "dataset.chat.system='You are\n\"brief\".'")
    folder, _, made = exported(job)
    assert read(folder).system == 'You are\n"brief".'
    (variant,) = ollama.variants(job, folder, made)
    turns = [{"role": "system", "content": 'You are\n"brief".'}, {"role": "user", "content": "Who?"}]
    with variant.open() as runtime:
        assert runtime.render(turns, True) == '<|system|>You are\n"brief".<|end|><|user|>Who?<|end|><|assistant|>'
    damage(folder, "You are", "You were")
    with variant.open() as runtime:
        assert "You were" in runtime.render(turns, True)


def test_settings_of_the_export(place, config_of):
    words = ["temperature=0.7", "top_p=0.9", "top_k=20", "num_ctx=300", "model=me/mine:latest", "system=Speak."]
    job = job_of(place, config_of, "llama_tied", *(f"export.ollama.{word}" for word in words), "export.hub.license=apache-2.0")
    folder, notes, _ = exported(job)
    found = dict(read(folder).parameters)
    assert {k: found[k] for k in ("temperature", "top_p", "top_k", "num_ctx")} == {
        "temperature": "0.7",
        "top_p": "0.9",
        "top_k": "20",
        "num_ctx": "300",
    }
    assert notes["model"] == "me/mine:latest" and read(folder).system == "Speak." and read(folder).licenses == ("apache-2.0",)


def test_the_base_models_licence_goes_along(place, config_of):
    job = job_of(place, config_of)
    licence = Path(job.base) / "LICENSE.txt"
    licence.write_text('A licence\x0c\n"as is"\n', encoding="utf-8")
    folder, _, _ = exported(job)
    licence.unlink()
    assert read(folder).licenses == ('A licence\n"as is"\n',)


def test_ollama_creates_the_model_where_it_is_found(place, config_of, program):
    job, record = job_of(place, config_of, "llama_tied", "export.ollama.create=true"), program()
    folder, notes, _ = exported(job)
    told = json.loads(record.read_text())
    assert notes["created"] and told["name"] == "small" and told["template"] == read(folder).template


def test_ollama_is_not_asked_when_it_should_not_be(place, config_of, program):
    job, record = job_of(place, config_of), program()
    assert not exported(job)[1]["created"] and not record.exists()


def test_a_failure_of_ollama_is_a_warning(place, config_of, program, tmp_path):
    program(fails=True)
    with (tmp_path / "screen.txt").open("w+", encoding="utf-8") as out:
        job = replace(job_of(place, config_of, "llama_tied", "export.ollama.create=true"), screen=Screen(console(out)))
        folder, notes, _ = exported(job)
        out.seek(0)
        shown = out.read()
    assert not notes["created"] and (folder / "Modelfile").is_file()
    assert "could not connect" in shown and f"cd {folder} && ollama create small -f Modelfile" in shown


@pytest.mark.parametrize(
    ("name", "called"), [("Distrust 2", "distrust-2"), ("a/b", "a-b"), (".x", "x"), ("run_1.2", "run_1.2")]
)
def test_names_become_such_as_ollama_takes(place, config_of, name, called):
    job = job_of(place, config_of)
    assert ollama.model_name(replace(job, config=replace(job.config, name=name))) == called


def test_a_template_of_ones_own(place, config_of, tmp_path):
    """It is what training and evaluation used, and what must be exported."""
    file = tmp_path / "own.jinja"
    file.write_text(CHATML_DEFAULT, encoding="utf-8")
    job = job_of(place, config_of, "llama_tied", f"model.chat_template={file}")
    found = read(exported(job)[0])
    text = go_template.render(str(found.template), [{"role": "user", "content": "Who?"}])
    assert text.startswith("<|im_start|>system\nYou help.<|im_end|>\n<|im_start|>user\nWho?")


LONG = [pytest.param(name, marks=pytest.mark.long) for name in ("phi3", "gemma2", "mistral", "thinking")]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["gemma3", "llama2", *LONG])
def test_formats_of_others_pass_the_certificate(tmp_path, config_of, name):
    file = tmp_path / "own.jinja"
    file.write_text(FORMATS[name], encoding="utf-8")
    job = job_of(tmp_path, config_of, "llama_untied", f"model.chat_template={file}", "export.ollama.type=f16")
    found = certificate(job, exported(job)[2])
    assert (found.templates, found.tokens, found.stops) == (1, 1, True)


def test_a_template_that_ollama_cannot_be_told(place, config_of, tmp_path):
    file = tmp_path / "own.jinja"
    file.write_text(CHATML_DEFAULT.replace("m['content']", "m['content'] | replace('u', 'v')"), encoding="utf-8")
    with pytest.raises(ModelError, match=r"model\.chat_template"):
        exported(job_of(place, config_of, "llama_tied", f"model.chat_template={file}"))


def test_a_system_message_that_a_modelfile_cannot_hold(place, config_of):
    with pytest.raises(ConfigError, match="cannot stand as SYSTEM"):
        exported(job_of(place, config_of, "llama_tied", "export.ollama.system='a\u200db'"))
