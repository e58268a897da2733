"""This machine's copies of small tables on object storage: fewer requests, and never an old row."""

import multiprocessing
import resource
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import polars as pl
import pytest
from upath import UPath

from quadmix_assets.store import MissingOutputError, Store, objects, one_step
from quadmix_assets.store.copies_folder import copies_folder
from quadmix_assets_tests.s3 import BUCKET
from quadmix_assets_tests.s3_requests import Requests, counting_server

KEYS = tuple(f"shard-{number}" for number in range(5))


@pytest.fixture(scope="module")
def server() -> Iterator[Requests]:
    with counting_server() as requests:
        yield requests


@pytest.fixture
def store(server: Requests, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    monkeypatch.setenv("QUADMIX_COPIES", str(tmp_path / "copies"))
    store = Store(UPath(f"s3://{BUCKET}/{tmp_path.name}"))
    for number, key in enumerate(KEYS):
        write(store, key, number)
    server.clear()
    return store


def write(store: Store, key: str, value: int) -> None:
    store.write_table(table(store, key), pl.DataFrame({"a": [value] * 10}), {"value": value})


def table(store: Store, key: str) -> UPath:
    return store.table_path("scores", key)


def value(store: Store, key: str) -> int:
    """The number that a table holds, in its rows and in its summary."""
    summary, rows = store.summary(table(store, key)), store.read_table(table(store, key))
    assert rows["a"].to_list() == [summary["value"]] * 10
    return int(summary["value"])


def values(store: Store) -> list[int]:
    """What a new step reads of all shards."""
    with one_step():
        return [value(store, key) for key in KEYS]


def asked(server: Requests) -> tuple[int, int]:
    """Requests of tables and of listings since the last time."""
    listings = sum("?" in path for _, path in server)
    found = len(server) - listings, listings
    server.clear()
    return found


def copied_tables() -> list[Path]:
    return [path for path in copies_folder().glob("tables-*/*") if path.name != "listed"]


def _write_in_child(root: str, key: str, number: int) -> None:
    write(Store(UPath(root)), key, number)


def _values_in_child(root: str) -> list[int]:
    return values(Store(UPath(root)))


@contextmanager
def child() -> Iterator[ProcessPoolExecutor]:
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        yield pool


def test_a_step_lists_what_the_steps_before_have_read(store: Store, server: Requests) -> None:
    assert values(store) == [0, 1, 2, 3, 4]
    assert asked(server) == (5, 0)
    for _ in range(3):
        assert values(store) == [0, 1, 2, 3, 4]
        assert asked(server) == (0, 1)
    with one_step():
        assert store.exists(table(store, KEYS[0]))
        assert store.n_rows(table(store, KEYS[1])) == 10
        assert store.fingerprint(table(store, KEYS[2]))
    assert asked(server) == (0, 1)


def test_a_replaced_table_is_read_anew(store: Store, server: Requests) -> None:
    values(store)
    write(store, KEYS[1], 7)
    server.clear()
    assert values(store) == [0, 7, 2, 3, 4]
    assert asked(server) == (1, 1)
    assert values(store) == [0, 7, 2, 3, 4]
    assert asked(server) == (0, 1)
    # Of the same size, and back: content by content, whatever was there between.
    for number in (8, 7):
        write(store, KEYS[1], number)
        assert values(store)[1] == number


def test_what_another_process_writes_is_seen_by_the_next_step(store: Store) -> None:
    values(store)
    with child() as other:
        other.submit(_write_in_child, str(store.root), KEYS[0], 9).result()
        assert values(store) == [9, 1, 2, 3, 4]
        assert other.submit(_values_in_child, str(store.root)).result() == [9, 1, 2, 3, 4]
        write(store, KEYS[0], 10)
        assert other.submit(_values_in_child, str(store.root)).result() == [10, 1, 2, 3, 4]


def test_another_process_reads_this_machines_copies(store: Store, server: Requests) -> None:
    with child() as other:
        assert other.submit(_values_in_child, str(store.root)).result() == [0, 1, 2, 3, 4]
    server.clear()
    assert values(store) == [0, 1, 2, 3, 4]
    assert asked(server) == (0, 1)


def test_a_step_sees_what_it_writes(store: Store) -> None:
    values(store)
    with one_step():
        assert value(store, KEYS[0]) == 0
        write(store, KEYS[1], 7)
        assert value(store, KEYS[1]) == 7
        store.delete(table(store, KEYS[2]))
        assert not store.exists(table(store, KEYS[2]))
        write(store, "new", 8)
        assert value(store, "new") == 8
        store.remove_folder(store.root / "scores")
        for key in (*KEYS, "new"):
            with pytest.raises(MissingOutputError):
                value(store, key)
        write(store, KEYS[3], 9)
        assert value(store, KEYS[3]) == 9


def test_a_listing_from_before_a_write_says_nothing_of_what_was_written(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The listing is on its way while another thread of the step replaces a table."""
    values(store)
    etags_in = objects._etags_in

    def slow(folder: UPath) -> dict[str, str]:
        found = etags_in(folder)
        writer = threading.Thread(target=write, args=(store, KEYS[0], 7))
        writer.start()
        writer.join()
        return found

    monkeypatch.setattr(objects, "_etags_in", slow)
    assert values(store)[0] == 7


def test_bytes_from_before_a_write_are_not_remembered(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    first_bytes = objects._first_bytes

    def slow(path: UPath) -> tuple[bytes, str | None]:
        found = first_bytes(path)
        monkeypatch.setattr(objects, "_first_bytes", first_bytes)
        write(store, KEYS[0], 7)
        return found

    monkeypatch.setattr(objects, "_first_bytes", slow)
    with one_step():
        assert store.summary(table(store, KEYS[0]))["value"] == 0, "it was read before"
        assert value(store, KEYS[0]) == 7
    assert values(store)[0] == 7


def test_a_table_that_is_gone(store: Store) -> None:
    values(store)
    other = Store(UPath(str(store.root)))
    other.root.fs.rm_file(table(store, KEYS[4]).path)
    with one_step(), pytest.raises(MissingOutputError, match="materialise the asset 'scores'"):
        value(store, KEYS[4])


@pytest.mark.parametrize(
    "damage",
    [
        lambda path: path.write_bytes(b""),
        lambda path: path.write_bytes(path.read_bytes()[:-1]),
        lambda path: path.write_bytes(path.read_bytes()[:100] + b"\0" + path.read_bytes()[101:]),
        lambda path: path.unlink(),
        # A copy of another table, whole in itself.
        lambda path: path.write_bytes(copied_tables()[0].read_bytes()),
    ],
)
def test_damaged_copies_are_fetched_again(
    store: Store, server: Requests, damage: Callable[[Path], object]
) -> None:
    values(store)
    for copy in copied_tables()[1:]:
        damage(copy)
    server.clear()
    assert values(store) == [0, 1, 2, 3, 4]
    assert asked(server) == (4, 1)
    assert values(store) == [0, 1, 2, 3, 4]
    assert asked(server) == (0, 1)


def test_copies_take_no_more_room_than_they_may(
    store: Store, server: Requests, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QUADMIX_COPIES_GB", "0")
    for _ in range(2):
        assert values(store) == [0, 1, 2, 3, 4]
        assert asked(server)[0] == 5
        assert copied_tables() == []


def test_a_full_disk_and_none_at_all(
    store: Store, server: Requests, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, hard))  # No file can be longer.
    try:
        assert values(store) == [0, 1, 2, 3, 4]
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert copied_tables() == []
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("QUADMIX_COPIES", str(tmp_path / "file" / "copies"))
    for _ in range(2):
        server.clear()
        assert values(store) == [0, 1, 2, 3, 4]
        assert asked(server) == (5, 0)


def test_a_large_folder_is_listed_only_for_as_many_tables(
    store: Store, server: Requests, monkeypatch: pytest.MonkeyPatch
) -> None:
    values(store)
    monkeypatch.setattr("quadmix_assets.store.table_copies._LISTED_AT_ONCE", 2)
    values(store)
    server.clear()
    # Five objects take three requests: the first two tables are cheaper without them.
    with one_step():
        for key in KEYS[:2]:
            value(store, key)
    assert asked(server) == (2, 0)
    values(store)
    assert asked(server) == (2, 1)


def test_the_same_lake_name_on_another_server(
    store: Store, server: Requests, monkeypatch: pytest.MonkeyPatch
) -> None:
    values(store)
    place = {path.parent for path in copied_tables()}
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:1")
    from quadmix_assets.store.table_copies import _place

    assert _place(store.root / "scores") not in place
