"""An index of the claims of ids: which shard holds a hash, without reading all claims.

It is made of runs: files of sorted hashes of many claims with their owners, in blocks of 128. The
first hash and the checksum of every block are in a table beside the run, so that of a run only the
blocks are read, and verified, that may hold what is looked for. Runs of similar size are merged, so
that there are few. What has changed since a run was written is told by the versions of the claims:
the index is a short cut, and the claims are what counts. On object storage there is none.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import polars as pl
from upath import UPath

from quadmix_assets.hashing import hash_bytes, hash_number
from quadmix_assets.outputs import DOCUMENT_ID_INDEX
from quadmix_assets.splitmix64 import UIntArray
from quadmix_assets.store import (
    DamagedOutputError,
    MissingOutputError,
    Store,
    atomic_file,
)

_BLOCK = 128
# Numbers of 64 bits in a block: the hashes, then two owners in each.
_ROW = _BLOCK + _BLOCK // 2
_NOBODY = np.uint32(2**32 - 1)
# Hashes that are looked for at once; each may need a block of its own in memory.
_N_AT_ONCE = 16_384
# Longer runs are merged no more: merging holds them in memory, with 24 bytes for each hash.
MAX_MERGED = 1 << 24
_INDEX, _SUFFIX = "index", ".ids"
_SCHEMA: dict[str, pl.DataType | type[pl.DataType]] = {
    "run": pl.String,
    "owner": pl.Int64,
    "key": pl.String,
    "version": pl.String,
    "checksum": pl.String,
}


@dataclass(frozen=True)
class Claim:
    """What a shard holds.

    Attributes:
        checksum: of its file, 32 hexadecimal digits.
        hashes: sorted uint64 hashes of its ids.
    """

    checksum: str
    hashes: UIntArray


class Indexed(NamedTuple):
    """What the index knows of a claim.

    Attributes:
        version: of the claim's file when it was indexed.
        checksum: of the shard's file.
    """

    version: str
    checksum: str


@dataclass(frozen=True, eq=False)
class _Run:
    """Attributes:
    name: of its files.
    keys: the shards whose hashes it has; owners are positions in it.
    blocks: (n, 192) uint64, on disk.
    first: (n,) the first hash of each block.
    checksums: (n,) xxh3-64 of each block.
    n_hashes: without what fills the last block.
    """

    name: str
    keys: Sequence[str]
    blocks: np.ndarray
    first: UIntArray
    checksums: UIntArray
    n_hashes: int

    def read(self, numbers: np.ndarray) -> tuple[UIntArray, np.ndarray]:
        """Sorted hashes and owners of these ascending blocks.

        Raises:
            ValueError: a block is not what was written.
        """
        rows = np.ascontiguousarray(self.blocks[numbers])
        for row, expected in zip(rows, self.checksums[numbers].tolist(), strict=True):
            if hash_number(row.data) != expected:
                raise ValueError(f"a block of {self.name} is not what was written")
        owners = np.ascontiguousarray(rows[:, _BLOCK:]).view(np.uint32)
        return rows[:, :_BLOCK].ravel(), owners.ravel()


class IdIndex:
    """The index of a lake as it was when it was opened."""

    def __init__(self, store: Store, claims: Mapping[str, Indexed], runs: Sequence[_Run]) -> None:
        self._store = store
        self._runs = list(runs)
        self.claims = claims
        """By shard, what it has of each claim."""

    @classmethod
    def open(cls, store: Store) -> "IdIndex":
        """Open the index of a lake; an empty one if there is none that is whole."""
        try:
            return cls._open(store)
        except (MissingOutputError, DamagedOutputError, FileNotFoundError, ValueError):
            return cls(store, {}, [])

    @classmethod
    def _open(cls, store: Store) -> "IdIndex":
        table = store.read_table(store.table_path(DOCUMENT_ID_INDEX, _INDEX))
        runs = []
        for (name,), rows in table.group_by("run", maintain_order=True):
            path = store.table_path(DOCUMENT_ID_INDEX, str(name))
            fences = store.read_table(path)
            blocks = np.memmap(
                Path(str(path)).with_suffix(_SUFFIX), np.uint64, "r", shape=(fences.height, _ROW)
            )
            runs.append(
                _Run(
                    str(name),
                    rows["key"].to_list(),
                    blocks,
                    fences["first"].to_numpy(),
                    fences["checksum"].to_numpy(),
                    store.summary(path)["n_hashes"],
                )
            )
        claims = {
            key: Indexed(version, checksum)
            for key, version, checksum in table.select("key", "version", "checksum").iter_rows()
            if version
        }
        return cls(store, claims, runs)

    def holders(self, hashes: UIntArray) -> Iterator[tuple[int, str]]:
        """The hashes that claims of the index hold, each with the shard; several for some.

        Args:
            hashes: (n,) in ascending order.

        Raises:
            ValueError: what is read is not what was written.
        """
        for run in self._runs:
            for start in range(0, len(hashes), _N_AT_ONCE):
                yield from _holders(run, hashes[start : start + _N_AT_ONCE])

    def with_claims(self, new: Mapping[str, Claim], versions: Mapping[str, str]) -> "IdIndex":
        """The index with further claims, which is written, in place of this one.

        Args:
            new: the claims, by shard.
            versions: of the claims that there are now; what the index has of others is left out
                where runs are merged.
        """
        fresh = {key: Indexed(versions[key], claim.checksum) for key, claim in new.items()}
        current = {
            key: one
            for key, one in self.claims.items()
            if versions.get(key) == one.version and key not in fresh
        }
        keys = sorted(new)
        sizes = [len(new[key].hashes) for key in keys]
        hashes = np.concatenate([np.empty(0, np.uint64), *(new[key].hashes for key in keys)])
        owners = np.repeat(np.arange(len(keys), dtype=np.uint32), sizes)
        kept, merged = list(self._runs), False
        while kept and kept[-1].n_hashes <= min(2 * len(hashes), MAX_MERGED):
            run = kept.pop()
            theirs, of = run.read(np.arange(len(run.blocks)))
            place = np.full(len(run.keys) + 1, _NOBODY)
            for number, key in enumerate(run.keys):
                if key in current:
                    place[number] = len(keys)
                    keys.append(key)
            of = place[np.minimum(of, len(run.keys))]
            is_kept = of != _NOBODY
            hashes = np.concatenate([hashes, theirs[is_kept]])
            owners = np.concatenate([owners, of[is_kept]])
            merged = True
        order = np.argsort(hashes)
        runs = [*kept, self._write(keys, hashes[order], owners[order])]
        claims = {
            key: one for run in runs for key in run.keys if (one := {**current, **fresh}.get(key))
        }
        rows = [
            {"run": run.name, "owner": owner, "key": key, **_row(claims.get(key))}
            for run in runs
            for owner, key in enumerate(run.keys)
        ]
        table = pl.DataFrame(rows, schema=_SCHEMA)
        self._store.write_table(self._store.table_path(DOCUMENT_ID_INDEX, _INDEX), table)
        if merged:
            self._sweep({run.name for run in runs})
        return IdIndex(self._store, claims, runs)

    def _write(self, keys: Sequence[str], hashes: UIntArray, owners: np.ndarray) -> _Run:
        n_blocks = -(-len(hashes) // _BLOCK)
        filled = np.full(n_blocks * _BLOCK, np.uint64(2**64 - 1))
        filled[: len(hashes)] = hashes
        owned = np.full(n_blocks * _BLOCK, _NOBODY)
        owned[: len(owners)] = owners
        columns = (filled.reshape(n_blocks, _BLOCK), owned.view(np.uint64).reshape(n_blocks, -1))
        blocks = np.concatenate(columns, axis=1)
        checksums = np.array([hash_number(row.data) for row in blocks], dtype=np.uint64)
        name = f"run-{hash_bytes(checksums.tobytes())}"
        path = self._store.table_path(DOCUMENT_ID_INDEX, name)
        with atomic_file(path.with_suffix(_SUFFIX)) as file:
            file.write(blocks.data)
        first = blocks[:, 0].copy()
        self._store.write_table(
            path,
            pl.DataFrame({"first": first, "checksum": checksums}),
            {"n_hashes": len(hashes)},
        )
        return _Run(name, keys, blocks, first, checksums, len(hashes))

    def _sweep(self, names: set[str]) -> None:
        """Delete the runs that are merged into others; who has one open still reads it."""
        folder: UPath = self._store.root / DOCUMENT_ID_INDEX
        for path in folder.iterdir():
            if path.name.startswith("run-") and path.stem not in names:
                path.unlink(missing_ok=True)


def _row(known: Indexed | None) -> dict[str, str]:
    """The columns of a claim; an empty version, which no file has, of one that is out of date."""
    if known is None:
        return {"version": "", "checksum": ""}
    return {"version": known.version, "checksum": known.checksum}


def _holders(run: _Run, hashes: UIntArray) -> Iterator[tuple[int, str]]:
    last = np.searchsorted(run.first, hashes, side="right") - 1
    # A hash that begins a block may end the one before too.
    before = last[(last > 0) & (run.first[np.maximum(last, 0)] == hashes)] - 1
    wanted = np.unique(np.concatenate([last[last >= 0], before]))
    if not len(wanted):
        return
    found, owners = run.read(wanted)
    left = np.searchsorted(found, hashes, side="left")
    right = np.searchsorted(found, hashes, side="right")
    for number in np.flatnonzero(right > left).tolist():
        for owner in owners[left[number] : right[number]].tolist():
            if owner < len(run.keys):
                yield int(hashes[number]), run.keys[owner]
