import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pytest
from upath import UPath

from quadmix_assets.features import resumable_windows as windows
from quadmix_assets.features.resumable_windows import Unit, make_table
from quadmix_assets.features.window import Window
from quadmix_assets.outputs import SCORED_SHARDS
from quadmix_assets.store import Store
from quadmix_assets_tests.lakes import put_raw

N_WINDOWS, ROWS = 6, 10


class Lengths:
    """Counts the windows that it is asked for; dies, if told to, before one of them."""

    def __init__(self, cache_key: str | None = "1", factor: int = 1, die_at: int = -1) -> None:
        self.calls = 0
        self.factor, self.die_at = factor, die_at
        self.unit = Unit({f"x{factor}": pa.int64()}, self, cache_key)

    def __call__(self, window: Window) -> pl.DataFrame:
        if self.calls == self.die_at:
            os.kill(os.getpid(), signal.SIGKILL)
        self.calls += 1
        lengths = window.documents["text"].str.len_chars().cast(pl.Int64) * self.factor
        return pl.DataFrame({f"x{self.factor}": lengths})


def make(store: Store, **units: Unit) -> None:
    make_table(store, SCORED_SHARDS, "s", units, reads=["text"], inputs={"raw": "1"})


def rows(changed: int | None = None) -> list[dict[str, str]]:
    return [
        {"id": f"d{n}", "text": "word " * (n + 1) + ("new" if n == changed else "")}
        for n in range(N_WINDOWS * ROWS)
    ]


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    monkeypatch.setattr(windows, "BATCH_ROWS", ROWS)
    store = Store(UPath(tmp_path / "lake"))
    put_raw(store, "s", rows())
    return store


def table(store: Store) -> bytes:
    content: bytes = store.table_path(SCORED_SHARDS, "s").read_bytes()
    return content


def die(root: str, at: int) -> None:
    """What the killed process does."""
    windows.BATCH_ROWS = ROWS
    make(Store(UPath(root)), a=Lengths(die_at=at).unit)


def test_killed_step_goes_on_where_it_stopped(store: Store) -> None:
    call = f"from {__name__} import die; die({str(store.root)!r}, 4)"
    killed = subprocess.run(
        [sys.executable, "-c", call], check=False, cwd=Path(__file__).parents[2]
    )
    assert killed.returncode == -signal.SIGKILL
    assert not store.table_path(SCORED_SHARDS, "s").exists()
    lengths = Lengths()
    make(store, a=lengths.unit)
    assert lengths.calls == N_WINDOWS - 4
    resumed = table(store)
    assert not (store.root / f"{SCORED_SHARDS}_unfinished" / "s").exists()

    store.table_path(SCORED_SHARDS, "s").unlink()
    make(store, a=Lengths().unit)
    assert table(store) == resumed


def test_a_table_of_one_window_is_written_without_a_checkpoint(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_raw(store, "s", rows()[:ROWS])
    written: list[str] = []
    write = Store.write_table

    def noted(self: Store, path: UPath, frame: pl.DataFrame, summary: Any = None) -> None:
        written.append(path.name)
        write(self, path, frame, summary)

    monkeypatch.setattr(Store, "write_table", noted)
    lengths = Lengths()
    make(store, a=lengths.unit)
    assert (lengths.calls, written) == (1, [])
    put_raw(store, "s", rows()[: 2 * ROWS])
    written.clear()
    store.table_path(SCORED_SHARDS, "s").unlink()
    make(store, a=Lengths().unit)
    assert [name[:6] for name in written] == ["000000"]
    assert not (store.root / f"{SCORED_SHARDS}_unfinished" / "s").exists()


def test_parts_of_another_version_are_not_taken(store: Store) -> None:
    call = f"from {__name__} import die; die({str(store.root)!r}, 4)"
    subprocess.run([sys.executable, "-c", call], check=False, cwd=Path(__file__).parents[2])
    lengths = Lengths(cache_key="2")
    make(store, a=lengths.unit)
    assert lengths.calls == N_WINDOWS


def test_damaged_part_is_computed_again(store: Store) -> None:
    call = f"from {__name__} import die; die({str(store.root)!r}, 4)"
    subprocess.run([sys.executable, "-c", call], check=False, cwd=Path(__file__).parents[2])
    parts = sorted((store.root / f"{SCORED_SHARDS}_unfinished" / "s").glob("*.parquet"))
    assert len(parts) == 4
    parts[1].write_bytes(parts[1].read_bytes()[:50])
    lengths = Lengths()
    make(store, a=lengths.unit)
    assert lengths.calls == N_WINDOWS - 3


def test_unchanged_columns_are_taken_from_the_earlier_table(store: Store) -> None:
    make(store, a=Lengths().unit, b=Lengths(factor=2).unit)
    old, changed, new = Lengths(), Lengths("2", factor=2), Lengths(factor=3)
    make(store, a=old.unit, b=changed.unit, c=new.unit)
    assert (old.calls, changed.calls, new.calls) == (0, N_WINDOWS, N_WINDOWS)
    reused = table(store)
    store.table_path(SCORED_SHARDS, "s").unlink()
    make(store, a=Lengths().unit, b=Lengths("2", factor=2).unit, c=Lengths(factor=3).unit)
    assert table(store) == reused


def test_changed_document_costs_its_window(store: Store) -> None:
    make(store, a=Lengths().unit)
    put_raw(store, "s", rows(changed=2 * ROWS + 1))
    lengths = Lengths()
    make(store, a=lengths.unit)
    assert lengths.calls == 1
    expected = [len("word " * (n + 1)) + 3 * (n == 2 * ROWS + 1) for n in range(N_WINDOWS * ROWS)]
    assert store.read_table(store.table_path(SCORED_SHARDS, "s"))["x1"].to_list() == expected


def test_what_has_no_version_is_always_computed(store: Store) -> None:
    for _ in range(2):
        lengths = Lengths(cache_key=None)
        make(store, a=lengths.unit)
        assert lengths.calls == N_WINDOWS


def test_lake_that_is_no_folder(store: Store) -> None:
    remote = Store(UPath("memory://windows/lake"))
    raw = remote.table_path("raw_shards", "s")
    raw.parent.mkdir(parents=True, exist_ok=True)
    raw.write_bytes(store.table_path("raw_shards", "s").read_bytes())
    make(store, a=Lengths().unit)
    for n_calls in (N_WINDOWS, 0):
        lengths = Lengths()
        make(remote, a=lengths.unit)
        assert lengths.calls == n_calls
        assert table(remote) == table(store)


def test_long_work_logs_its_rate_and_the_time_left(
    store: Store, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(windows, "_LOG_SECONDS", 0.0)
    caplog.set_level("INFO")
    make(store, a=Lengths().unit)
    assert len(caplog.messages) == N_WINDOWS
    assert "scored_shards s: 30 of 60 documents, " in caplog.messages[2]
    assert "a second, about 0.0 minutes left" in caplog.messages[2]
    caplog.clear()
    make(store, a=Lengths().unit)
    assert caplog.messages[-1] == "scored_shards s: reused a from the earlier table"


@pytest.mark.parametrize("groups", [(60,), (7, 25, 1, 27), (10,) * 6])
def test_windows_that_others_have_checkpointed_are_not_computed_again(
    store: Store, groups: tuple[int, ...]
) -> None:
    raw = store.table_path("raw_shards", "s")
    content, summary = store.read_table(raw).to_arrow(), store.summary(raw)
    with store.table_writer(raw, content.schema) as writer:
        start = 0
        for n in groups:
            writer.write(content.slice(start, n))
            start += n
        writer.describe(summary)
    make(store, a=Lengths().unit)
    alone = table(store)
    store.table_path(SCORED_SHARDS, "s").unlink()
    for part in (range(4, 6), range(4), range(6, 8)):
        lengths = Lengths()
        make_table(
            store, SCORED_SHARDS, "s", {"a": lengths.unit}, reads=["text"], inputs={}, only=part
        )
        assert lengths.calls == len(part) - (2 if part.start == 6 else 0)
        assert not store.table_path(SCORED_SHARDS, "s").exists()
    lengths = Lengths()
    make(store, a=lengths.unit)
    assert lengths.calls == 0
    assert table(store) == alone
