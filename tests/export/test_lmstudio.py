import pytest
from tests.export.llama_cases import certificates, finished, needs_llama_cpp, use_converter

from trivium.export.kinds import gguf, lmstudio

pytestmark = needs_llama_cpp


@pytest.fixture(autouse=True)
def _converter(monkeypatch):
    use_converter(monkeypatch)


def test_the_file_lies_where_lm_studio_looks_and_answers_the_same(tmp_path, config_of):
    words = ("export=lmstudio", "export.lmstudio.publisher=me", "export.lmstudio.type=q6_k")
    job = finished("llama_tied", tmp_path, config_of, *words)
    made = {"merged": job.folder / "merged", "gguf": job.folder / "gguf"}
    assert lmstudio.needs(job.config.export) == ("gguf",)
    made["gguf"].mkdir()
    gguf.make(job, made["gguf"], made)
    folder = job.folder / "lmstudio"
    folder.mkdir()
    notes = lmstudio.make(job, folder, made)
    file = folder / "me" / "small" / "small-q6_k.gguf"
    assert [p for p in folder.rglob("*") if p.is_file()] == [file]
    assert file.samefile(gguf.file_of(job, made["gguf"], "q6_k")) and notes["import"] == f"lms import {file}"
    found = certificates(job, lmstudio.variants(job, folder, made))
    assert found["lmstudio"].reasons == [] and found["lmstudio"].files.keys() == {"lmstudio/me/small/small-q6_k.gguf"}
