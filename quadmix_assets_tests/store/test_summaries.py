import os
import time
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest
from upath import UPath

from quadmix_assets.outputs import FOOTERS
from quadmix_assets.store import (
    DamagedOutputError,
    MissingOutputError,
    Store,
    all_described,
    described_tables,
    listed_files,
    one_step,
    summaries,
)
from quadmix_assets.store.tables import Footer, read_footer

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

    def noted(path: UPath) -> Footer:
        names.append(path.name)
        return read_footer(path)

    monkeypatch.setattr(summaries, "read_footer", noted)
    return names


@pytest.fixture
def new_process(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Forgets what this process has read."""
    return lambda: monkeypatch.setattr(summaries, "_read_before", {})


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


def test_what_a_process_has_read_the_next_one_does_not_read_again(
    store: Store,
    read: list[str],
    new_process: Callable[[], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(summaries, "KEPT_FROM", 2)
    for n, key in enumerate(KEYS, start=1):
        write(store, key, n)
    before = described_tables(store, ASSET, KEYS)
    read.clear()
    new_process()
    assert described_tables(store, ASSET, KEYS) == before
    assert read == []
    write(store, KEYS[1], 9)
    new_process()
    assert described_tables(store, ASSET, KEYS)[KEYS[1]].footer.n_rows == 9
    assert read == ["shard-1.parquet"]


def test_a_few_partitions_are_asked_for_without_forgetting_the_others(
    store: Store,
    read: list[str],
    new_process: Callable[[], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(summaries, "KEPT_FROM", 2)
    for key in KEYS:
        write(store, key, 1)
    described_tables(store, ASSET, KEYS)
    new_process()
    described_tables(store, ASSET, KEYS[:1])
    described_tables(store, ASSET, KEYS)
    assert sorted(read) == sorted(f"{key}.parquet" for key in KEYS)


def test_a_damaged_record_is_made_again(
    store: Store,
    read: list[str],
    new_process: Callable[[], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(summaries, "KEPT_FROM", 2)
    for key in KEYS:
        write(store, key, 1)
    before = described_tables(store, ASSET, KEYS)
    kept = store.table_path(FOOTERS, ASSET)
    kept.write_bytes(kept.read_bytes()[:-9])
    read.clear()
    new_process()
    assert described_tables(store, ASSET, KEYS) == before
    assert len(read) == len(KEYS)


def test_few_tables_leave_no_record(store: Store) -> None:
    write(store, KEYS[0], 1)
    described_tables(store, ASSET, KEYS)
    assert not (store.root / FOOTERS).exists()


def test_footers_say_what_the_table_holds(store: Store) -> None:
    frame = pl.DataFrame({"id": ["a", "b"], "n": [1, 2]})
    path = store.table_path(ASSET, KEYS[0])
    store.write_table(path, frame, {"k": 1})
    footer = read_footer(path)
    assert (footer.n_rows, footer.columns) == (2, ("id", "n"))
    assert footer.seal == store.seal(path)
    store.write_table(path, frame, {"k": 1})
    assert store.seal(path) == footer.seal, "equal contents have equal seals"
    for other, summary in ((frame.head(1), {"k": 1}), (frame.reverse(), {"k": 1}), (frame, {})):
        store.write_table(path, other, summary)
        assert store.seal(path) != footer.seal


def test_a_table_that_must_be_there_is_named(store: Store) -> None:
    write(store, KEYS[0], 1)
    assert all_described(store, ASSET, KEYS[:1])[KEYS[0]].summary == {"n": 1}
    with pytest.raises(MissingOutputError, match=r"'raw_shards' \(partition 'shard-1'"):
        all_described(store, ASSET, KEYS)


def test_a_step_lists_a_folder_once_until_something_changes_in_it(tmp_path: Path) -> None:
    store = Store(UPath(tmp_path))
    for key in KEYS[:2]:
        write(store, key, 1)
    folder = store.root / ASSET
    with one_step():
        first = listed_files(folder)
        assert listed_files(folder) is first
        write(store, KEYS[1], 5)  # replaced
        second = listed_files(folder)
        assert second[f"{KEYS[1]}.parquet"] != first[f"{KEYS[1]}.parquet"]
        write(store, KEYS[2], 1)
        assert listed_files(folder).keys() == {f"{key}.parquet" for key in KEYS}
        store.table_path(ASSET, KEYS[0]).unlink()
        assert listed_files(folder).keys() == {f"{key}.parquet" for key in KEYS[1:]}
    with one_step():
        assert listed_files(folder) == listed_files(folder)


def test_a_step_sees_at_once_what_it_writes(tmp_path: Path) -> None:
    store = Store(UPath(tmp_path))
    with one_step():
        for n in range(5):
            store.write_table(store.table_path(ASSET, "shard"), pl.DataFrame({"n": range(n)}))
            assert described_tables(store, ASSET, ["shard"])["shard"].footer.n_rows == n


def test_the_next_step_notices_damage_that_came_after_the_last_one(tmp_path: Path) -> None:
    store = Store(UPath(tmp_path))
    write(store, KEYS[0], 1)
    with one_step():
        described_tables(store, ASSET, KEYS)
    path = tmp_path / ASSET / f"{KEYS[0]}.parquet"
    content = bytearray(path.read_bytes())
    content[-20] ^= 1
    path.write_bytes(content)
    os.utime(path, (1, 1))
    with one_step(), pytest.raises(DamagedOutputError, match=KEYS[0]):
        described_tables(store, ASSET, KEYS)


def test_inputs_of_a_table_are_those_of_its_summary(store: Store) -> None:
    inputs = {"raw_shard": "abc", "rule": "def"}
    path = store.table_path(ASSET, KEYS[0])
    store.write_table(path, pl.DataFrame({"n": [1]}), {"inputs": inputs, "share": float("nan")})
    described = described_tables(store, ASSET, KEYS)[KEYS[0]]
    assert described.inputs == inputs
    described.summary.pop("inputs")
    assert described.inputs == inputs
