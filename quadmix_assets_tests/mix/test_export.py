import json
from pathlib import Path
from typing import Any, Literal

import polars as pl
import pytest
import zstandard
from upath import UPath

from quadmix_assets.mix import export
from quadmix_assets.mix.export import export_path, export_shard
from quadmix_assets.outputs import FINAL_MIX, RAW_SHARDS, mix_output
from quadmix_assets.store import MissingOutputError, Store
from quadmix_assets_tests.features.texts import AWKWARD

TEXTS = {
    **AWKWARD,
    "quotes": '"\\" \\n \\u0000 {}',
    "crlf": "a\r\nb\rc\n",
    "high": "𝔘\U0010ffff\ufeff",
}

# Every fourth document is not taken.
COPIES = [n % 4 for n in range(len(TEXTS))]


@pytest.fixture
def store(tmp_path: Path) -> Store:
    store = Store(UPath(tmp_path / "lake"))
    raw = pl.DataFrame({"id": list(TEXTS), "text": list(TEXTS.values()), "note": "not exported"})
    copies = pl.DataFrame(
        {"id": list(TEXTS), "copies": COPIES, "domain": "law"},
        schema_overrides={"copies": pl.Int32},
    )
    taken = copies.filter(pl.col("copies") > 0)
    for shard, rows in (("s", raw), ("empty", raw.clear()), ("untaken", raw)):
        store.write_table(store.table_path(RAW_SHARDS, shard), rows)
    for shard, rows in (("s", taken), ("empty", taken.clear()), ("untaken", taken.clear())):
        store.write_table(store.table_path(mix_output("m", FINAL_MIX), shard), rows)
    return store


def lines_of(path: UPath) -> list[dict[str, Any]]:
    """As a trainer reads it: split at line feeds alone, by the standard library's JSON."""
    data = zstandard.ZstdDecompressor().stream_reader(path.read_bytes()).read()
    *lines, last = data.split(b"\n")
    assert last == b""
    return [json.loads(line) for line in lines]


def expected() -> list[tuple[str, str]]:
    return [(i, t) for n, (i, t) in enumerate(TEXTS.items()) for _ in range(COPIES[n])]


@pytest.mark.parametrize("batch_rows", [2, 1_000])
def test_both_formats_hold_the_same_rows(
    store: Store, monkeypatch: pytest.MonkeyPatch, batch_rows: int
) -> None:
    monkeypatch.setattr(export, "BATCH_ROWS", batch_rows)
    assert export_shard(store, "s", "m", "parquet") == len(expected())
    assert export_shard(store, "s", "m", "jsonl.zst") == len(expected())
    table = store.read_table(export_path(store, "s", "m", "parquet"))
    assert table.columns == ["id", "text"]
    assert table.rows() == expected()
    lines = lines_of(export_path(store, "s", "m", "jsonl.zst"))
    assert [(line["id"], line["text"]) for line in lines] == expected()
    assert all(set(line) == {"id", "text"} for line in lines)


@pytest.mark.parametrize("shard", ["empty", "untaken"])
@pytest.mark.parametrize("file_format", ["parquet", "jsonl.zst"])
def test_export_of_nothing_is_a_file_that_can_be_read(
    store: Store, shard: str, file_format: Literal["parquet", "jsonl.zst"]
) -> None:
    assert export_shard(store, shard, "m", file_format) == 0
    path = export_path(store, shard, "m", file_format)
    if file_format == "parquet":
        assert store.read_table(path).height == 0
    else:
        assert lines_of(path) == []


@pytest.mark.parametrize("file_format", ["parquet", "jsonl.zst"])
def test_same_mix_gives_the_same_bytes(
    store: Store, file_format: Literal["parquet", "jsonl.zst"]
) -> None:
    path = export_path(store, "s", "m", file_format)
    export_shard(store, "s", "m", file_format)
    before = path.read_bytes()
    export_shard(store, "s", "m", file_format)
    assert path.read_bytes() == before


def test_shard_without_a_mix(store: Store) -> None:
    with pytest.raises(MissingOutputError, match="final_mix"):
        export_shard(store, "nowhere", "m", "jsonl.zst")
    assert not export_path(store, "nowhere", "m", "jsonl.zst").exists()


def test_texts_of_another_version_of_the_shard_are_refused(store: Store) -> None:
    raw = store.table_path(RAW_SHARDS, "s")
    store.write_table(raw, store.read_table(raw).with_columns(pl.col("id") + "-other"))
    with pytest.raises(ValueError, match="'s' was made from another version"):
        export_shard(store, "s", "m", "parquet")
    assert not export_path(store, "s", "m", "parquet").exists()
