"""No changed bit, cut or deletion in an output of a lake is accepted by what reads it."""

import errno
import os
import pickle
import random
import shutil
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow.parquet as pq
import pytest
from upath import UPath

from quadmix_assets.outputs import LANGUAGE_MODEL, mix_output
from quadmix_assets.sampling import PoolIndex
from quadmix_assets.store import (
    ROW_GROUP_ROWS,
    DamagedOutputError,
    MissingOutputError,
    Store,
    atomic_folder,
    carded_file,
    cards,
    delete_damaged,
    output_names,
    outputs_in,
    read_carded,
    verify_lake,
)
from quadmix_assets.training.token_file import TokenFile, TokenFileWriter
from quadmix_assets_tests.lakes import damage

N_FLIPS = 200
REFUSED = (DamagedOutputError, MissingOutputError)
Read = Callable[[Path], Any]


def scores(n_rows: int = 3 * ROW_GROUP_ROWS // 2) -> pl.DataFrame:
    rng = np.random.default_rng(0)
    return pl.DataFrame(
        {
            "id": [f"document-{row}" for row in range(n_rows)],
            "domain": rng.choice(["law", "cooking"], n_rows),
            "quality": rng.normal(size=n_rows),
            "hashes": [[row, row + 1] for row in range(n_rows)],
        }
    )


def write_table(store: Store) -> Path:
    path = store.table_path("scored_shards", "a")
    store.write_table(path, scores(), {"windows": ["1"]})
    return Path(str(path))


def write_empty_table(store: Store) -> Path:
    path = store.table_path("scored_shards", "a")
    store.write_table(path, scores(0), {"windows": []})
    return Path(str(path))


def write_json(store: Store) -> Path:
    path = store.path("optimal_params", "target.json")
    store.write_json(path, {"theta": [0.25, 0.5], "prediction": 2.5})
    return Path(str(path))


def write_bytes(store: Store) -> Path:
    path = store.path("mixes/m/export", "a.jsonl.zst")
    with carded_file(path) as file:
        file.write(os.urandom(1_000))
    return Path(str(path))


def write_pool(store: Store) -> Path:
    """A folder with a token file, an index, and a note."""
    folder = store.root / "proxy_pool"
    rng = np.random.default_rng(0)
    with atomic_folder(folder) as local:
        with TokenFileWriter(local / "tokens", 300) as writer:
            writer.append([rng.integers(0, 300, 50) for _ in range(20)])
        sigma, domains = rng.uniform(size=(20, 2)), rng.integers(0, 2, 20)
        PoolIndex.build(sigma, domains, np.full(20, 50), 2).save(local / "index")
        (local / "axes.json").write_text('{"criteria": ["a", "b"]}')
    return Path(str(folder))


def of_pool(name: str) -> Callable[[Store], Path]:
    return lambda store: write_pool(store) / name


def open_pool(store: Store, _path: Path) -> Any:
    with store.local_folder(store.root / "proxy_pool") as folder:
        TokenFile.open(folder / "tokens")
        PoolIndex.open(folder / "index")
        return store.fingerprint(store.root / "proxy_pool")


def card_of(write: Callable[[Store], Path]) -> Callable[[Store], Path]:
    def written(store: Store) -> Path:
        path = write(store)
        return path.with_name(f".{path.name}.card")

    return written


def read_table(store: Store, path: Path) -> pl.DataFrame:
    return store.read_table(UPath(path))


def read_batches(store: Store, path: Path) -> pl.DataFrame:
    return pl.concat(store.iter_table(UPath(path), batch_rows=1_000))


def read_json(store: Store, path: Path) -> Any:
    return store.read_json(path_without_card(path))


def read_bytes(store: Store, path: Path) -> bytes:
    return store.read_bytes(path_without_card(path))


def hash_file(store: Store, path: Path) -> str:
    return store.fingerprint(path_without_card(path))


def path_without_card(path: Path) -> UPath:
    is_card = path.name.endswith(".card")
    return UPath(path.with_name(path.name[1 : -len(".card")]) if is_card else path)


KINDS: dict[str, tuple[Callable[[Store], Path], Callable[[Store, Path], Any]]] = {
    "table": (write_table, read_table),
    "table in batches": (write_table, read_batches),
    "hash of a table": (write_table, hash_file),
    "table without rows": (write_empty_table, read_table),
    "json": (write_json, read_json),
    "its card": (card_of(write_json), read_json),
    "export": (write_bytes, read_bytes),
    "hash of an export": (write_bytes, hash_file),
    "tokens": (of_pool("tokens/tokens.npy"), open_pool),
    "offsets": (of_pool("tokens/offsets.npy"), open_pool),
    "index": (of_pool("index/sigma.npy"), open_pool),
    "file of a folder": (of_pool("axes.json"), open_pool),
    "listing of a folder": (of_pool("_listing.json"), open_pool),
}


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(UPath(tmp_path / "lake"))


def flips(content: bytes, n: int) -> Iterator[tuple[int, bytes]]:
    """The content with one bit changed: the first and last bytes, and random places."""
    chosen = random.Random(0)
    ends = [*range(16), *range(len(content) - 48, len(content))]
    places = [place for place in ends if 0 <= place < len(content)]
    places += [chosen.randrange(len(content)) for _ in range(n - len(places))]
    for place in places:
        changed = bytearray(content)
        changed[place] ^= 1 << chosen.randrange(8)
        yield place, bytes(changed)


def cuts(content: bytes) -> list[bytes]:
    size = len(content)
    ends = {0, 1, 4, 8, size // 3, size // 2, size - 9, size - 8, size - 1}
    return [*(content[:end] for end in sorted(ends) if 0 <= end < size), content + b"\0"]


def put(path: Path, content: bytes) -> None:
    """Change a file in place, as bit rot does."""
    path.write_bytes(content)


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_damaged_is_accepted(store: Store, kind: str) -> None:
    write, read = KINDS[kind]
    path = write(store)
    content = path.read_bytes()
    read(store, path)
    accepted = []
    for place, changed in flips(content, N_FLIPS):
        put(path, changed)
        try:
            read(store, path)
        except DamagedOutputError as error:
            assert path_without_card(path).name in str(error) or "listing" in str(error)
        else:
            accepted.append(place)
    assert accepted == []
    for changed in cuts(content):
        put(path, changed)
        with pytest.raises(DamagedOutputError):
            read(store, path)
    path.unlink()
    with pytest.raises(REFUSED):
        read(store, path)
    put(path, content)
    read(store, path)


def test_every_byte_of_a_table_counts(store: Store) -> None:
    path = store.table_path("scored_shards", "a")
    store.write_table(path, scores(40), {"windows": ["1"]})
    content = Path(str(path)).read_bytes()
    for place in range(len(content)):
        changed = bytearray(content)
        changed[place] ^= 1 << place % 8
        put(Path(str(path)), bytes(changed))
        with pytest.raises(DamagedOutputError):
            store.read_table(path)


def test_columns_are_read_without_the_damage_in_others(store: Store) -> None:
    path = store.table_path("raw_shards", "a")
    frame = pl.DataFrame({"id": ["a", "b"], "text": ["x" * 500, "y" * 500], "n": [1, 2]})
    store.write_table(path, frame)
    chunk = pq.read_metadata(str(path)).row_group(0).column(1)
    content = bytearray(path.read_bytes())
    content[chunk.data_page_offset + 10] ^= 1
    put(Path(str(path)), bytes(content))
    assert store.read_table(path, ["n", "id"]).equals(frame.select("n", "id"))
    with pytest.raises(DamagedOutputError, match=r"a\.parquet is damaged: its bytes"):
        store.read_table(path, ["text"])


def test_sealed_tables_are_plain_parquet(store: Store) -> None:
    path = write_table(store)
    assert pl.read_parquet(path).equals(scores())
    assert pq.read_table(path, page_checksum_verification=True).num_rows == scores().height


def test_what_another_program_wrote_is_refused(store: Store) -> None:
    table = store.table_path("scored_shards", "a")
    table.parent.mkdir(parents=True)
    scores().write_parquet(str(table))
    note = store.path("optimal_params", "target.json")
    note.parent.mkdir(parents=True)
    note.write_bytes(b"{}")
    for read in (
        lambda: store.read_table(table),
        lambda: store.read_json(note),
        lambda: store.fingerprint(table.parent),
        lambda: store.fingerprint(note.parent),
    ):
        with pytest.raises(DamagedOutputError, match="has no checksum .* materialise the asset"):
            read()


def test_the_error_says_what_to_do_and_goes_to_other_processes(store: Store) -> None:
    path = write_json(store)
    put(path, b"{}")
    with pytest.raises(DamagedOutputError) as caught:
        store.read_json(UPath(path))
    message = str(pickle.loads(pickle.dumps(caught.value)))
    assert message == str(caught.value)
    for part in (str(path), "'optimal_params'", "quadmix verify --delete", "--resume"):
        assert part in message
    assert "partition" not in message, "this asset has none"
    assert "\n" not in message
    of_shard = DamagedOutputError("/lake/scored_shards/a.parquet", "", True, "scored_shards", "a")
    assert "'scored_shards' (partition 'a')" in str(of_shard)


STRANGERS = (".DS_Store", "x.tmp", "Thumbs.db", ".nfs0001", "a.parquet~", f"a.{'0' * 32}.tmp")


@pytest.mark.parametrize("kind", ["table", "json", "tokens"])
def test_strangers_change_nothing(store: Store, kind: str) -> None:
    write, read = KINDS[kind]
    path = write(store)
    folder = store.root / path.relative_to(str(store.root)).parts[0]
    before = store.fingerprint(folder)
    for name in STRANGERS:
        (path.parent / name).write_bytes(b"1")
    assert store.fingerprint(folder) == before
    read(store, path)
    report = verify_lake(store.root, lambda *_: None)
    assert report.is_sound
    assert {name.rsplit("/", 1)[1] for name in report.strangers} == set(STRANGERS)


def test_fingerprints_know_missing_and_further_outputs(store: Store) -> None:
    write_json(store)
    folder = store.root / "optimal_params"
    before = store.fingerprint(folder)
    other = store.path("optimal_params", "other.json")
    store.write_json(other, 1)
    assert store.fingerprint(folder) != before
    other.unlink()
    with pytest.raises(MissingOutputError, match="other.json is gone"):
        store.fingerprint(folder)
    store.write_json(other, 1)
    store.delete(other)
    assert store.fingerprint(folder) == before


def test_a_writer_killed_between_card_and_file_leaves_the_old_file(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = store.path("optimal_params", "target.json")
    store.write_json(path, 1)
    replace = Path.replace
    for value in (2, 3):
        # The card is renamed first; then the process dies.
        def die(self: Path, target: str) -> Path:
            if str(target).endswith(".json"):
                raise KeyboardInterrupt
            return replace(self, target)

        with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
            patch.setattr(Path, "replace", die)
            store.write_json(path, value)
        assert store.read_json(path) == 1
    store.write_json(path, 3)
    assert store.read_json(path) == 3


def test_readers_and_writers_at_once_never_see_damage(store: Store) -> None:
    path = store.path("mixes/m/links", "links.json")
    store.write_json(path, 0)
    errors: list[BaseException] = []

    def repeat(work: Callable[[int], object]) -> None:
        try:
            for number in range(60):
                work(number)
        except BaseException as error:
            errors.append(error)

    def write(number: int) -> None:
        store.write_json(path, [threading.get_ident(), number])

    def read(_number: int) -> object:
        return store.read_json(path), store.fingerprint(path)

    works = (write, write, read, read)
    threads = [threading.Thread(target=repeat, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert read_carded(path)


def test_folders_of_mixes_are_verified_and_deleted_as_a_whole(store: Store) -> None:
    """An asset of a mix is three folders deep; its neighbours stay."""
    manifest = store.root / "mixes" / "m" / "mix_manifest"
    with atomic_folder(manifest) as local:
        (local / "mix_manifest.json").write_text("{}")
    table = store.table_path("mixes/m/final_mix", "a")
    store.write_table(table, scores(0))
    assert verify_lake(store.root, lambda *_: None).is_sound
    (manifest / "mix_manifest.json").write_text("{ }")
    with pytest.raises(DamagedOutputError, match="'mixes/m/mix_manifest'"):
        store.read_json(manifest / "mix_manifest.json")
    report = verify_lake(store.root, lambda *_: None)
    assert list(report.damaged) == ["mixes/m/mix_manifest/mix_manifest.json"]
    assert delete_damaged(store.root, report) == ["mixes/m/mix_manifest"]
    assert not manifest.exists() and table.exists()
    table.unlink()
    with pytest.raises(MissingOutputError, match="the asset 'mixes/m/final_mix'"):
        store.read_table(table)


def test_folders_in_the_folder_of_an_asset_are_verified_and_deleted_as_a_whole(
    store: Store,
) -> None:
    asset = mix_output("quadmix", LANGUAGE_MODEL)
    store.write_table(store.path(asset, "models.parquet"), scores(10))
    for model in ("1000_0", "1000_1"):
        with atomic_folder(store.root / asset / model) as folder:
            (folder / "config.json").write_text("{}")
            (folder / "model.safetensors").write_bytes(bytes(100))
    report = verify_lake(store.root, lambda *_: None)
    assert report.is_sound
    assert (report.n_files, report.strangers) == (5, [])
    assert output_names(store.root / asset) == [
        f"1000_{k}/{name}" for k in (0, 1) for name in ("config.json", "model.safetensors")
    ] + ["models.parquet"]
    damage(store.root / asset / "1000_1" / "model.safetensors")
    with (
        pytest.raises(DamagedOutputError, match=f"materialise the asset {asset!r}"),
        store.local_folder(store.root / asset / "1000_1"),
    ):
        pass
    report = verify_lake(store.root, lambda *_: None)
    assert list(report.damaged) == [f"{asset}/1000_1/model.safetensors"]
    assert delete_damaged(store.root, report) == [f"{asset}/1000_1"]
    assert sorted(path.name for path in (store.root / asset).iterdir()) == [
        "1000_0",
        "models.parquet",
    ]


def test_verification_names_what_is_wrong_and_deletes_what_is_damaged(store: Store) -> None:
    table, pool, note = write_table(store), write_pool(store), write_json(store)
    export, gone = write_bytes(store), store.path("regressor", "gone.json")
    store.write_json(gone, 1)
    store.write_json(store.path("regressor", "there.json"), 1)
    assert verify_lake(store.root, lambda *_: None).is_sound
    gone.unlink()
    (export.parent / "b.jsonl.zst").write_bytes(b"")
    for path in (table, pool / "axes.json", note):
        put(path, path.read_bytes()[:-1] + b"?")
    told: list[tuple[int, ...]] = []
    report = verify_lake(store.root, lambda *numbers: told.append(numbers))
    assert sorted(report.damaged) == [
        "optimal_params/target.json",
        "proxy_pool/axes.json",
        "scored_shards/a.parquet",
    ]
    assert report.missing == ["regressor/gone.json"]
    assert report.unchecked == ["mixes/m/export/b.jsonl.zst"]
    assert not report.is_sound
    assert told[-1] == (report.n_files, report.n_bytes, report.n_files, report.n_bytes)
    assert delete_damaged(store.root, report) == [
        "optimal_params/target.json",
        "proxy_pool",
        "scored_shards/a.parquet",
    ]
    left = verify_lake(store.root, lambda *_: None)
    assert (left.damaged, left.missing) == ({}, ["regressor/gone.json"])


def test_a_file_that_cannot_be_read_does_not_end_the_verification(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_table(store), write_json(store)

    def read_error(path: UPath) -> str:
        raise OSError(errno.EIO, os.strerror(errno.EIO), str(path))

    monkeypatch.setattr(outputs_in, "verified_table_hash", read_error)
    report = verify_lake(store.root, lambda *_: None)
    assert list(report.unreadable) == ["scored_shards/a.parquet"]
    assert "Input/output error" in report.unreadable["scored_shards/a.parquet"]
    assert (report.n_files, report.damaged, report.is_sound) == (2, {}, False)
    assert delete_damaged(store.root, report) == []


def test_folders_that_cannot_be_locked_are_read_and_written_all_the_same(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_locks(handle: int, operation: int) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr("fcntl.flock", no_locks)
    monkeypatch.setattr(cards, "_PAUSE_SECONDS", 0.0)
    path = write_json(store)
    assert store.read_json(UPath(path))["prediction"] == 2.5
    damage(path)
    with pytest.raises(DamagedOutputError):
        store.read_json(UPath(path))


def test_a_lake_on_object_storage_is_verified(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cards, "_PAUSE_SECONDS", 0.0)
    store = Store(UPath(f"memory://{tmp_path.name}/lake"))
    write_pool(store), write_json(store), write_table(store)
    assert verify_lake(store.root, lambda *_: None).is_sound
    pool, note = store.root / "proxy_pool", store.path("optimal_params", "target.json")
    for path in (pool / "axes.json", note):
        place = store.located(path)
        place.write_bytes(place.read_bytes()[:-1] + b"?")
        with pytest.raises(DamagedOutputError):
            store.read_json(path)
    with pytest.raises(DamagedOutputError), store.local_folder(pool):
        pass
    report = verify_lake(store.root, lambda *_: None)
    assert sorted(report.damaged) == ["optimal_params/target.json", "proxy_pool/axes.json"]
    assert delete_damaged(store.root, report) == ["optimal_params/target.json", "proxy_pool"]
    assert not pool.exists()
    assert verify_lake(store.root, lambda *_: None).is_sound


def test_a_copy_of_a_lake_is_as_good(store: Store, tmp_path: Path) -> None:
    write_table(store), write_pool(store), write_json(store)
    shutil.copytree(str(store.root), tmp_path / "copy")
    assert verify_lake(UPath(tmp_path / "copy"), lambda *_: None).is_sound
