"""Files appear whole or not at all, and a disk that refuses is told of in one sentence."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from trivium.data.jsonl import atomic_writer, read_samples, to_line
from trivium.errors import DataError
from trivium.sample import Sample


def test_a_sample_comes_back_as_it_was(tmp_path: Path) -> None:
    sample = Sample("a#0", "Naïve 文 text\n", title="T", year=1850, evidence={"age": 0.5}, metadata={"n": [1, {"k": None}]})
    (tmp_path / "x.jsonl").write_bytes(to_line(sample) * 2)
    assert list(read_samples(tmp_path / "x.jsonl")) == [sample, sample]


@pytest.mark.parametrize("line", ['{"id": "a"', '{"id": "a", "colour": 1}', "[1]"])
def test_a_line_that_is_no_sample_is_named(tmp_path: Path, line: str) -> None:
    (tmp_path / "x.jsonl").write_bytes(to_line(Sample("a")) + line.encode() + b"\n")
    with pytest.raises(DataError, match=r"x\.jsonl:2: not a prepared sample"):
        list(read_samples(tmp_path / "x.jsonl"))


def test_a_failure_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"
    path.write_text("old")
    with pytest.raises(KeyboardInterrupt), atomic_writer(path) as file:
        file.write(b"half of the n")
        raise KeyboardInterrupt
    assert path.read_text() == "old" and os.listdir(tmp_path) == ["out.jsonl"]
    with atomic_writer(path) as file:
        file.write(b"new")
    assert path.read_text() == "new" and os.listdir(tmp_path) == ["out.jsonl"]


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    sentence = r"cannot be written: not a directory; free space, or set cache_dir"
    with pytest.raises(DataError, match=sentence), atomic_writer(tmp_path / "file" / "out.jsonl"):
        pass


FULL_DISK = """
import resource, sys
from pathlib import Path
from trivium.data.prepare import prepare
from trivium.errors import DataError
from trivium.schema import DatasetConfig
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
out = Path(sys.argv[1])
try:
    prepare(DatasetConfig(generator="micro_archive"), out)
except DataError as error:
    print(error, sorted(p.name for p in out.iterdir()), sep="|")
"""


def test_a_full_disk_ends_preparation_in_one_sentence(tmp_path: Path) -> None:
    run = subprocess.run([sys.executable, "-c", FULL_DISK, str(tmp_path)], capture_output=True, text=True, timeout=60)
    sentence, left = run.stdout.split("|")
    assert "cannot be written: file too large; free space" in sentence and left.strip() == "[]", run.stdout + run.stderr
