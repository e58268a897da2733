import os
import time
from pathlib import Path

import polars as pl
import pytest
from upath import UPath

from quadmix_assets.store import DamagedOutputError, Store, described_tables

ASSET, KEYS = "raw_shards", ("shard-0", "shard-1", "shard-2")


@pytest.fixture(params=["local", "memory"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    if request.param == "local":
        return Store(UPath(tmp_path / "lake"))
    return Store(UPath(f"memory://{tmp_path.name}/lake"))


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the tables whose footers have been read."""
    names: list[str] = []
    summary = Store.summary

    def noted(self: Store, path: UPath) -> dict[str, object]:
        names.append(path.name)
        return summary(self, path)

    monkeypatch.setattr(Store, "summary", noted)
    return names


def write(store: Store, key: str, n: int) -> None:
    """A table of n rows, whose file is old enough to have a state of its own."""
    store.write_table(store.table_path(ASSET, key), pl.DataFrame({"n": range(n)}), {"n": n})
    time.sleep(0.15)


def test_tables_that_are_there_are_described(store: Store) -> None:
    assert described_tables(store, ASSET, KEYS) == {}
    for n, key in enumerate(KEYS[:2], start=1):
        write(store, key, n)
    found = described_tables(store, ASSET, KEYS)
    assert {key: table.summary for key, table in found.items()} == {
        "shard-0": {"n": 1},
        "shard-1": {"n": 2},
    }
    for key, table in found.items():
        assert table.n_bytes == store.table_path(ASSET, key).stat().st_size
    assert described_tables(store, ASSET, KEYS[1:]).keys() == {"shard-1"}


def test_only_new_and_changed_footers_are_read(store: Store, read: list[str]) -> None:
    for key in KEYS[:2]:
        write(store, key, 1)
    described_tables(store, ASSET, KEYS)
    assert sorted(read) == ["shard-0.parquet", "shard-1.parquet"]
    read.clear()
    write(store, KEYS[1], 5)
    write(store, KEYS[2], 6)
    found = described_tables(store, ASSET, KEYS)
    assert read == ["shard-1.parquet", "shard-2.parquet"]
    assert [table.summary["n"] for table in found.values()] == [1, 5, 6]
    store.table_path(ASSET, KEYS[0]).unlink()
    assert described_tables(store, ASSET, KEYS).keys() == set(KEYS[1:])


def test_callers_may_change_what_they_get(store: Store) -> None:
    write(store, KEYS[0], 1)
    described_tables(store, ASSET, KEYS)[KEYS[0]].summary["n"] = 7
    assert described_tables(store, ASSET, KEYS)[KEYS[0]].summary == {"n": 1}


def test_damage_that_comes_later_is_noticed(tmp_path: Path) -> None:
    store = Store(UPath(tmp_path))
    write(store, KEYS[0], 1)
    described_tables(store, ASSET, KEYS)
    path = tmp_path / ASSET / f"{KEYS[0]}.parquet"
    content = bytearray(path.read_bytes())
    content[-20] ^= 1
    path.write_bytes(content)
    os.utime(path, (1, 1))
    with pytest.raises(DamagedOutputError, match=KEYS[0]):
        described_tables(store, ASSET, KEYS)
