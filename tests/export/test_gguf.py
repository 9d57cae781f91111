import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
import unicodedata
from contextlib import suppress
from functools import partial
from pathlib import Path

import pytest
from tests.export import shapes
from tests.export.llama_cases import certificates, finished, needs_llama_cpp, use_converter
from tests.export.shapes import SHAPES
from tokenizers import AddedToken
from transformers import AutoTokenizer

from trivium.errors import ConfigError, ModelError
from trivium.export.kinds import gguf, gguf_lora
from trivium.export.llama import convert, opened
from trivium.export.runtime import Variant
from trivium.schema.export import GGUF_TYPES

pytestmark = needs_llama_cpp


@pytest.fixture(autouse=True)
def _converter(monkeypatch):
    use_converter(monkeypatch)


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder of finished runs by shape, which the tests of this file share."""
    return tmp_path_factory.mktemp("gguf")


def exported(job, kind=gguf):
    """The kind's folder, made, and its notes."""
    made = {"merged": job.folder / "merged"}
    out = job.folder / kind.__name__.rsplit(".", 1)[-1]
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir()
    return out, kind.make(job, out, made), kind.variants(job, out, made)


@pytest.mark.parametrize(
    ("words", "types"),
    [
        (["export=gguf"], ("q8_0",)),
        (["export=gguf", "export.gguf.types=[q4_k_m,f16]"], ("f16", "q4_k_m")),
        (["export=[gguf,ollama,lmstudio]", "export.ollama.type=q6_k", "export.lmstudio.type=q2_k"], ("q8_0", "q6_k", "q2_k")),
        (["export=ollama", "export.ollama.type=q6_k", "export.gguf.types=[f32]"], ("q6_k",)),
        (["export=[ollama,lmstudio]", "export.ollama.source=adapter", "export.lmstudio.type=f16"], ("f16",)),
    ],
)
def test_types_are_those_that_somebody_needs(config_of, words, types):
    assert gguf.types_of(config_of("arms=null", *words).export) == types


def test_a_run_leaves_as_gguf_and_answers_the_same(place, config_of):
    job = finished("llama_tied", place / "llama_tied", config_of, "export=gguf", "export.gguf.types=[f16,q4_k_m]")
    folder, notes, variants = exported(job)
    assert sorted(p.name for p in folder.iterdir()) == ["small-f16.gguf", "small-q4_k_m.gguf"]
    assert notes["tensors"]["q4_k_m"]["q4_k"] and "q4_k" not in notes["tensors"]["f16"]
    found = certificates(job, variants)
    assert {name: one.reasons for name, one in found.items()} == {"gguf/f16": [], "gguf/q4_k_m": []}
    assert found["gguf/f16"].kl < found["gguf/q4_k_m"].kl / 100
    assert found["gguf/f16"].answers == 1 and found["gguf/f16"].files.keys() == {"gguf/small-f16.gguf"}
    assert strings_with_other_tokens(job, gguf.file_of(job, folder, "f16")) == []


LETTERS = "abcdelmrstv sSTLM's'\"\n\t .,!?12345é北🙂{}|<>_-ΩДß\u00a0\u3000\r½ﬁ\u0301\u200d"


def strings_with_other_tokens(job, file, count=3000):
    """Random strings that llama.cpp cuts otherwise; composed ones, for it normalises nothing."""
    rng = random.Random(0)
    strings = ("".join(rng.choices(LETTERS, k=rng.randint(1, 14))) for _ in range(count))
    tokenizer = AutoTokenizer.from_pretrained(job.base)
    with opened(file) as runtime:
        composed = [text for text in strings if unicodedata.is_normalized("NFC", text)]
        return [text for text in composed if runtime.tokenize(text) != tokenizer(text, add_special_tokens=False)["input_ids"]]


LONG = [pytest.param(shape, marks=pytest.mark.long) for shape in SHAPES[1:]]


@pytest.mark.slow
@pytest.mark.parametrize("shape", [SHAPES[0], *LONG])
def test_every_shape_in_every_type(place, config_of, shape):
    job = finished(shape, place / shape, config_of, "export=gguf", f"export.gguf.types=[{','.join(GGUF_TYPES)}]")
    folder, _, variants = exported(job)
    found = certificates(job, variants)
    assert {name: one.reasons for name, one in found.items()} == {f"gguf/{kind}": [] for kind in GGUF_TYPES}
    assert strings_with_other_tokens(job, gguf.file_of(job, folder, "f32")) == []


def test_the_untuned_model_is_found_out(place, config_of):
    job = finished("llama_tied", place / "llama_tied", config_of, "export=gguf_lora", "export.gguf_lora.type=f16")
    base = gguf_lora.base_file(job, "f16")
    found = certificates(job, [Variant("base", "f16", (), partial(opened, base))])["base"]
    assert found.templates == found.tokens == 1 and not found.passed and found.kl > 1e-3


def test_another_template_is_found_out_and_no_token_is_put_in_front(place, config_of, tmp_path):
    job = finished("llama_untied", place / "llama_untied", config_of, "export=gguf")
    merged = shutil.copytree(job.folder / "merged", tmp_path / "merged")
    for name in ("chat_template.jinja", "tokenizer_config.json"):
        (merged / name).write_text((merged / name).read_text().replace("assistant<|end", "assistant <|end"))
    convert.write_model(merged, {"f16": tmp_path / "x.gguf"}, "x", tmp_path)
    found = certificates(job, [Variant("other", "f16", (), partial(opened, tmp_path / "x.gguf"))])["other"]
    assert found.tokens == 1 and found.templates < 1 and "are rendered differently" in found.reasons[0]
    with opened(tmp_path / "x.gguf") as runtime:  # llama-bpe puts a token in front unless the file forbids it
        assert runtime._llama.tokenize(b"it", add_bos=True) == AutoTokenizer.from_pretrained(merged)("it")["input_ids"]


@pytest.mark.parametrize("rslora", [False, True])
def test_the_adapter_over_its_base(place, config_of, rslora):
    job = finished("llama_untied", place / "llama_untied", config_of, "export=gguf_lora")
    settings = job.run / "adapter" / "adapter_config.json"
    settings.write_text(json.dumps(json.loads(settings.read_text()) | {"use_rslora": rslora}))
    folder, notes, variants = exported(job, gguf_lora)
    assert [p.name for p in folder.iterdir()] == ["small-lora-f16.gguf"] and notes["tensors"]["f16"] == 28
    assert certificates(job, variants)["gguf_lora"].reasons == []


def test_no_adapter_where_every_weight_was_trained(place, config_of, tmp_path):
    job = finished("llama_tied", place / "llama_tied", config_of, "export=gguf_lora")
    (tmp_path / "run" / "model").mkdir(parents=True)
    whole = type(job)(job.config, job.base, tmp_path / "run", tmp_path / "export", job.screen)
    with pytest.raises(ConfigError, match=r"needs an adapter, and this run trained every weight .* take export=\[gguf\]"):
        gguf_lora.make(whole, tmp_path, {})


def change_tokenizer(folder, change):
    tokenizer = json.loads((folder / "tokenizer.json").read_text())
    change(tokenizer)
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer))


def split_of(tokenizer):
    return tokenizer["pre_tokenizer"]["pretokenizers"][0]["pattern"]


def test_a_tokenizer_that_nobody_knows(config_of, tmp_path):
    words = ("export=gguf", "export.gguf.types=[f32]")
    job = finished("llama_tied", tmp_path, config_of, *words)
    for folder in (tmp_path / "base", job.folder / "merged"):
        change_tokenizer(folder, lambda t: split_of(t).update(Regex=r"\p{L}+|\p{N}{1,2}|[^\p{L}\p{N}]"))
    with pytest.raises(ModelError, match=r"does not know how this tokenizer cuts .* export\.gguf\.pre_tokenizer"):
        exported(job)
    assert list((job.folder / "gguf").iterdir()) == []
    named = finished("llama_tied", tmp_path, config_of, *words, "export.gguf.pre_tokenizer=qwen2")
    found = certificates(named, exported(named)[2])["gguf/f32"]
    assert found.tokens < 1 and "become other tokens" in found.reasons[0]


def test_a_pre_tokenizer_that_llama_cpp_does_not_know(place, config_of, tmp_path, monkeypatch):
    words = ("export=gguf", "export.gguf.types=[f32]", "export.gguf.pre_tokenizer=qwen22")
    job = finished("llama_tied", place / "llama_tied", config_of, *words)
    with pytest.raises(ConfigError, match=r"export\.gguf\.pre_tokenizer: set to 'qwen22', .* did you mean `qwen2`"):
        exported(job)
    assert list((job.folder / "gguf").iterdir()) == []


def test_what_llama_cpp_cannot_load_is_not_finished(place, config_of, tmp_path, monkeypatch):
    """A converter that is newer than the bindings writes names that they do not know."""
    job = finished("llama_tied", place / "llama_tied", config_of, "export=gguf")
    merged = shutil.copytree(job.folder / "merged", tmp_path / "merged")
    change_tokenizer(merged, lambda t: split_of(t).update(Regex=r"\p{L}+|\p{N}{1,2}|[^\p{L}\p{N}]"))
    monkeypatch.setattr(convert.pre_tokenizer, "known", lambda _: "of tomorrow")
    (tmp_path / "out").mkdir()
    with pytest.raises(ModelError, match="the converter may be newer"):
        convert.write_model(merged, {"f32": tmp_path / "out" / "x.gguf"}, "x", tmp_path)
    assert list((tmp_path / "out").iterdir()) == []


def test_special_tokens_of_odd_kinds(config_of, tmp_path):
    shapes.make("qwen2", tmp_path / "base", clear=True)
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "base")
    odd = [AddedToken(text, special=True, normalized=False) for text in ("<odd one>", "[[stop]]", "→end←", "b b")]
    files = ["<|fim_pad|>", "<|repo_name|>", "<|file_sep|>"]  # llama.cpp stops at these, as Qwen's own have them
    tokenizer.add_special_tokens({"additional_special_tokens": [*odd, *files]})
    tokenizer.add_tokens([AddedToken("it's", special=False, normalized=False)])
    tokenizer.eos_token = "[[stop]]"
    tokenizer.chat_template = tokenizer.chat_template.replace("<|im_end|>", "[[stop]]").replace("<|im_start|>", "<odd one>")
    tokenizer.save_pretrained(tmp_path / "base")
    settings = json.loads((tmp_path / "base" / "generation_config.json").read_text())
    settings["eos_token_id"] = tokenizer.convert_tokens_to_ids(["[[stop]]", "→end←", "<|endoftext|>", "<|im_end|>"])
    (tmp_path / "base" / "generation_config.json").write_text(json.dumps(settings))
    job = finished("qwen2", tmp_path, config_of, "export=gguf", "export.gguf.types=[f32]")
    found = certificates(job, exported(job)[2])["gguf/f32"]
    assert found.reasons == [] and found.tokens == found.templates == 1 and found.stops


def test_rows_that_do_not_fit_are_told(config_of, tmp_path, capsys):
    job = finished("llama_tied", tmp_path, config_of, "export=gguf", "export.gguf.types=[q4_k_m]", hidden=192)
    _, notes, variants = exported(job)
    assert "gguf/q4_k_m: rows that are not multiples of 256 long" in capsys.readouterr().out
    assert "q4_k" not in notes["tensors"]["q4_k_m"] and certificates(job, variants)["gguf/q4_k_m"].passed


def test_a_converter_that_fails_leaves_nothing(place, config_of, tmp_path):
    job = finished("llama_tied", place / "llama_tied", config_of, "export=gguf")
    merged = tmp_path / "merged"
    shutil.copytree(job.folder / "merged", merged)
    config = json.loads((merged / "config.json").read_text())
    (merged / "config.json").write_text(json.dumps(config | {"architectures": ["NoSuchModel"]}))
    with pytest.raises(ModelError, match=r"could not convert it: .*NoSuchModel"):
        convert.write_model(merged, {"f16": tmp_path / "out.gguf"}, "x", tmp_path)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["merged"]


WRITE = """
import resource, sys
from pathlib import Path
from trivium.export.llama import convert
limit = int(sys.argv[3])
if limit:
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
convert.write_model(Path(sys.argv[1]), {"f32": Path(sys.argv[2]) / "out.gguf"}, "x", Path(sys.argv[2]))
"""


def test_a_disk_that_takes_no_more_leaves_nothing(place, config_of, tmp_path):
    job = finished("llama_tied", place / "llama_tied", config_of, "export=gguf")
    command = [sys.executable, "-c", WRITE, str(job.folder / "merged"), str(tmp_path), "1000000"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 1 and "File too large" in done.stderr.splitlines()[-1] and list(tmp_path.iterdir()) == []


SLEEPY = """
import sys, time
class TextModel:
    get_vocab_base_pre = None
def main():
    with open(sys.argv[sys.argv.index("--outfile") + 1], "wb") as file:
        file.write(b"GGUF and half of the rest")
    time.sleep(300)
"""


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="children are found in /proc")
def test_a_killed_export_leaves_nothing_that_looks_whole_and_nobody_at_work(tmp_path, monkeypatch):
    (tmp_path / "llama" / "gguf-py").mkdir(parents=True)
    (tmp_path / "llama" / "convert_hf_to_gguf.py").write_text(SLEEPY)
    (tmp_path / "llama" / "gguf-py" / "gguf.py").write_text("class SpecialVocab:\n    _load = None\n")
    monkeypatch.setenv("LLAMA_CPP_DIR", str(tmp_path / "llama"))
    model, out = tmp_path / "model", tmp_path / "out"
    shapes.make_tokenizer("qwen2").save_pretrained(model)
    (model / "config.json").write_text("{}")
    out.mkdir()
    process = subprocess.Popen([sys.executable, "-c", WRITE, str(model), str(out), "0"])
    wait_for(lambda: list(out.glob(".part-*/*.gguf")))
    drivers = children(process.pid)
    process.kill()
    process.wait()
    try:
        wait_for(lambda: not any(Path(f"/proc/{pid}").exists() for pid in drivers))
    finally:
        for pid in drivers:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
    assert drivers and list(out.glob("*")) == list(out.glob(".part-*"))


def wait_for(seen, seconds=30):
    until = time.monotonic() + seconds
    while not seen():
        assert time.monotonic() < until
        time.sleep(0.02)


def children(pid):
    return [int(child) for file in Path(f"/proc/{pid}/task").glob("*/children") for child in file.read_text().split()]
