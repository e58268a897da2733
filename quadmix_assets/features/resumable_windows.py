"""Computes the table of a shard window by window, and reuses what was computed before.

A window is a block of consecutive rows of `raw_shards`. Its result is checkpointed as a small file
until the whole table is written; the footer of the table then holds a hash of the documents of each
window. So a killed step resumes at the first unfinished window, and a table that is recomputed
because one criterion changed reuses the other columns of the earlier table.
"""

import io
import json
import logging
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from itertools import accumulate
from typing import Any, cast

import polars as pl
import pyarrow as pa
from upath import UPath

from quadmix_assets.features.window import Window
from quadmix_assets.hashing import hash_bytes
from quadmix_assets.outputs import RAW_SHARDS
from quadmix_assets.store import BATCH_ROWS, Store, file_names, read_reusable

_LOG_SECONDS = 30.0
_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Unit:
    """Columns that are computed together.

    Attributes:
        schema: their names and types.
        compute: from a window, with the columns of raw_shards that were read, its rows of `schema`.
        cache_key: equal as long as equal documents give equal columns; None disables reuse.
    """

    schema: Mapping[str, pa.DataType]
    compute: Callable[[Window], pl.DataFrame]
    cache_key: str | None = None


def make_table(
    store: Store,
    asset: str,
    shard: str,
    units: Mapping[str, Unit],
    *,
    reads: Sequence[str],
    inputs: Mapping[str, str],
    counted: str | None = None,
    only: range | None = None,
) -> None:
    """Write a shard's table: id and the columns of all units, in the row order of raw_shards.

    The progress is logged every 30 seconds.

    Args:
        store, asset, shard: the lake, the asset and the partition of the table.
        units: by the name under which their cache keys are stored.
        reads: the columns of raw_shards that the units read, besides the id.
        inputs: fingerprints of the inputs, stored in the footer of the table.
        counted: a column of text; the number of rows of each of its values is in the footer too.
        only: the numbers of some windows: they are checkpointed, and the table is not written, so
            that whoever writes it finds them computed. Units without a cache key cannot be.

    Raises:
        MissingOutputError: raw_shards does not hold the shard.
    """
    raw, path = store.table_path(RAW_SHARDS, shard), store.table_path(asset, shard)
    columns = sorted({"id", *reads})
    schema = pa.schema(
        [("id", pa.large_string()), *(pair for u in units.values() for pair in u.schema.items())]
    )
    earlier = _EarlierTable.read(store, asset, shard, units)
    finished = _FinishedWindows(store, asset, shard)
    if only is not None:
        for index, batch in _some_windows(store, raw, columns, only):
            _window(batch, index, units, earlier, finished)
        return
    n_rows = store.n_rows(raw)
    progress = _Progress(f"{asset} {shard}", n_rows)
    content_hashes: list[str] = []
    counts: Counter[str] = Counter()
    with store.table_writer(path, schema) as writer:
        for index, batch in enumerate(store.iter_table(raw, columns, BATCH_ROWS)):
            # The table follows the last window at once.
            is_last = (index + 1) * BATCH_ROWS >= n_rows
            content_hash, frames, reused = _window(
                batch, index, units, earlier, finished, keep=not is_last
            )
            table = pl.concat([batch.select("id"), *frames], how="horizontal")
            writer.write(table.select(schema.names).to_arrow().cast(schema))
            if counted is not None:
                counts.update(table[counted].to_list())
            content_hashes.append(content_hash)
            progress.done(batch.height, n_reused=batch.height if reused else 0)
        writer.describe(
            {
                "inputs": dict(inputs),
                "versions": {name: unit.cache_key for name, unit in units.items()},
                "windows": content_hashes,
                "window_rows": BATCH_ROWS,
                **({} if counted is None else {"counts": dict(counts)}),
            }
        )
    finished.clear()
    progress.end(earlier.units)


def _window(
    batch: pl.DataFrame,
    index: int,
    units: Mapping[str, Unit],
    earlier: "_EarlierTable",
    finished: "_FinishedWindows",
    *,
    keep: bool = True,
) -> tuple[str, list[pl.DataFrame], bool]:
    """The hash of a window's documents, the columns of all units, and if none was computed.

    What is computed is checkpointed if `keep`.
    """
    content_hash = _content_hash(batch)
    known = earlier.window(index, content_hash)
    missing = {name: unit for name, unit in units.items() if name not in known}
    frames = list(known.values())
    if missing:
        cache_keys = {name: unit.cache_key for name, unit in missing.items()}
        made_from = {"content": content_hash, "versions": cache_keys}
        compute = partial(_compute, batch, missing)
        frames.append(finished.window(index, made_from, compute, keep=keep))
    return content_hash, frames, not missing


def _some_windows(
    store: Store, raw: UPath, columns: list[str], only: range
) -> Iterator[tuple[int, pl.DataFrame]]:
    """The windows of these numbers, with the row groups before and after them left unread."""
    first, end = only.start * BATCH_ROWS, only.stop * BATCH_ROWS
    with store.open_table(raw) as parquet:
        metadata = parquet.metadata
        sizes = [metadata.row_group(n).num_rows for n in range(metadata.num_row_groups)]
        starts = [0, *accumulate(sizes)]
        groups = [n for n in range(len(sizes)) if starts[n] < end and starts[n + 1] > first]
        left = pl.DataFrame()
        at = starts[groups[0]] if groups else first
        index = only.start
        for group in groups:
            read = cast(pl.DataFrame, pl.from_arrow(parquet.read_row_group(group, columns)))
            left = pl.concat([left, read.select(columns).slice(max(first - at, 0))])
            at += read.height
            while left.height >= BATCH_ROWS and index < only.stop:
                yield index, left.head(BATCH_ROWS).rechunk()
                left, index = left.slice(BATCH_ROWS), index + 1
        if left.height and index < only.stop:
            yield index, left.rechunk()


def _compute(batch: pl.DataFrame, units: Mapping[str, Unit]) -> pl.DataFrame:
    window = Window(batch)
    frames = [unit.compute(window).select(list(unit.schema)) for unit in units.values()]
    return pl.concat(frames, how="horizontal")


def _content_hash(batch: pl.DataFrame) -> str:
    """A hash of all columns that were read of a window."""
    buffer = io.BytesIO()
    batch.write_ipc(buffer, compression="uncompressed")
    return hash_bytes(buffer.getbuffer())


@dataclass(frozen=True)
class _EarlierTable:
    """The columns of the shard's earlier table that can be reused.

    Attributes:
        units: names of the units whose cache keys are unchanged.
        windows: hash of the documents of each window.
        columns: whole columns of the earlier table, by unit.
        window_rows: rows of a window.
    """

    units: tuple[str, ...]
    windows: Sequence[str]
    columns: Mapping[str, pl.DataFrame]
    window_rows: int

    @classmethod
    def read(
        cls, store: Store, asset: str, shard: str, units: Mapping[str, Unit]
    ) -> "_EarlierTable":
        path = store.table_path(asset, shard)
        found = read_reusable(lambda: cls._reusable(store, path, units), "nothing of it is reused")
        return found or cls((), (), {}, BATCH_ROWS)

    @classmethod
    def _reusable(
        cls, store: Store, path: UPath, units: Mapping[str, Unit]
    ) -> "_EarlierTable | None":
        summary = store.summary(path)
        if summary.get("window_rows") != BATCH_ROWS:
            return None
        cache_keys = summary["versions"]
        same = [
            name
            for name, unit in units.items()
            if unit.cache_key is not None and cache_keys.get(name) == unit.cache_key
        ]
        # Read here, because `make_table` replaces the file; scores and labels fit in memory.
        columns = {name: store.read_table(path, list(units[name].schema)) for name in same}
        return cls(tuple(same), summary["windows"], columns, BATCH_ROWS)

    def window(self, index: int, content_hash: str) -> dict[str, pl.DataFrame]:
        """The reusable columns of a window by unit; none if its documents have changed."""
        if index >= len(self.windows) or self.windows[index] != content_hash:
            return {}
        start = index * self.window_rows
        return {name: frame.slice(start, self.window_rows) for name, frame in self.columns.items()}


class _FinishedWindows:
    """Checkpoints of the windows of an incomplete table, one file per window."""

    def __init__(self, store: Store, asset: str, shard: str) -> None:
        self._store = store
        self._folder = store.root / f"{asset}_unfinished" / shard

    @cached_property
    def _names(self) -> set[str]:
        """The checkpoints that are there, beginning with those of an earlier try.

        Listed once: on object storage each question for a window would be some requests.
        """
        return set(file_names(self._folder))

    def window(
        self,
        index: int,
        made_from: Mapping[str, Any],
        compute: Callable[[], pl.DataFrame],
        *,
        keep: bool,
    ) -> pl.DataFrame:
        """The result of a window: from its checkpoint if the inputs are equal, else computed.

        What is computed is checkpointed if `keep`.
        """
        if None in made_from["versions"].values():
            return compute()
        key = hash_bytes(json.dumps(made_from, sort_keys=True).encode())
        path = self._folder / f"{index:06d}-{key}.parquet"
        if path.name in self._names:
            instead = "the window is computed again"
            frame = read_reusable(lambda: self._store.read_table(path), instead)
            if frame is not None:
                return frame
        frame = compute()
        if keep:
            self._store.write_table(path, frame)
            self._names.add(path.name)
        return frame

    def clear(self) -> None:
        """Remove all checkpoints of the shard, including those of earlier inputs."""
        if self._names:
            self._store.remove_folder(self._folder)


class _Progress:
    """Logs the progress of a table, at most every `_LOG_SECONDS`."""

    def __init__(self, what: str, total: int) -> None:
        self._what, self._total = what, total
        self._done = self._reused = 0
        self._start = self._last_logged = time.monotonic()

    def done(self, n_rows: int, n_reused: int) -> None:
        self._done += n_rows
        self._reused += n_reused
        now = time.monotonic()
        if now - self._last_logged < _LOG_SECONDS:
            return
        self._last_logged = now
        rate = max(self._done - self._reused, 1) / (now - self._start)
        left = (self._total - self._done) / rate
        _LOG.info(
            f"{self._what}: {self._done:,} of {self._total:,} documents, {rate:,.1f} a second, "
            f"about {left / 60:.1f} minutes left"
        )

    def end(self, reused: Sequence[str]) -> None:
        if reused and self._done:
            _LOG.info("%s: reused %s from the earlier table", self._what, ", ".join(reused))
