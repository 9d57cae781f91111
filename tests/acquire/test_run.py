import asyncio
import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pyarrow.parquet
import pytest
from faults import sources, world
from local import config_for, rows, tree
from server import Archive, Reply, gutenberg, halting, hub, internet_archive, status
from worlds import prose

from trivium.acquire.client import Client
from trivium.acquire.ranges import RemoteFile
from trivium.acquire.run import acquire
from trivium.data.rejects import Rejects
from trivium.data.sources import documents
from trivium.errors import ConfigError, DataError
from trivium.schema import DatasetConfig

Fetched = Callable[..., dict[str, Any]]
KINDS = ("gutenberg", "internet_archive", "newspapers", "hub")
HERE = Path(__file__).parent


def all_kinds(folder: Path) -> dict[str, Any]:
    return {kind: sources(kind, folder)["source"] for kind in KINDS}


def test_what_is_acquired_can_be_read_as_a_dataset(archive: Archive, fetched: Fetched, tmp_path: Path) -> None:
    world(archive)
    report = fetched(all_kinds(tmp_path))
    rejects = Rejects()
    samples = list(documents(DatasetConfig(path=str(tmp_path / "out" / "texts"), min_chars=1), rejects))
    assert rejects.count == 0 and not rejects.notes
    by_kind = {kind: [s for s in samples if s.origin.startswith(f"{kind}/")] for kind in KINDS}
    documents_of = {kind: len({s.document or s.id for s in found}) for kind, found in by_kind.items()}
    assert documents_of == {kind: report["sources"][kind]["taken"] for kind in KINDS}
    book = by_kind["gutenberg"][0]
    assert (book.title, book.year, book.source_type) == ("The Bell of Harbour 11", 1901, "book")
    assert "licence follows" not in book.text and "START OF" not in book.text
    page = by_kind["newspapers"][0]
    assert (page.year, page.source_type, page.metadata["date"]) == (1891, "newspaper", "1891-02-02")
    assert by_kind["internet_archive"][0].metadata["licence"] == "public domain"
    assert by_kind["hub"][0].metadata["licence"] == "cc0-1.0"


def test_every_item_has_a_provenance_record(archive: Archive, fetched: Fetched, tmp_path: Path) -> None:
    world(archive)
    report = fetched(all_kinds(tmp_path))
    records = rows(tmp_path / "out" / "provenance.jsonl")
    assert len(records) == report["totals"]["taken"] == 4 + 9 + 9 + 12
    for record in records:
        assert {"url", "id", "licence", "fetched", "sha256", "bytes", "source", "status"} <= set(record)
        assert record["fetched"].startswith("20") and len(record["sha256"]) == 64
    first = next(record for record in records if record["source"] == "gutenberg")
    path = "/pg/cache/epub/11/pg11.txt"
    assert first["sha256"] == hashlib.sha256(archive.files[path].body).hexdigest()
    assert first["url"] == archive.url + path and first["etag"] == archive.files[path].headers["ETag"]


def test_a_second_run_fetches_nothing_again(archive: Archive, fetched: Fetched, tmp_path: Path) -> None:
    world(archive)
    fetched(all_kinds(tmp_path))
    before = tree(tmp_path / "out")
    archive.log.clear()
    report = fetched(all_kinds(tmp_path))
    assert report["totals"]["resumed"] == report["totals"]["taken"] == 34
    assert not archive.asked(r"\.txt$|/tile/|parquet$|metadata")
    assert tree(tmp_path / "out") == before
    assert archive.asked("/feeds/")[0].headers.get("if-none-match")


def test_a_file_that_was_damaged_is_fetched_again(archive: Archive, fetched: Fetched, tmp_path: Path) -> None:
    world(archive)
    fetched(all_kinds(tmp_path))
    before = tree(tmp_path / "out")
    texts = tmp_path / "out" / "texts"
    (texts / "gutenberg" / "12.txt").write_text("short", encoding="utf-8")
    (texts / "internet_archive" / "item3.txt").unlink()
    lines = (texts / "newspapers" / "newspapers.jsonl").read_bytes().splitlines(keepends=True)
    (texts / "newspapers" / "newspapers.jsonl").write_bytes(b"".join(lines[:3]) + lines[3][:40])
    report = fetched(all_kinds(tmp_path))
    assert report["totals"]["taken"] - report["totals"]["resumed"] == 2 + 6
    assert tree(tmp_path / "out") == before


def test_with_refresh_only_what_has_changed_is_fetched(archive: Archive, fetched: Fetched, tmp_path: Path) -> None:
    world(archive)
    chosen = {"source": sources("gutenberg", tmp_path)["source"]}
    fetched(chosen)
    body = archive.files["/pg/cache/epub/13/pg13.txt"].body.replace(b"harbour", b"haven")
    archive.put("/pg/cache/epub/13/pg13.txt", body)
    archive.files["/pg/cache/epub/13/pg13.txt"].headers["Last-Modified"] = "Tue, 03 Jan 2023 03:04:05 GMT"
    report = fetched(chosen, refresh=True)
    assert (report["totals"]["taken"], report["totals"]["resumed"]) == (4, 3)
    assert "haven" in (tmp_path / "out" / "texts" / "source" / "13.txt").read_text(encoding="utf-8")
    archive.fault(r"\.rdf$", status(404))
    assert fetched(chosen, refresh=True)["totals"]["taken"] == 4  # what is gone there is still here


def test_fewer_are_wanted_than_before(archive: Archive, fetched: Fetched, tmp_path: Path) -> None:
    world(archive)
    source = sources("internet_archive", tmp_path)["source"]
    fetched({"source": source})
    archive.log.clear()
    report = fetched({"source": {**source, "n": 3}})
    assert report["totals"]["taken"] == report["totals"]["resumed"] == 3
    texts = sorted(path.name for path in (tmp_path / "out" / "texts" / "source").glob("*.txt"))
    assert texts == ["item0.txt", "item1.txt", "item2.txt"]


def test_another_setting_makes_items_anew(archive: Archive, fetched: Fetched, tmp_path: Path) -> None:
    world(archive)
    source = sources("newspapers", tmp_path)["source"]
    fetched({"source": source})
    report = fetched({"source": {**source, "max_chars": 300}})
    assert report["totals"]["resumed"] == 0
    assert all(len(row["text"]) <= 300 for row in rows(tmp_path / "out" / "texts" / "source" / "source.jsonl"))


def test_where_the_list_fails_an_earlier_runs_items_stay(archive: Archive, fetched: Fetched, tmp_path: Path) -> None:
    world(archive)
    source = sources("internet_archive", tmp_path)["source"]
    fetched({"source": source})
    before = tree(tmp_path / "out")
    archive.fault("advancedsearch", status(500))
    report = fetched({"source": source})
    assert report["sources"]["source"]["problem"].startswith("server error 500")
    assert report["totals"]["taken"] == 9 and tree(tmp_path / "out") == before


@pytest.mark.parametrize("requests", [4, 12, 28])
def test_a_killed_run_and_another_make_what_one_run_makes(archive: Archive, tmp_path: Path, requests: int) -> None:
    world(archive)
    settings: dict[str, Any] = {"requests_per_second": 60.0}
    acquire(config_for(archive.url, all_kinds(tmp_path), **settings), tmp_path / "straight")
    archive.log.clear()
    killed(archive, tmp_path, settings, lambda: len(archive.log) >= requests)
    acquire(config_for(archive.url, all_kinds(tmp_path), **settings), tmp_path / "out")
    assert tree(tmp_path / "out") == tree(tmp_path / "straight")


def test_a_run_killed_within_a_download_goes_on_there(archive: Archive, tmp_path: Path) -> None:
    gutenberg(archive, {12: ("The Bell", "Keeper, Anna", 1901)}, {12: 60_000})
    chosen = {"gutenberg": sources("gutenberg", tmp_path)["source"]}
    acquire(config_for(archive.url, chosen), tmp_path / "straight")
    archive.fault(r"pg12\.txt", halting, times=1)
    part = tmp_path / "out" / "texts" / "gutenberg" / ".parts" / "12.raw.part"
    killed(archive, tmp_path, {"timeout": 20.0}, lambda: part.exists() and part.stat().st_size > 100_000, ["gutenberg"])
    assert not list((tmp_path / "out").rglob("*.txt"))
    archive.log.clear()
    acquire(config_for(archive.url, chosen), tmp_path / "out")
    assert archive.asked(r"pg12\.txt")[0].headers["range"].startswith("bytes=1")
    assert tree(tmp_path / "out") == tree(tmp_path / "straight")


def killed(
    archive: Archive, folder: Path, settings: dict[str, Any], when: Callable[[], bool], only: list[str] | None = None
) -> None:
    """Acquire in a process of its own, which is killed without warning once something holds."""
    chosen = {kind: source for kind, source in all_kinds(folder).items() if only is None or kind in only}
    code = (
        "import sys, json; sys.path.insert(0, sys.argv[1]); from local import config_for; from pathlib import Path\n"
        "from trivium.acquire.run import acquire\n"
        "acquire(config_for(sys.argv[2], json.loads(sys.argv[3]), **json.loads(sys.argv[4])), Path(sys.argv[5]))"
    )
    arguments = [str(HERE), archive.url, json.dumps(chosen), json.dumps(settings), str(folder / "out")]
    process = subprocess.Popen([sys.executable, "-c", code, *arguments])
    try:
        deadline = time.monotonic() + 60
        while not when():
            assert process.poll() is None and time.monotonic() < deadline, "it ended before it could be killed"
            time.sleep(0.002)
        os.kill(process.pid, signal.SIGKILL)
    finally:
        process.kill()
        process.wait(10)


def test_the_first_usable_items_are_taken_however_quick_they_are(archive: Archive, fetched: Fetched, tmp_path: Path) -> None:
    internet_archive(archive, [f"item{i}" for i in range(20)])
    archive.fault("/node/7/item(1|4)/", status(404))
    archive.fault("/node/7/item(0|2)/", lambda request, reply: Reply(reply.body, reply.status, reply.headers, delay=0.2))
    report = fetched({"source": {"kind": "internet_archive", "n": 4}}, concurrency=8)
    taken = [row["id"] for row in rows(tmp_path / "out" / "texts" / "source" / "catalogue.jsonl")]
    assert taken == ["item0", "item2", "item3", "item5"]
    assert report["sources"]["source"]["skipped"] == {"not there (404)": 2}
    assert len(archive.asked("/ia/download/")) == 6  # nothing is asked for that is not needed


def test_a_dry_run_without_a_network_says_so(archive: Archive, fetched: Fetched) -> None:
    archive.close()
    with pytest.raises(DataError, match=r"0 of 1 sources gave something.* no connection in 3 attempts .* look at the network"):
        fetched({"s": {"kind": "gutenberg", "works": "gutenberg_priority"}}, dry_run=True)


def test_a_dry_run_counts_and_writes_only_its_report(archive: Archive, fetched: Fetched, tmp_path: Path) -> None:
    world(archive)
    report = fetched(all_kinds(tmp_path), dry_run=True)
    assert [path.name for path in (tmp_path / "out").rglob("*")] == ["report.json"]
    assert {name: source["taken"] for name, source in report["sources"].items()} == dict(zip(KINDS, (4, 9, 9, 12), strict=True))
    real = fetched(all_kinds(tmp_path))
    for kind in ("gutenberg", "internet_archive", "newspapers"):
        assert report["sources"][kind]["bytes"] == pytest.approx(real["sources"][kind]["bytes"], rel=0.1)
    assert report["sources"]["hub"]["bytes"] > 0
    dry = archive.log[: report["totals"]["requests"]]
    assert not [request for request in dry if request.path.endswith(".txt") and request.method == "GET"]


def test_too_few_sources_are_a_failure_that_keeps_what_there_is(archive: Archive, fetched: Fetched, tmp_path: Path) -> None:
    world(archive)
    archive.fault("/ia/", status(404))
    chosen = {kind: sources(kind, tmp_path)["source"] for kind in ("internet_archive", "newspapers")}
    with pytest.raises(DataError, match=r"1 of 2 sources .*min_sources is 2\. internet_archive: not there \(404\)"):
        fetched(chosen, min_sources=2)
    assert json.loads((tmp_path / "out" / "report.json").read_text())["totals"]["taken"] == 9
    assert fetched(chosen)["totals"]["resumed"] == 9


def test_items_at_most_of_each_source(archive: Archive, fetched: Fetched, tmp_path: Path) -> None:
    world(archive)
    report = fetched(all_kinds(tmp_path), max_items=2)
    assert {source["taken"] for source in report["sources"].values()} == {2}


def test_a_list_of_which_nothing_can_be_used_comes_to_an_end(archive: Archive, fetched: Fetched) -> None:
    internet_archive(archive, [f"item{i}" for i in range(200)])
    archive.fault("/node/", status(404))
    with pytest.raises(DataError, match=r"not there \(404\) \(28 of 200\)"):
        fetched({"source": {"kind": "internet_archive", "n": 2}})


@pytest.mark.parametrize("identifier", ["../../../escape", "/etc/x", "a\0b", "nul", "..", "x" * 300, "CON.txt"])
def test_no_id_leads_out_of_the_folder(archive: Archive, fetched: Fetched, tmp_path: Path, identifier: str) -> None:
    internet_archive(archive, [identifier])
    with pytest.raises(DataError) if identifier == ".." else nullcontext():
        fetched({"source": {"kind": "internet_archive", "n": 1}})
    outside = [p for p in tmp_path.rglob("*") if p.is_file() and not p.is_relative_to(tmp_path / "out")]
    assert outside == []
    inside = {p.parent.name for p in (tmp_path / "out").rglob("*.txt")}
    assert inside <= {"source"}


def test_progress_is_told(archive: Archive, tmp_path: Path) -> None:
    internet_archive(archive, ["a", "b", "c"])
    told: list[tuple[str, int]] = []
    config = config_for(archive.url, {"s": {"kind": "internet_archive", "n": 3}})
    acquire(config, tmp_path / "out", lambda *step: told.append(step))
    assert told == [("s", 1), ("s", 2), ("s", 3)]


def test_a_disk_that_refuses_ends_the_run(archive: Archive, fetched: Fetched, tmp_path: Path) -> None:
    internet_archive(archive, ["a"])
    (tmp_path / "out" / "texts" / "s").mkdir(parents=True)
    (tmp_path / "out" / "texts" / "s" / "a.txt").mkdir()
    with pytest.raises(DataError, match="cannot be written"):
        fetched({"s": {"kind": "internet_archive", "n": 1}})


def test_bad_sources_are_refused_before_anything_is_asked(archive: Archive, fetched: Fetched) -> None:
    with pytest.raises(ConfigError):
        fetched({"s": {"kind": "internet_archiv"}})
    assert archive.log == []


def test_links_out_of_a_folder_are_not_followed(fetched: Fetched, tmp_path: Path) -> None:
    own, secret = tmp_path / "own", tmp_path / "secret.txt"
    (own / "deep").mkdir(parents=True)
    secret.write_text("secret", encoding="utf-8")
    (own / "deep" / "letter.txt").write_bytes("Une lettre à lire.\n".encode("latin-1"))
    (own / "deep" / "letter.json").write_text(json.dumps({"title": "A letter", "year": 1850, "licence": "own"}))
    (own / "rows.jsonl").write_text('{"text": "A row.", "title": "Row"}\n', encoding="utf-8")
    (own / "link.txt").symlink_to(secret)
    (own / "empty.txt").write_bytes(b"")
    report = fetched({"own": {"kind": "files", "path": str(own), "source_type": "letter"}})
    assert report["sources"]["own"]["taken"] == 2
    assert report["sources"]["own"]["skipped"] == {"link out of the folder": 1, "empty file": 1}
    texts = tmp_path / "out" / "texts"
    assert "secret" not in "".join(p.read_text(encoding="utf-8") for p in texts.rglob("*.*"))
    samples = list(documents(DatasetConfig(path=str(texts), min_chars=1), Rejects()))
    assert {(s.title, s.source_type, s.year) for s in samples} == {("A letter", "letter", 1850), ("Row", "unknown", None)}
    assert fetched({"own": {"kind": "files", "path": str(own), "source_type": "letter"}})["totals"]["resumed"] == 2


def test_rows_of_a_dataset_are_drawn_by_the_seed(archive: Archive, fetched: Fetched, tmp_path: Path) -> None:
    hub(archive, 60)
    source = {"kind": "hub", "repo": "me/letters", "n": 20, "text": ["body"], "fields": {"title": "name"}, "buffer": 8}
    drawn = []
    for seed in (1, 2):
        fetched({"s": source}, out=f"seed{seed}", seed=seed)
        drawn.append([row["title"] for row in rows(tmp_path / f"seed{seed}" / "texts" / "s" / "s.jsonl")])
    fetched({"s": source}, out="again", seed=1)
    assert [row["title"] for row in rows(tmp_path / "again" / "texts" / "s" / "s.jsonl")] == drawn[0] != drawn[1]
    numbers = [int(title.split()[1]) for title in drawn[0]]
    assert len(set(numbers)) == 20 and numbers != sorted(numbers)
    assert any(n < 30 for n in numbers) and any(n >= 30 for n in numbers)
    assert prose(3000 + numbers[0], 60) == rows(tmp_path / "seed1" / "texts" / "s" / "s.jsonl")[0]["text"]
    assert not archive.asked("huggingface")


def test_a_revision_with_its_own_files_is_read(archive: Archive, fetched: Fetched, tmp_path: Path) -> None:
    hub(archive, 20)
    data = archive.files["/hf/api/datasets/me/letters/parquet/default/train/0.parquet"].body
    archive.put("/hf/datasets/me/letters/resolve/v1/data/train-0.parquet", data, "application/octet-stream")
    paths = ["README.md", "data/test-0.parquet", "data/train-0.parquet"]
    listing = Reply(json.dumps([{"path": path} for path in paths]).encode(), headers={"Content-Type": "application/json"})
    archive.routes.append(("/hf/api/datasets/me/letters/tree/v1", lambda request: listing))
    report = fetched({"s": {"kind": "hub", "repo": "me/letters", "revision": "v1", "n": 100, "text": ["body"]}})
    assert report["totals"]["taken"] == 10 and report["sources"]["s"]["found"] == 10


def test_a_large_table_is_read_in_parts(archive: Archive, tmp_path: Path) -> None:
    hub(archive, 6000, group=50)
    path = "/hf/api/datasets/me/letters/parquet/default/train/0.parquet"
    size = len(archive.files[path].body)

    async def read() -> int:
        async with Client(config_for(archive.url, {}).http) as client:
            file = RemoteFile(client, archive.url + path, size, asyncio.get_running_loop(), block=1 << 14)
            table = await asyncio.to_thread(lambda: pyarrow.parquet.ParquetFile(file).read_row_group(7))
            assert table.column("name").to_pylist() == [f"Letter {n}" for n in range(350, 400)]
            return file.fetched

    assert asyncio.run(read()) < size / 3


def test_columns_that_a_dataset_lacks_are_named(archive: Archive, fetched: Fetched) -> None:
    hub(archive, 60)
    with pytest.raises(DataError, match=r"missing column \(40 of 60\)"):
        fetched({"s": {"kind": "hub", "repo": "me/letters", "n": 5, "text": ["bodi"]}})
