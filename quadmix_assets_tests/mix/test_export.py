import json
from pathlib import Path
from typing import Any, Literal

import polars as pl
import pytest
import zstandard
from upath import UPath

from quadmix_assets.mix import export
from quadmix_assets.mix.export import export_path, export_shard
from quadmix_assets.outputs import FINAL_MIX
from quadmix_assets.store import MissingOutputError, Store
from quadmix_assets_tests.features.texts import AWKWARD

TEXTS = {
    **AWKWARD,
    "quotes": '"\\" \\n \\u0000 {}',
    "crlf": "a\r\nb\rc\n",
    "high": "𝔘\U0010ffff\ufeff",
}


@pytest.fixture
def store(tmp_path: Path) -> Store:
    store = Store(UPath(tmp_path / "lake"))
    mix = pl.DataFrame(
        {
            "id": list(TEXTS),
            "text": list(TEXTS.values()),
            "copies": [n % 3 + 1 for n in range(len(TEXTS))],
            "note": "not exported",
        },
        schema_overrides={"copies": pl.Int32},
    )
    store.write_table(store.table_path(FINAL_MIX, "s"), mix)
    store.write_table(store.table_path(FINAL_MIX, "empty"), mix.clear())
    return store


def lines_of(path: UPath) -> list[dict[str, Any]]:
    """As a trainer reads it: split at line feeds alone, by the standard library's JSON."""
    data = zstandard.ZstdDecompressor().stream_reader(path.read_bytes()).read()
    *lines, last = data.split(b"\n")
    assert last == b""
    return [json.loads(line) for line in lines]


def expected() -> list[tuple[str, str]]:
    return [(i, t) for n, (i, t) in enumerate(TEXTS.items()) for _ in range(n % 3 + 1)]


@pytest.mark.parametrize("batch_rows", [2, 1_000])
def test_both_formats_hold_the_same_rows(
    store: Store, monkeypatch: pytest.MonkeyPatch, batch_rows: int
) -> None:
    monkeypatch.setattr(export, "BATCH_ROWS", batch_rows)
    assert export_shard(store, "s", "parquet") == len(expected())
    assert export_shard(store, "s", "jsonl.zst") == len(expected())
    table = store.read_table(export_path(store, "s", "parquet"))
    assert table.columns == ["id", "text"]
    assert table.rows() == expected()
    lines = lines_of(export_path(store, "s", "jsonl.zst"))
    assert [(line["id"], line["text"]) for line in lines] == expected()
    assert all(set(line) == {"id", "text"} for line in lines)


@pytest.mark.parametrize("file_format", ["parquet", "jsonl.zst"])
def test_export_of_nothing_is_a_file_that_can_be_read(
    store: Store, file_format: Literal["parquet", "jsonl.zst"]
) -> None:
    assert export_shard(store, "empty", file_format) == 0
    path = export_path(store, "empty", file_format)
    if file_format == "parquet":
        assert store.read_table(path).height == 0
    else:
        assert lines_of(path) == []


@pytest.mark.parametrize("file_format", ["parquet", "jsonl.zst"])
def test_same_mix_gives_the_same_bytes(
    store: Store, file_format: Literal["parquet", "jsonl.zst"]
) -> None:
    path = export_path(store, "s", file_format)
    export_shard(store, "s", file_format)
    before = path.read_bytes()
    export_shard(store, "s", file_format)
    assert path.read_bytes() == before


def test_shard_without_a_mix(store: Store) -> None:
    with pytest.raises(MissingOutputError, match="final_mix"):
        export_shard(store, "nowhere", "jsonl.zst")
    assert not export_path(store, "nowhere", "jsonl.zst").exists()
