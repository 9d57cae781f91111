"""Whether a model can be read here."""

import pytest

from trivium.errors import ConfigError, ModelError
from trivium.models import checks


@pytest.mark.parametrize(
    ("path", "found"),
    [("owner/name", True), ("name", True), ("./name", False), ("/owner/name", False), ("~/name", False), ("a/b/c", False)],
)
def test_what_can_be_a_hub_id(path, found, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert checks.can_be_hub_id(path) == found


def test_a_file_of_that_name_is_no_hub_id(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "name").write_text("")
    assert not checks.can_be_hub_id("name")


def test_weights_further_down_count_only_where_they_are_read(tmp_path):
    (tmp_path / "inner").mkdir()
    (tmp_path / "inner" / "model.safetensors").write_bytes(b"")
    (tmp_path / "model.pkl").write_bytes(b"")
    checks.require_safetensors(tmp_path, "it", below=True)
    with pytest.raises(ModelError, match=r"it has its weights as model.pkl \(a pickle"):
        checks.require_safetensors(tmp_path, "it")
    (tmp_path / "model.pkl").unlink()
    with pytest.raises(ModelError, match="it has no weights"):
        checks.require_safetensors(tmp_path, "it")


def test_a_device_that_is_not_there_is_named_with_the_way_out(monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    checks.require_device("cpu", "some.key", "do this")
    with pytest.raises(ConfigError, match=r"some.key is cuda, but .* on this machine; do this\."):
        checks.require_device("cuda", "some.key", "do this")


def test_what_fails_while_loading_becomes_one_sentence_and_a_bug_does_not():
    with pytest.raises(ModelError, match=r"^no: of two lines$"), checks.explained(lambda reason: f"no: {reason}"):
        raise ValueError("of\n  two lines")
    with pytest.raises(ModelError, match=r"^own$"), checks.explained(str.upper):
        raise ModelError("own")
    with pytest.raises(ZeroDivisionError), checks.explained(str.upper):
        raise ZeroDivisionError
