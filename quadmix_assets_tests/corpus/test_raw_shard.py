import errno
import json
import multiprocessing
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow.parquet as pq
import pytest
import xxhash
from upath import UPath

from quadmix_assets.corpus import raw_shard
from quadmix_assets.corpus.discovery import InputShard
from quadmix_assets.corpus.document_ids import shards_set_aside
from quadmix_assets.corpus.normalize import NormalizedBatch, normalize
from quadmix_assets.corpus.raw_shard import (
    NO_CONTENT,
    RawShardSummary,
    read_summary,
    write_raw_shard,
)
from quadmix_assets.corpus.set_aside import Kind
from quadmix_assets.outputs import QUARANTINE, RAW_SHARDS
from quadmix_assets.settings import CorpusSettings
from quadmix_assets.store import Store
from quadmix_assets_tests.lakes import put_raw, write_lines

SETTINGS = CorpusSettings(carried_columns={"score": "float"})


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(UPath(tmp_path / "lake"))


def shard_of(path: Path) -> InputShard:
    return InputShard(path.name, UPath(path), "1")


def test_rows_are_documents_or_quarantined_and_all_are_counted(
    store: Store, tmp_path: Path
) -> None:
    lines = [
        {"id": "a", "text": "héllo", "score": 1},
        {"id": "b", "text": "   "},
        {"id": "c", "score": 2.0},
        {"text": "no id", "source": "elsewhere"},
    ]
    path = tmp_path / "s.jsonl"
    path.write_text("\n".join(json.dumps(line) for line in lines) + "\n{broken\n")
    summary = write_raw_shard(store, shard_of(path), SETTINGS)

    documents = store.read_table(store.table_path(RAW_SHARDS, "s.jsonl"))
    assert documents.to_dicts() == [
        {"id": "a", "text": "héllo", "source": "s.jsonl", "n_bytes": 6, "score": 1.0},
        {"id": "s.jsonl:4", "text": "no id", "source": "elsewhere", "n_bytes": 5, "score": None},
    ]
    rejected = store.read_table(store.table_path(QUARANTINE, "s.jsonl"))
    assert rejected["row"].to_list() == [2, 3, 5]
    assert rejected["reason"].to_list() == ["empty_text", "missing_text", "broken_json"]
    assert summary == RawShardSummary(
        n_rows=5,
        n_documents=2,
        n_bytes=11,
        quarantined={"broken_json": 1, "empty_text": 1, "missing_text": 1},
        checksum=xxhash.xxh3_128_hexdigest(path.read_bytes()),
        absent_columns=(),
    )
    assert (summary.n_quarantined, summary.quarantine_share) == (3, 0.6)
    assert read_summary(store, "s.jsonl") == summary


def test_summary_adds_up_over_many_batches(store: Store, tmp_path: Path) -> None:
    rows = [{"id": str(n), "text": "" if n % 7 == 0 else "x" * (n % 50 + 1)} for n in range(9_001)]
    path = write_lines(tmp_path / "many.jsonl", rows)
    summary = write_raw_shard(store, shard_of(path), SETTINGS)
    kept = [row for row in rows if row["text"]]
    table = store.table_path(RAW_SHARDS, path.name)
    assert pq.ParquetFile(str(table)).num_row_groups > 1, "more than one batch"
    assert store.read_table(table)["id"].to_list() == [row["id"] for row in kept]
    assert summary.n_bytes == sum(len(row["text"]) for row in kept)
    assert summary.n_rows == len(rows)
    assert summary.quarantined == {"empty_text": len(rows) - len(kept)}


@pytest.mark.parametrize("content", ["", "\n", '{"id": "a", "text": ""}\n'])
def test_shard_without_a_document(store: Store, tmp_path: Path, content: str) -> None:
    path = tmp_path / "empty.jsonl"
    path.write_text(content)
    summary = write_raw_shard(store, shard_of(path), SETTINGS)
    documents = store.read_table(store.table_path(RAW_SHARDS, path.name))
    assert documents.height == summary.n_documents == summary.n_bytes == 0
    assert documents.columns == ["id", "text", "source", "n_bytes", "score"]
    assert documents.schema["score"] == pl.Float64
    assert read_summary(store, path.name) == summary
    assert 0.0 <= summary.quarantine_share <= 1.0


def test_unreadable_file_is_set_aside_with_nothing_of_it(store: Store, tmp_path: Path) -> None:
    """Also where the file ends in the middle of a batch, and where there were documents before."""
    rows = [{"id": str(n), "text": f"text number {n} " * 20} for n in range(3_000)]
    path = tmp_path / "s.parquet"
    pl.DataFrame(rows).write_parquet(path, row_group_size=500, compression="uncompressed")
    assert write_raw_shard(store, shard_of(path), SETTINGS).n_documents == 3_000

    summary = write_raw_shard(store, shard_of(_cut_in_the_middle(path)), SETTINGS)
    assert summary.set_aside is not None
    assert summary.set_aside.kind is Kind.UNREADABLE
    assert "damaged after" in summary.set_aside.message
    assert "Write or upload the file again." in summary.set_aside.message
    assert str(tmp_path) not in summary.set_aside.message, "the same wherever the files lie"
    assert_no_rows(store, path.name)
    assert read_summary(store, path.name) == summary
    assert shards_set_aside(store) == {path.name: summary.set_aside}
    assert put_raw(store, "other", rows[:5]).n_documents == 5, "its ids are free"


def assert_no_rows(store: Store, key: str) -> None:
    assert store.read_table(store.table_path(RAW_SHARDS, key)).is_empty()
    assert store.read_table(store.table_path(QUARANTINE, key)).is_empty()
    summary = read_summary(store, key)
    assert (summary.n_rows, summary.n_documents, summary.n_bytes) == (0, 0, 0)
    assert summary.quarantined == {}
    assert summary.checksum == NO_CONTENT


def test_a_file_that_appears_twice_is_set_aside_alone(store: Store, tmp_path: Path) -> None:
    rows = [{"id": str(n), "text": f"text {n}"} for n in range(20)]
    first = put_raw(store, "one", rows)
    same = put_raw(store, "two", rows)
    known = put_raw(store, "three", [*rows[:3], {"id": "x", "text": "another"}])
    fresh = put_raw(store, "four", [{"id": "x", "text": "another"}])
    assert first.set_aside is fresh.set_aside is None
    assert same.set_aside is not None and known.set_aside is not None
    assert "byte for byte" in same.set_aside.message
    assert "3 of its 4 ids are those of documents in 'one', such as '0', '1', '2'." in (
        known.set_aside.message
    )
    for summary in (same, known):
        assert summary.set_aside is not None
        assert summary.set_aside.because_of == {"one": first.checksum}
    for key in ("two", "three"):
        assert_no_rows(store, key)
    assert put_raw(store, "one", rows) == first, "an accepted shard is made again"

    without = {"id_column": None}
    apart = Store(UPath(tmp_path / "apart" / "lake"))
    assert put_raw(apart, "one", rows, **without).set_aside is None
    assert put_raw(apart, "two", rows, **without).set_aside is not None, "twice, by content"
    assert put_raw(apart, "three", rows[:3], **without).set_aside is None


def test_files_without_documents_are_no_duplicates(store: Store) -> None:
    for key in ("one", "two"):
        assert put_raw(store, key, []).set_aside is None


def writing_to(path: Path, times: int) -> Any:
    """`normalize` of a file that is written to after its first batch, `times` times."""
    left = [times]

    def normalize_and_write(*args: Any, **kwargs: Any) -> Iterator[NormalizedBatch]:
        for number, batch in enumerate(normalize(*args, **kwargs)):
            yield batch
            if number == 0 and left[0]:
                left[0] -= 1
                with path.open("a") as file:
                    file.write(json.dumps({"id": f"late {left[0]}", "text": "came late"}) + "\n")

    return normalize_and_write


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The pauses between tries, which take no time here."""
    taken: list[float] = []
    monkeypatch.setattr("quadmix_assets.corpus.raw_shard.time.sleep", taken.append)
    return taken


def test_a_file_that_changes_while_it_is_read_is_read_again(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pauses: list[float]
) -> None:
    path = write_lines(tmp_path / "s.jsonl", [{"id": "a", "text": "first"}])
    monkeypatch.setattr("quadmix_assets.corpus.raw_shard.normalize", writing_to(path, 2))
    summary = write_raw_shard(store, shard_of(path), SETTINGS)
    assert summary.set_aside is None
    assert summary.n_documents == 3
    assert summary.checksum == xxhash.xxh3_128_hexdigest(path.read_bytes())
    assert len(pauses) == 2

    monkeypatch.setattr("quadmix_assets.corpus.raw_shard.normalize", writing_to(path, 99))
    summary = write_raw_shard(store, shard_of(path), SETTINGS)
    assert summary.set_aside is not None
    assert summary.set_aside.kind is Kind.CHANGING
    assert "automation.settle_seconds" in summary.set_aside.message
    assert_no_rows(store, path.name)


def test_a_change_that_keeps_size_and_time_is_noticed(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pauses: list[float]
) -> None:
    path = write_lines(tmp_path / "s.jsonl", [{"id": "a", "text": "first"}])
    times = path.stat()
    changes = ["other"]

    def rewriting(*args: Any, **kwargs: Any) -> Iterator[NormalizedBatch]:
        yield from normalize(*args, **kwargs)
        if changes:
            write_lines(path, [{"id": "a", "text": changes.pop()}])
            os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))

    monkeypatch.setattr("quadmix_assets.corpus.raw_shard.normalize", rewriting)
    write_raw_shard(store, shard_of(path), SETTINGS)
    assert store.read_table(store.table_path(RAW_SHARDS, "s.jsonl"))["text"].to_list() == ["other"]


@pytest.mark.parametrize(
    ("error", "kind", "n_tries"),
    [
        (OSError(errno.EIO, "Input/output error"), Kind.UNREACHABLE, 3),
        (ConnectionResetError("the server hung up"), Kind.UNREACHABLE, 3),
        (PermissionError(errno.EACCES, "Permission denied"), Kind.UNREADABLE, 1),
        (FileNotFoundError(errno.ENOENT, "No such file"), Kind.GONE, 1),
    ],
)
def test_only_errors_that_may_pass_are_tried_again(
    store: Store,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    pauses: list[float],
    error: OSError,
    kind: Kind,
    n_tries: int,
) -> None:
    path = write_lines(tmp_path / "s.jsonl", [{"id": "a", "text": "first"}])
    tries: list[int] = []

    def failing(*args: Any, **kwargs: Any) -> Iterator[NormalizedBatch]:
        tries.append(1)
        yield from normalize(*args, **kwargs)
        raise error

    monkeypatch.setattr("quadmix_assets.corpus.raw_shard.normalize", failing)
    summary = write_raw_shard(store, shard_of(path), SETTINGS)
    assert summary.set_aside is not None
    assert summary.set_aside.kind is kind
    assert len(tries) == n_tries
    assert_no_rows(store, path.name)
    monkeypatch.undo()
    assert write_raw_shard(store, shard_of(path), SETTINGS).n_documents == 1


def test_a_lake_that_cannot_be_written_is_no_fault_of_the_file(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_lines(tmp_path / "s.jsonl", [{"id": "a", "text": "first"}])
    Path(str(store.root)).mkdir(parents=True)
    Path(str(store.root), RAW_SHARDS).write_text("a file where a folder should be")
    with pytest.raises(OSError, match=RAW_SHARDS):
        write_raw_shard(store, shard_of(path), SETTINGS)
    assert shards_set_aside(store) == {}


def test_a_vanished_file_is_set_aside(store: Store, tmp_path: Path) -> None:
    summary = write_raw_shard(store, shard_of(tmp_path / "gone.jsonl"), SETTINGS)
    assert summary.set_aside is not None
    assert summary.set_aside.kind is Kind.GONE


def _write_often(lake: str, file: str, ready: Any) -> None:
    ready.wait()
    for _ in range(8):
        write_raw_shard(Store(UPath(lake)), shard_of(Path(file)), SETTINGS)


def test_two_runs_on_one_shard_at_once(store: Store, tmp_path: Path) -> None:
    rows = [{"id": str(n), "text": f"text {n}"} for n in range(3_000)]
    path = write_lines(tmp_path / "s.jsonl", rows)
    alone = Store(UPath(tmp_path / "alone"))
    expected = write_raw_shard(alone, shard_of(path), SETTINGS)
    context = multiprocessing.get_context("spawn")
    ready = context.Barrier(2)
    processes = [
        context.Process(target=_write_often, args=(str(store.root), str(path), ready))
        for _ in range(2)
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join(120)
        assert process.exitcode == 0
    assert read_summary(store, path.name) == expected
    assert store.fingerprint(store.root) == alone.fingerprint(alone.root)


def _write_slowly(lake: str, file: str) -> None:
    def slowly(*args: Any, **kwargs: Any) -> Iterator[NormalizedBatch]:
        for batch in normalize(*args, **kwargs):
            yield batch
            Path(lake, "started").touch()
            time.sleep(60)

    raw_shard.normalize = slowly
    write_raw_shard(Store(UPath(lake)), shard_of(Path(file)), SETTINGS)


def test_a_kill_leaves_what_was_there(store: Store, tmp_path: Path) -> None:
    path = write_lines(tmp_path / "s.jsonl", [{"id": "a", "text": "first"}])
    before = write_raw_shard(store, shard_of(path), SETTINGS)
    write_lines(path, [{"id": "b", "text": "second"}])
    process = multiprocessing.get_context("spawn").Process(
        target=_write_slowly, args=(str(store.root), str(path))
    )
    process.start()
    while not Path(str(store.root), "started").exists():
        assert process.is_alive()
        time.sleep(0.05)
    process.kill()
    process.join(60)
    assert read_summary(store, path.name) == before
    after = write_raw_shard(store, shard_of(path), SETTINGS)
    assert store.read_table(store.table_path(RAW_SHARDS, path.name))["id"].to_list() == ["b"]
    assert after.set_aside is None


def _cut_in_the_middle(path: Path) -> Path:
    """The file with rubbish in the pages of its later row groups; its footer is sound."""
    content = bytearray(path.read_bytes())
    content[len(content) // 2 : len(content) - 20_000] = b"\xff" * (len(content) // 2 - 20_000)
    path.write_bytes(bytes(content))
    return path


def test_columns_that_no_row_has_are_told(store: Store) -> None:
    rows = [{"text": "a"}, {"text": "b"}]
    summary = put_raw(store, "s", rows, carried_columns={"score": "float"})
    assert summary.absent_columns == ("id", "source", "score")
    assert read_summary(store, "s") == summary
    rows[1] |= {"id": "x", "score": "1"}
    assert put_raw(store, "s", rows, carried_columns={"score": "float"}).absent_columns == (
        "source",
    )


@pytest.mark.parametrize("suffix", ["jsonl", "parquet"])
def test_id_column_of_the_profile_that_no_row_has(
    store: Store, tmp_path: Path, suffix: str
) -> None:
    path = tmp_path / f"s.{suffix}"
    frame = pl.DataFrame({"doc_id": ["a", "b"], "text": ["one", "two"]})
    frame.write_parquet(path) if suffix == "parquet" else frame.write_ndjson(path)
    summary = write_raw_shard(store, shard_of(path), CorpusSettings(id_column="docid"))
    assert summary.set_aside is not None
    assert "no column 'docid'" in summary.set_aside.message
    assert "did you mean 'doc_id'?" in summary.set_aside.message
    assert_no_rows(store, path.name)
    write_raw_shard(store, shard_of(path), CorpusSettings())
    made = store.read_table(store.table_path(RAW_SHARDS, path.name))["id"].to_list()
    assert made == [f"{path.name}:1", f"{path.name}:2"], "the default column may be absent"


def test_shard_without_a_document_may_lack_the_id_column(store: Store, tmp_path: Path) -> None:
    path = tmp_path / "empty.jsonl"
    path.write_text('{"text": ""}\n')
    assert write_raw_shard(store, shard_of(path), CorpusSettings(id_column="key")).n_documents == 0


def test_same_input_gives_the_same_bytes(store: Store, tmp_path: Path) -> None:
    rows = [{"id": str(n), "text": f"text {n}"} for n in range(100)]
    put_raw(store, "a", rows)
    other = Store(UPath(tmp_path / "other" / "lake"))
    put_raw(other, "a", rows)
    assert store.fingerprint(store.root) == other.fingerprint(other.root)
