"""Safetensors rewritten tensor by tensor are what the library itself writes, whatever the types and shapes."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file

from trivium.errors import ModelError
from trivium.models import shards
from trivium.models.shards import INDEX, WHOLE, rewrite, write_index

KINDS = (torch.float32, torch.bfloat16, torch.float16, torch.float64, torch.int64, torch.uint8, torch.bool)


@st.composite
def tensors(draw: st.DrawFn) -> dict[str, torch.Tensor]:
    letters = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1)
    names = draw(st.lists(letters.filter(lambda name: name != "__metadata__"), min_size=1, max_size=5, unique=True))
    found = {}
    for name in names:
        shape = draw(st.lists(st.integers(0, 5), max_size=3))
        found[name] = (torch.randn(shape) * 50).to(draw(st.sampled_from(KINDS)))
    return found


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(tensors(), st.sampled_from([None, "F32", "BF16", "F16"]), st.dictionaries(st.text(), st.text(), max_size=2))
def test_a_rewritten_file_holds_the_same_tensors(
    tmp_path: Path, held: dict[str, torch.Tensor], dtype: str | None, metadata: dict[str, str]
) -> None:
    save_file(held, tmp_path / WHOLE, metadata)
    (tmp_path / "new").unlink(missing_ok=True)
    rewrite(shards.shards(tmp_path)[0], tmp_path / "new", {}, dtype)
    found = load_file(tmp_path / "new")
    assert found.keys() == held.keys()
    for name, tensor in held.items():
        wanted = tensor.to(getattr(torch, shards.FLOATS[dtype])) if dtype and tensor.is_floating_point() else tensor
        assert found[name].dtype == wanted.dtype and torch.equal(found[name], wanted)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_change_sees_every_row_once_in_blocks(tmp_path: Path, dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shards, "_BLOCK", 100)
    held = {"a": torch.randn(37, 7).to(dtype), "b": torch.randn(500)}
    save_file(held, tmp_path / WHOLE)
    added = torch.randn(37, 7)
    seen: list[int] = []

    def change(rows: Any, first: int) -> Any:
        seen.append(first)
        return rows + added[first : first + len(rows)]

    rewrite(shards.shards(tmp_path)[0], tmp_path / "new", {"a": change})
    found = load_file(tmp_path / "new")
    assert torch.equal(found["a"], (held["a"].float() + added).to(dtype)) and torch.equal(found["b"], held["b"])
    assert len(seen) > 5 and seen == sorted(set(seen))


def test_the_index_leads_to_every_tensor(tmp_path: Path) -> None:
    for name, tensor in (("x", torch.zeros(3)), ("y", torch.zeros(4))):
        save_file({name: tensor}, tmp_path / f"{name}.safetensors")
    (tmp_path / INDEX).write_text(json.dumps({"weight_map": {"x": "x.safetensors", "y": "y.safetensors"}}))
    out = tmp_path / "out"
    out.mkdir()
    files = shards.shards(tmp_path)
    write_index(out, {file.path.name: rewrite(file, out / file.path.name, {}, "BF16") for file in files})
    assert json.loads((out / INDEX).read_text()) == {
        "metadata": {"total_size": 14},
        "weight_map": {"x": "x.safetensors", "y": "y.safetensors"},
    }
    assert [file.path for file in shards.shards(out)] == [out / "x.safetensors", out / "y.safetensors"]


@pytest.mark.parametrize(("value", "dtype"), [(float("nan"), None), (float("inf"), None), (1e6, "F16")])
def test_a_number_that_cannot_be_written_leaves_no_file(tmp_path: Path, value: float, dtype: str | None) -> None:
    save_file({"w": torch.zeros(4, 4)}, tmp_path / WHOLE)
    with pytest.raises(ModelError, match="w has numbers that are not finite or leave the range of float"):
        rewrite(shards.shards(tmp_path)[0], tmp_path / "new", {"w": lambda rows, _: rows + value}, dtype)
    assert not (tmp_path / "new").exists()


def test_no_half_file_stays_when_the_disk_is_full(tmp_path: Path) -> None:
    import resource
    import signal

    save_file({"w": torch.zeros(1 << 22)}, tmp_path / WHOLE)
    before, handler = resource.getrlimit(resource.RLIMIT_FSIZE), signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, before[1]))
    try:
        with pytest.raises(OSError):
            rewrite(shards.shards(tmp_path)[0], tmp_path / "new", {})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
    assert not (tmp_path / "new").exists()


def test_damage_is_told(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"has neither model\.safetensors nor"):
        shards.shards(tmp_path)
    save_file({"w": torch.zeros(100)}, tmp_path / WHOLE)
    whole = (tmp_path / WHOLE).read_bytes()
    for damaged in (whole[:-10], whole + b"0", b"", whole[:20], b"\xff" * 100):
        (tmp_path / WHOLE).write_bytes(damaged)
        with pytest.raises(ModelError, match=r"model\.safetensors is damaged"):
            shards.shards(tmp_path)
    (tmp_path / WHOLE).unlink()
    for text, message in (("{", "is damaged"), ('{"weight_map": {"w": "gone.safetensors"}}', r"lacks gone\.safetensors")):
        (tmp_path / INDEX).write_text(text)
        with pytest.raises(ModelError, match=message):
            shards.shards(tmp_path)
