import io
import tarfile
from pathlib import Path

import pytest

from trivium.errors import ConfigError, ModelError
from trivium.export.llama import source

TOP = "llama_cpp_python-0.0/vendor/llama.cpp"


def archive(path: Path, names: list[str], links: tuple[str, ...] = ()) -> Path:
    with tarfile.open(path, "w:gz") as tar:
        for name in names:
            member = tarfile.TarInfo(name)
            member.size = len(name)
            tar.addfile(member, io.BytesIO(name.encode()))
        for name in links:
            member = tarfile.TarInfo(name)
            member.type, member.linkname = tarfile.SYMTYPE, "/etc/passwd"
            tar.addfile(member)
    return path


def test_only_the_converter_is_unpacked(tmp_path):
    kept = ["convert_hf_to_gguf.py", "convert_lora_to_gguf.py", "conversion/base.py", "gguf-py/gguf/__init__.py"]
    left = [f"{TOP}/src/llama.cpp", f"{TOP}/conversion/../../../../out.py", "other/convert_hf_to_gguf.py", "/etc/x"]
    made = archive(tmp_path / "sdist.tar.gz", [*(f"{TOP}/{name}" for name in kept), *left], (f"{TOP}/conversion/link.py",))
    source.unpack(made, tmp_path / "a" / "b")
    assert sorted(str(p.relative_to(tmp_path / "a" / "b")) for p in tmp_path.rglob("*.py")) == sorted(kept)
    assert (tmp_path / "a" / "b" / kept[2]).read_text() == f"{TOP}/{kept[2]}"


def test_a_damaged_archive_and_one_without_converter(tmp_path):
    whole = archive(tmp_path / "sdist.tar.gz", [f"{TOP}/convert_hf_to_gguf.py"] * 50).read_bytes()
    (tmp_path / "half.tar.gz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ModelError, match=r"half\.tar\.gz is damaged"):
        source.unpack(tmp_path / "half.tar.gz", tmp_path / "out")
    with pytest.raises(ModelError, match="holds no convert_hf_to_gguf"):
        source.unpack(archive(tmp_path / "other.tar.gz", [f"{TOP}/README.md"]), tmp_path / "none")


def test_a_folder_that_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv("LLAMA_CPP_DIR", str(tmp_path))
    with pytest.raises(ConfigError, match=r"LLAMA_CPP_DIR=.* holds no convert_hf_to_gguf\.py; set it to"):
        source.find(tmp_path / "cache")
    (tmp_path / "convert_hf_to_gguf.py").touch()
    assert source.find(tmp_path / "cache") == tmp_path and not (tmp_path / "cache").exists()


def test_neither_network_nor_copy(tmp_path, monkeypatch):
    monkeypatch.delenv("LLAMA_CPP_DIR", raising=False)
    for key, value in {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": "", "PIP_CONFIG_FILE": "/dev/null"}.items():
        monkeypatch.setenv(key, value)
    with pytest.raises(ModelError, match=r"could not be fetched .*network and pip, or set LLAMA_CPP_DIR"):
        source.find(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_another_archive_is_refused(tmp_path, monkeypatch):
    archive(tmp_path / f"llama_cpp_python-{source.VERSION}.tar.gz", [f"{TOP}/convert_hf_to_gguf.py"])
    monkeypatch.delenv("LLAMA_CPP_DIR", raising=False)
    for key, value in {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(tmp_path), "PIP_CONFIG_FILE": "/dev/null"}.items():
        monkeypatch.setenv(key, value)
    with pytest.raises(ModelError, match=r"could not be fetched .*(?i:hash)"):
        source.find(tmp_path / "cache")
    assert not (tmp_path / "cache" / f"llama.cpp-{source.VERSION}").exists()


def test_the_copy_is_taken_again(tmp_path, monkeypatch):
    monkeypatch.delenv("LLAMA_CPP_DIR", raising=False)
    fetched = []

    def download(into: Path) -> Path:
        fetched.append(into)
        return archive(into / "sdist.tar.gz", [f"{TOP}/convert_hf_to_gguf.py", f"{TOP}/conversion/base.py"])

    monkeypatch.setattr(source, "_download", download)
    folder = source.find(tmp_path)
    assert folder == source.find(tmp_path) and len(fetched) == 1
    assert sorted(p.name for p in folder.iterdir()) == ["conversion", "convert_hf_to_gguf.py", "manifest.json"]
    (folder / "convert_hf_to_gguf.py").write_text("changed")
    assert source.find(tmp_path) == folder and len(fetched) == 2
