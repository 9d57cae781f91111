import os

from trivium.export.links import link


def test_two_names_of_one_file(tmp_path):
    file = tmp_path / "a.gguf"
    file.write_bytes(b"GGUF")
    link(file, tmp_path / "far" / "away" / "b.gguf")
    assert (tmp_path / "far" / "away" / "b.gguf").samefile(file)


def test_a_copy_where_the_disk_knows_no_links(tmp_path, monkeypatch):
    def refuse(*_):
        raise OSError("not on this disk")

    monkeypatch.setattr(os, "link", refuse)
    file, name = tmp_path / "a.gguf", tmp_path / "b.gguf"
    file.write_bytes(b"GGUF")
    link(file, name)
    assert name.read_bytes() == b"GGUF" and not name.samefile(file)
