import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trivium.errors import ModelError
from trivium.export.llama.table import tensor_types

F32, F16, Q8_0, Q4_K, STRING, ARRAY, U32, BOOL = 0, 1, 8, 12, 8, 9, 4, 7


def text(value: str) -> bytes:
    return struct.pack("<Q", len(value.encode())) + value.encode()


def gguf(tensors, words=(), size=None) -> bytes:
    """A file with tensors (type, shape, bytes) and a list of words, a number and a flag among its settings."""
    pairs = [text("words") + struct.pack("<IIQ", ARRAY, STRING, len(words)) + b"".join(map(text, words))]
    pairs += [text("numbers") + struct.pack("<IIQ3I", ARRAY, U32, 3, 1, 2, 3), text("flag") + struct.pack("<IB", BOOL, 1)]
    pairs += [text(f"name {word}") + struct.pack("<I", STRING) + text(word) for word in words]
    table, offset = b"", 0
    for i, (code, shape, length) in enumerate(tensors):
        table += text(f"t{i}") + struct.pack(f"<I{len(shape)}QIQ", len(shape), *shape, code, offset)
        offset += -(-length // 32) * 32
    head = b"GGUF" + struct.pack("<IQQ", 3, len(tensors), len(pairs)) + b"".join(pairs) + table
    return head + bytes(-len(head) % 32) + bytes(offset if size is None else size)


@given(st.lists(st.text(max_size=9), max_size=5), st.lists(st.sampled_from(["f32", "f16", "q8_0", "q4_k"]), max_size=6))
def test_types_are_counted_whatever_stands_before(tmp_path_factory, words, kinds):
    rows = {"f32": (F32, (4, 2), 32), "f16": (F16, (8,), 16), "q8_0": (Q8_0, (32, 3), 102), "q4_k": (Q4_K, (256,), 144)}
    path = tmp_path_factory.mktemp("table") / "x.gguf"
    path.write_bytes(gguf([rows[kind] for kind in kinds], words))
    assert tensor_types(path) == {kind: kinds.count(kind) for kind in kinds}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (gguf([(Q4_K, (256, 2), 288)], size=287), r"has 447 bytes of 448; export it again"),
        (gguf([(F32, (4, 2), 32)])[:90], "is no whole GGUF file"),
        (gguf([(99, (4, 2), 32)]), r"is no whole GGUF file \(99\)"),
        (b"PK" + bytes(200), "does not begin with GGUF"),
        (b"", "does not begin with GGUF"),
    ],
)
def test_half_a_file_is_told(tmp_path, content, said):
    (tmp_path / "x.gguf").write_bytes(content)
    with pytest.raises(ModelError, match=said):
        tensor_types(tmp_path / "x.gguf")
