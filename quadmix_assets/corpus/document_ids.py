"""Which shard holds which document ids, so that ids are unique over the pool.

A shard whose documents are in the pool has a claim, `<lake>/document_ids/<shard>.npy`: two numbers
that hold the checksum of its file, then the sorted 64-bit hashes of its ids. A shard that is set
aside has `<shard>.json` with the reason instead. Claims are made under a lock, so that of two runs
that read files with the same ids one finds the claim of the other. There is no lock on object
storage: there, two runs at the same time may both accept the same ids.

A shard that has been accepted stays accepted: a new one with ids of it is set aside.

Of many claims, `id_index` keeps an index beside them, so that a process reads none but those that
are newer than it, and those that hold an id that is looked for.
"""

import fcntl
import io
import json
import logging
import os
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import numpy as np
from upath import UPath

from quadmix_assets.corpus.id_index import MAX_MERGED, Claim, IdIndex
from quadmix_assets.corpus.set_aside import Kind, SetAside
from quadmix_assets.outputs import DOCUMENT_ID_INDEX, DOCUMENT_IDS, RAW_SHARDS
from quadmix_assets.sampling import hash_ids
from quadmix_assets.store import (
    DamagedOutputError,
    MissingOutputError,
    Store,
    carded_file,
    is_local,
    listed_files,
    read_carded,
)

LOCK_FILE = ".lock"
_CLAIM, _SET_ASIDE, _TABLE = ".npy", ".json", ".parquet"
_N_CHECKSUM = 2
# How many of the ids that are left are looked for in all claims at once.
_N_PROBES = 100
# The index is used, and grows, by so many claims: fewer are read as fast as it is.
INDEXED_FROM = 64
# Claims that are read at once.
_N_READERS = 8
_N_SHOWN = 3
_LOG = logging.getLogger(__name__)


class DocumentIds:
    """The claims of all shards: an index of them, and those that are newer than it.

    Memory: 16 bytes per document of the shards that are not in the index; on object storage, where
    there is none, of all.
    """

    def __init__(self, store: Store) -> None:
        """The claims in a lake; nothing is read before the first use."""
        self._store = store
        self._folder = store.root / DOCUMENT_IDS
        self._state: int | None = None
        self._lock_file: BinaryIO | None = None
        self._versions: dict[str, str] = {}
        # Of all claims, the checksum of the shard's file.
        self._checksums: dict[str, str] = {}
        self._index = IdIndex(store, {}, [])
        # The claims that are not in the index.
        self._claims: dict[str, Claim] = {}
        # Sorted hashes of these claims, the largest first. Hashes of claims that have gone stay
        # until the next reading: who holds a hash is looked up in `_claims`.
        self._sorted: list[np.ndarray] = []

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Keep other processes from changing claims; the claims are current inside."""
        if not is_local(self._folder):
            self._read_changes()
            yield
            return
        self._folder.mkdir(parents=True, exist_ok=True)
        with Path(str(self._folder), LOCK_FILE).open("a+b") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            state = os.fstat(file.fileno()).st_mtime_ns
            self._lock_file = file
            try:
                if self._state is None:
                    self._read_changes()
                    self._adopt()
                elif state != self._state:
                    self._read_changes()
                self._state = os.fstat(file.fileno()).st_mtime_ns
                yield
            finally:
                self._lock_file = None

    def duplicate(self, key: str, ids: Sequence[str], checksum: str) -> SetAside | None:
        """Whether the shard `key` may not be accepted: ids or content are those of another shard.

        To be called under the lock.

        Args:
            key: the shard.
            ids: the ids of its documents, each once.
            checksum: of its file.
        """
        if not ids:
            return None
        same = sorted(k for k, each in self._checksums.items() if each == checksum and k != key)
        if same:
            return _same_content(same[0], checksum)
        hashes = hash_ids(ids)
        order = np.argsort(hashes)
        hashes = hashes[order]  # Neighbours are found fast one after the other.
        held: dict[str, list[str]] = {}
        for owner, common in self._holders(hashes, key).items():
            places = np.flatnonzero(np.isin(hashes, common))
            wanted = {ids[index] for index in order[places].tolist()}
            if found := self._common_ids(owner, wanted):
                held[owner] = found
        if not held:
            return None
        return _same_ids(held, len(ids), {k: self._checksums[k] for k in held})

    def accept(self, key: str, ids: Sequence[str], checksum: str) -> None:
        """Claim the ids for the shard `key`, instead of those that it held. Under the lock."""
        claim = self._write_claim(key, ids, checksum)
        self._delete(f"{key}{_SET_ASIDE}")
        self._take(key, claim)

    def set_aside(self, key: str, reason: SetAside) -> None:
        """Give up the ids of the shard `key`, and store why it is set aside. Under the lock."""
        content = json.dumps(reason.as_json(), indent=2, sort_keys=True).encode()
        self._write(f"{key}{_SET_ASIDE}", content)
        self._delete(f"{key}{_CLAIM}")
        self._drop(key)

    def forget(self, keys: Sequence[str]) -> None:
        """Delete what is stored of shards that have left the pool. Under the lock."""
        for key in keys:
            self._delete(f"{key}{_CLAIM}")
            self._delete(f"{key}{_SET_ASIDE}")
            self._drop(key)

    def _holders(self, hashes: np.ndarray, key: str) -> dict[str, list[int]]:
        """By other shard than `key`, those of these sorted hashes that its claim holds."""
        indexed: dict[str, list[int]] = {}
        for number, owner in self._looked_up(hashes):
            if owner != key and owner in self._checksums and owner not in self._claims:
                indexed.setdefault(owner, []).append(number)
        # After the index, because a damaged one leaves all claims in memory.
        found: dict[str, list[int]] = {}
        for owner in self._owners(hashes[self._are_held(hashes)], key):
            found[owner] = np.intersect1d(hashes, self._claims[owner].hashes).tolist()
        for owner, numbers in indexed.items():
            # The index may be older than the claim.
            claim = self._read_claim(owner)
            if claim is not None:
                wanted = np.array(numbers, dtype=np.uint64)
                found[owner] = np.intersect1d(wanted, claim.hashes).tolist()
        return {owner: found[owner] for owner in sorted(found)}

    def _looked_up(self, hashes: np.ndarray) -> list[tuple[int, str]]:
        """The hashes that the index knows, with the shard; none of a damaged one."""
        try:
            return list(self._index.holders(hashes))
        except ValueError as error:
            self._forget_index(error)
        return []

    def _are_held(self, hashes: np.ndarray) -> np.ndarray:
        """Which of the hashes are in a claim, or were since the claims were read."""
        found = np.zeros(hashes.size, dtype=bool)
        for part in self._sorted:
            if part.size:
                position = np.minimum(np.searchsorted(part, hashes), part.size - 1)
                found |= part[position] == hashes
        return found

    def _owners(self, suspects: np.ndarray, key: str) -> Iterator[str]:
        """The other shards whose claims hold one of these sorted hashes."""
        while suspects.size:
            probes = suspects[:_N_PROBES]
            for owner in sorted(self._claims):
                hashes = self._claims[owner].hashes
                if owner == key or not hashes.size:
                    continue
                position = np.minimum(np.searchsorted(hashes, probes), hashes.size - 1)
                if (hashes[position] == probes).any():
                    yield owner
                    suspects = np.setdiff1d(suspects, hashes)
                    probes = np.setdiff1d(probes, hashes)
            suspects = np.setdiff1d(suspects, probes)

    def _common_ids(self, owner: str, wanted: set[str]) -> list[str]:
        """Those of these ids that `owner` really holds: two ids may share a hash."""
        try:
            table = self._store.read_table(self._store.table_path(RAW_SHARDS, owner), ["id"])
        except MissingOutputError:
            return sorted(wanted)  # Claimed by a run that was killed before it wrote the table.
        return sorted(wanted.intersection(table["id"])) if table.height else sorted(wanted)

    def _take(self, key: str, claim: Claim) -> None:
        self._checksums[key] = claim.checksum
        self._claims[key] = claim
        self._sorted.append(claim.hashes)
        # Parts of similar size are merged, so that there are few of them.
        while len(self._sorted) > 1 and self._sorted[-2].size <= 2 * self._sorted[-1].size:
            last = self._sorted.pop()
            self._sorted[-1] = np.sort(np.concatenate([self._sorted[-1], last]))

    def _drop(self, key: str) -> None:
        self._checksums.pop(key, None)
        self._claims.pop(key, None)

    def _read_changes(self) -> None:
        """Read the claims that are new or changed, and drop those that have gone."""
        found = _listing(self._folder)
        if self._state is None and is_local(self._folder) and len(found) >= INDEXED_FROM:
            self._index = IdIndex.open(self._store)
            for key, known in self._index.claims.items():
                if found.get(key) == known.version:
                    self._checksums[key], self._versions[key] = known.checksum, known.version
        for key in self._checksums.keys() - found.keys():
            self._drop(key)
        changed = sorted(k for k, version in found.items() if self._versions.get(k) != version)
        self._versions = found
        if not is_local(self._folder):
            for key in changed:
                self._read_and_take(key)
            return
        n_in_memory = 0
        for key in changed:
            claim = self._read_claim(key)
            if claim is not None:
                self._checksums[key], self._claims[key] = claim.checksum, claim
                n_in_memory += len(claim.hashes)
            # Claims are moved to the index while they are read, so that few are in memory.
            if n_in_memory >= MAX_MERGED:
                self._move_to_index()
                n_in_memory = 0
        if len(self._claims) >= INDEXED_FROM:
            self._move_to_index()
        hashes = [np.empty(0, dtype=np.uint64), *(each.hashes for each in self._claims.values())]
        self._sorted = [np.sort(np.concatenate(hashes))]

    def _move_to_index(self) -> None:
        """Move the claims that are in memory to the index."""
        new = {key: each for key, each in self._claims.items() if key in self._versions}
        versions = {key: self._versions[key] for key in self._checksums if key in self._versions}
        try:
            self._index = self._index.with_claims(new, versions)
        except ValueError as error:
            self._forget_index(error)
            return
        for key in new:
            del self._claims[key]

    def _forget_index(self, error: ValueError) -> None:
        """Have all claims in memory instead of in a damaged index; the next process makes it."""
        _LOG.warning("%s: the index is made again from %s", error, DOCUMENT_IDS)
        self._index = IdIndex(self._store, {}, [])
        self._store.remove_folder(self._store.root / DOCUMENT_ID_INDEX)
        for key in sorted(self._checksums.keys() - self._claims.keys()):
            self._read_and_take(key)

    def _read_and_take(self, key: str) -> None:
        if (claim := self._read_claim(key)) is not None:
            self._take(key, claim)

    def _read_claim(self, key: str) -> Claim | None:
        """The claim of a shard; a damaged one is made again from the shard's table. Under the lock.

        None if the table is not there: the shard makes its claim when it is materialised.
        """
        path = self._folder / f"{key}{_CLAIM}"
        try:
            return _read_claim(path)
        except DamagedOutputError as error:
            _LOG.warning("%s: %s; made again from %s", error.path, error.found, RAW_SHARDS)
        table = self._store.table_path(RAW_SHARDS, key)
        if not table.exists():
            self._delete(path.name)
            return None
        ids = self._store.read_table(table, ["id"])["id"].to_list()
        return self._write_claim(key, ids, self._store.summary(table)["input"]["checksum"])

    def _write_claim(self, key: str, ids: Sequence[str], checksum: str) -> Claim:
        hashes = np.sort(hash_ids(ids))
        content = io.BytesIO()
        np.save(content, np.concatenate([_packed(checksum), hashes]))
        self._write(f"{key}{_CLAIM}", content.getvalue())
        return Claim(checksum, hashes)

    def _adopt(self) -> None:
        """Claim the ids of tables that were written before there were claims."""
        if any(name.endswith((_CLAIM, _SET_ASIDE)) for name in _names(self._folder)):
            return
        for name in sorted(_names(self._store.root / RAW_SHARDS)):
            key = name.removesuffix(_TABLE)
            if key == name or key in self._claims:
                continue
            path = self._store.table_path(RAW_SHARDS, key)
            ids = self._store.read_table(path, ["id"])["id"].to_list()
            if ids:
                self.accept(key, ids, self._store.summary(path)["input"]["checksum"])

    def _write(self, name: str, content: bytes) -> None:
        self._announce()
        with carded_file(self._folder / name) as file:
            file.write(content)

    def _delete(self, name: str) -> None:
        self._announce()
        self._store.delete(self._folder / name)

    def _announce(self) -> None:
        """Make other processes read the claims again: the lock file gets another time."""
        if self._lock_file is not None:
            self._state = time.time_ns()
            os.utime(self._lock_file.fileno(), ns=(self._state, self._state))
            self._state = os.fstat(self._lock_file.fileno()).st_mtime_ns


def shards_set_aside(store: Store) -> dict[str, SetAside]:
    """Every shard that is set aside, by key, and why."""
    folder = store.root / DOCUMENT_IDS
    found = {}
    for name in sorted(name for name in _names(folder) if name.endswith(_SET_ASIDE)):
        try:
            stored = json.loads(read_carded(folder / name))
        except FileNotFoundError:  # accepted since the listing
            continue
        found[name.removesuffix(_SET_ASIDE)] = SetAside.of_json(stored)
    return found


def accepted_checksums(store: Store, keys: Iterable[str]) -> dict[str, str]:
    """The checksum of the file of each of these shards that is accepted."""
    found = {}
    for key in keys:
        path = store.path(DOCUMENT_IDS, f"{key}{_CLAIM}")
        if path.exists():
            found[key] = _read_claim(path).checksum
    return found


def shards_that_hold(store: Store, hashes: np.ndarray) -> dict[int, list[str]]:
    """Which shards hold which of these hashes of ids; hashes that no shard holds are left out.

    Of claims that are in the index none is read, of the others all. Two ids may share a hash, the
    index may have ids that a shard no longer has, and a run that was killed may have left a claim
    without a table: the shards' tables have the last word.

    Args:
        store: the lake.
        hashes: (n,) uint64 of `sampling.hash_ids`.

    Raises:
        DamagedOutputError: a claim is not what was written.
    """
    folder = store.root / DOCUMENT_IDS
    wanted = np.unique(np.asarray(hashes, dtype=np.uint64))
    there = _listing(folder)
    found = _held_by_index(store, there, wanted)
    keys = sorted(there.keys() - found.keys())

    def held(key: str) -> list[int]:
        try:
            claimed = _read_claim(folder / f"{key}{_CLAIM}").hashes
        except FileNotFoundError:  # given up since the listing
            return []
        if not claimed.size:
            return []
        position = np.minimum(np.searchsorted(claimed, wanted), claimed.size - 1)
        return [int(number) for number in wanted[claimed[position] == wanted]]

    # Storage answers many requests at once, and hashing and searching let other threads run.
    with ThreadPoolExecutor(_N_READERS) as pool:
        found.update(zip(keys, pool.map(held, keys), strict=True))
    holders: dict[int, list[str]] = {}
    for key in sorted(found):
        for number in found[key]:
            holders.setdefault(number, []).append(key)
    return holders


def _held_by_index(
    store: Store, there: Mapping[str, str], wanted: np.ndarray
) -> dict[str, list[int]]:
    """Of each claim that the index has as it is now, which of these sorted hashes it holds."""
    if not is_local(store.root) or len(there) < INDEXED_FROM:
        return {}
    index = IdIndex.open(store)
    current = [key for key, one in index.claims.items() if there.get(key) == one.version]
    found: dict[str, list[int]] = {key: [] for key in current}
    try:
        for number, key in index.holders(wanted):
            if key in found:
                found[key].append(number)
    except ValueError:
        return {}
    return found


def set_aside_since(store: Store, keys: Iterable[str]) -> dict[str, float]:
    """When each of these shards was set aside, in seconds since the epoch."""
    found = {}
    for key in keys:
        path = store.path(DOCUMENT_IDS, f"{key}{_SET_ASIDE}")
        if path.exists():
            found[key] = float(path.stat().st_mtime)
    return found


def _packed(checksum: str) -> np.ndarray:
    """A checksum of 32 hexadecimal digits as two numbers."""
    return np.array([int(checksum[:16], 16), int(checksum[16:], 16)], dtype=np.uint64)


def _read_claim(path: UPath) -> Claim:
    stored = np.load(io.BytesIO(read_carded(path)))
    high, low = stored[:_N_CHECKSUM].tolist()
    return Claim(f"{high:016x}{low:016x}", stored[_N_CHECKSUM:])


def _names(folder: UPath) -> list[str]:
    return list(listed_files(folder))


def _listing(folder: UPath) -> dict[str, str]:
    """The claims in a folder: key of the shard, and a version that changes with the file."""
    files = listed_files(folder)
    return {
        name.removesuffix(_CLAIM): file.state
        for name, file in files.items()
        if name.endswith(_CLAIM)
    }


def _same_content(owner: str, checksum: str) -> SetAside:
    return SetAside(
        Kind.DUPLICATE,
        f"its content is that of {owner!r}, byte for byte, whose documents are in the pool. Remove "
        "one of the two files: a document that should count more gets more copies from the mix.",
        {owner: checksum},
    )


def _same_ids(
    held: Mapping[str, Sequence[str]], n_ids: int, checksums: Mapping[str, str]
) -> SetAside:
    n_held = len({id_ for ids in held.values() for id_ in ids})
    owners = sorted(held)
    shown = ", ".join(repr(id_) for id_ in held[owners[0]][:_N_SHOWN])
    n_more = len(owners) - 1
    others = f" and {n_more} other shard{'s' * (n_more > 1)}" if n_more else ""
    return SetAside(
        Kind.DUPLICATE,
        f"{n_held} of its {n_ids} ids are those of documents in {owners[0]!r}{others}, such as "
        f"{shown}. Ids must be unique in the pool, because draws depend on them. Remove this file "
        f"or {owners[0]!r}, or give the documents other ids, or set corpus.id_column to null to "
        "have ids made from shard and row.",
        dict(checksums),
    )
