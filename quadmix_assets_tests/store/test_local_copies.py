"""This machine's copies of folders on object storage."""

import multiprocessing
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import pytest
from upath import UPath

from quadmix_assets.store import MissingOutputError, Store, atomic_folder
from quadmix_assets.store.copies_folder import copies_folder
from quadmix_assets_tests.s3 import BUCKET
from quadmix_assets_tests.s3_requests import Requests, counting_server

N = 100_000


@pytest.fixture(scope="module")
def server() -> Iterator[Requests]:
    with counting_server() as requests:
        yield requests


@pytest.fixture
def store(server: Requests, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    monkeypatch.setenv("QUADMIX_COPIES", str(tmp_path / "copies"))
    return Store(UPath(f"s3://{BUCKET}/{tmp_path.name}"))


def fill(store: Store, name: str, content: bytes) -> UPath:
    """Write a folder with one file."""
    with atomic_folder(store.root / name) as folder:
        (folder / "tokens.npy").write_bytes(content)
    return store.root / name


def read(store: Store, folder: UPath) -> bytes:
    with store.local_folder(folder) as local:
        return (local / "tokens.npy").read_bytes()


def copies() -> list[Path]:
    return sorted(path for path in copies_folder().iterdir() if path.is_dir())


def n_fetched(server: Requests) -> int:
    return sum(method == "GET" and path.endswith("tokens.npy") for method, path in server)


def test_a_version_is_fetched_once(store: Store, server: Requests) -> None:
    folder = fill(store, "pool", b"1")
    server.clear()
    for _ in range(3):
        assert read(store, folder) == b"1"
    assert n_fetched(server) == 1
    fill(store, "pool", b"2")
    assert read(store, folder) == b"2"
    assert n_fetched(server) == 2


def test_damaged_copies_are_fetched_again(store: Store, server: Requests) -> None:
    folder = fill(store, "pool", b"1" * N)
    read(store, folder)
    for damage in (
        lambda path: path.write_bytes(b"2" * N),
        lambda path: path.write_bytes(b"1"),
        lambda path: path.unlink(),
    ):
        damaging: Callable[[Path], object] = damage
        damaging(copies()[0] / "tokens.npy")
        assert read(store, folder) == b"1" * N
    assert n_fetched(server) >= 4
    assert len(copies()) == 1


def test_a_copy_stays_whole_for_its_user_when_the_folder_is_replaced(store: Store) -> None:
    folder = fill(store, "pool", b"1")
    with store.local_folder(folder) as local:
        fill(store, "pool", b"2")
        assert read(store, folder) == b"2"
        assert (local / "tokens.npy").read_bytes() == b"1"


def test_copies_take_no_more_room_than_they_may(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QUADMIX_COPIES_GB", str(2.5 * N / 1e9))
    folders = [fill(store, f"pool{number}", bytes([number]) * N) for number in range(4)]
    with store.local_folder(folders[0]) as used:
        for number, folder in enumerate(folders[1:]):
            assert read(store, folder) == bytes([number + 1]) * N
            # Times of use, some of which may be equal on a fast machine.
            for rank, copy in enumerate(sorted(copies(), key=lambda c: c.stat().st_mtime)):
                os.utime(copy, (rank, rank))
        assert len(copies()) == 2, "the one in use, however long ago, and the last one"
        assert (used / "tokens.npy").read_bytes() == bytes(N)
    # Larger than all that is allowed: it is there while it is used.
    large = fill(store, "large", b"x" * 3 * N)
    assert read(store, large) == b"x" * 3 * N
    assert len(copies()) == 1


def test_without_a_folder_for_copies(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("QUADMIX_COPIES", str(tmp_path / "file" / "copies"))
    folder = fill(store, "pool", b"1")
    with store.local_folder(folder) as local:
        assert (local / "tokens.npy").read_bytes() == b"1"
    assert not local.exists()
    assert "QUADMIX_COPIES" in caplog.text


def test_a_folder_that_is_gone(store: Store) -> None:
    folder = fill(store, "pool", b"1")
    store.remove_folder(folder)
    with pytest.raises(MissingOutputError, match="materialise the asset 'pool'"):
        read(store, folder)


def _read_in_child(root: str) -> bytes:
    store = Store(UPath(root))
    return read(store, store.root / "pool")


def test_several_processes_fetch_once(store: Store, server: Requests) -> None:
    fill(store, "pool", b"3" * N)
    server.clear()
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(3, mp_context=context) as pool:
        found = list(pool.map(_read_in_child, [str(store.root)] * 6))
    assert found == [b"3" * N] * 6
    assert n_fetched(server) == 1
