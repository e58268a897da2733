import json
from pathlib import Path

import polars as pl
import pyarrow.parquet as pq
import pytest
import xxhash
from upath import UPath

from quadmix_assets.corpus.discovery import InputShard
from quadmix_assets.corpus.raw_shard import RawShardSummary, read_summary, write_raw_shard
from quadmix_assets.corpus.readers import MissingIdColumnError, UnreadableShardError
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


def test_unreadable_file_leaves_what_was_there(store: Store, tmp_path: Path) -> None:
    """Also where the file ends in the middle of a batch: no table, no quarantine."""
    rows = [{"id": str(n), "text": f"text number {n} " * 20} for n in range(3_000)]
    path = tmp_path / "s.parquet"
    pl.DataFrame(rows).write_parquet(path, row_group_size=500, compression="uncompressed")
    write_raw_shard(store, shard_of(path), SETTINGS)
    before = {p: p.read_bytes() for p in tmp_path.joinpath("lake").rglob("*.parquet")}
    assert len(before) == 2

    with pytest.raises(UnreadableShardError):
        write_raw_shard(store, shard_of(_cut_in_the_middle(path)), SETTINGS)
    after = {p: p.read_bytes() for p in tmp_path.joinpath("lake").rglob("*") if p.is_file()}
    assert after == before


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
    with pytest.raises(MissingIdColumnError, match=r"no column 'docid'.*did you mean 'doc_id'\?"):
        write_raw_shard(store, shard_of(path), CorpusSettings(id_column="docid"))
    assert not list(tmp_path.joinpath("lake").rglob("*.parquet"))
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
