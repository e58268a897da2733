"""Fills a small pool that has been run with many shards and proxies, as if they had been made.

The files of a new shard or batch are links to those of one that is there, and its events are copies
of the events of that one, stored by the instance's own storage; those of a run in one transaction,
since one event takes it some milliseconds. Planned events and log lines of runs are left out.
"""

import os
import sqlite3
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import dagster as dg
import polars as pl
import sqlalchemy as db
from dagster._core.events import DagsterEvent, DagsterEventType
from dagster._core.events.log import EventLogEntry
from dagster._core.storage.event_log import SqliteEventLogStorage
from dagster._core.storage.event_log.schema import SqlEventLogStorageTable
from sqlalchemy.engine import Engine

from quadmix_assets.outputs import (
    DOCUMENT_IDS,
    MERGED_RANKS,
    MIX_EXPORT,
    PROXY_METRICS,
    PROXY_SECONDS,
    SAMPLED_SUBSET,
    files_of_a_shard,
    mix_output,
    per_shard,
)
from quadmix_assets.partition_ranges import range_tags
from quadmix_assets.proxies.evidence import evidence_version
from quadmix_assets.proxies.parameter_sets import first_batches, write_parameter_sets
from quadmix_assets.settings import load_settings
from quadmix_assets.store import Store
from quadmix_assets_tests.ui.pool import Pool

SHARDS_PER_RUN = 100
INPUT_FILES = "input_files"
PER_BATCH = (MERGED_RANKS, SAMPLED_SUBSET, PROXY_METRICS)
_MIXES = ("quadmix",)
_PER_SHARD = per_shard(_MIXES)
_TEMPLATE = "shard-00000.parquet"
_BATCH = "batch-00000"
# Of the profile of the pool.
_N_BATCHES_MADE = 2


@dataclass(frozen=True)
class Grown:
    """How much there is of everything.

    Attributes:
        n_shards: partitions of each per-shard asset.
        n_batches: partitions of the proxies' assets.
        n_events: events that were added.
        n_runs: runs that were added.
    """

    n_shards: int
    n_batches: int
    n_events: int
    n_runs: int


def grow(pool: Pool, *, n_shards: int, n_proxies: int, batch_size: int, n_runs: int) -> Grown:
    """Add shards, proxies and finished runs to a pool that has been run.

    Args:
        pool: with its lake and instance.
        n_shards: shards to add.
        n_proxies: proxies that the swarm then has, with parameters and losses.
        batch_size: of its batches.
        n_runs: finished runs to add, beside those that made shards and batches.
    """
    keys = [f"more-{number:06d}.parquet" for number in range(n_shards)]
    _link_shards(pool, keys)
    pool.change_settings("parameters", n=n_proxies)
    pool.change_settings("proxies", batch_size=batch_size)
    batches = _write_batches(pool)
    with _unsynced(), dg.DagsterInstance.from_config(str(pool.instance)) as instance:
        writer = _Writer(instance)
        instance.add_dynamic_partitions("shard", keys)
        for first in range(0, n_shards, SHARDS_PER_RUN):
            part = keys[first : first + SHARDS_PER_RUN]
            writer.observe(part)
            writer.materialize(_PER_SHARD, _TEMPLATE, part, range_tags(part))
        for batch in batches[_N_BATCHES_MADE:]:
            writer.materialize(PER_BATCH, _BATCH, [batch], {"dagster/partition": batch})
        for _ in range(n_runs):
            writer.add_run()
        registered = len(instance.get_dynamic_partitions("shard"))
    return Grown(registered, len(batches), writer.n_events, writer.n_runs)


def _link_shards(pool: Pool, keys: Sequence[str]) -> None:
    """Give every shard the input file, the tables and the claim of the template, as links.

    Outputs are replaced and never changed in place, so that links are as good as copies.
    """
    folders = [pool.lake(asset) for asset in files_of_a_shard(_MIXES)]
    found = [path for folder in folders if folder.exists() for path in folder.iterdir()]
    files = [path for path in found if path.is_file() and _TEMPLATE in path.name]
    folders_found = {path.parent for path in files}
    needed = (*_PER_SHARD, *(mix_output(mix, MIX_EXPORT) for mix in _MIXES))
    assert folders_found >= {pool.lake(asset) for asset in needed}, files
    claim = [path for path in pool.lake(DOCUMENT_IDS).iterdir() if _TEMPLATE in path.name]
    for path in [*files, *claim, pool.raw / _TEMPLATE]:
        for key in keys:
            os.link(path, path.with_name(path.name.replace(_TEMPLATE, key)))


def _write_batches(pool: Pool) -> list[str]:
    """Draw the thetas, and write losses of all of them; returns the batches."""
    settings = load_settings(pool.profile)
    store = Store(settings.resolve(settings.lake))
    write_parameter_sets(store, settings)
    batches = first_batches(settings)
    losses = store.read_table(store.table_path(PROXY_METRICS, _BATCH))
    of_one = losses.filter(pl.col("theta_id") == losses["theta_id"][0])
    version = evidence_version(store, settings, _BATCH)
    size = settings.proxies.batch_size
    for number, batch in enumerate(batches):
        ids = range(number * size, min((number + 1) * size, settings.parameters.n))
        dtype = losses.schema["theta_id"]
        table = pl.concat(
            of_one.with_columns(pl.lit(theta_id, dtype).alias("theta_id")) for theta_id in ids
        )
        store.write_table(store.table_path(PROXY_METRICS, batch), table, {"version": version})
        store.write_json(store.path(PROXY_SECONDS, f"{batch}.json"), {"seconds": 60.0})
        for asset in (MERGED_RANKS, SAMPLED_SUBSET):
            path = pool.lake(asset, f"{batch}.parquet")
            if not path.exists():
                os.link(pool.lake(asset, f"{_BATCH}.parquet"), path)
    return batches


class _Writer:
    """Writes copies of an instance's events and runs to it."""

    def __init__(self, instance: dg.DagsterInstance) -> None:
        self.n_events = self.n_runs = 0
        self._instance = instance
        storage = instance.event_log_storage
        assert isinstance(storage, SqliteEventLogStorage)
        self._storage = storage
        self._empty: bytes | None = None
        runs = instance.get_runs(dg.RunsFilter(statuses=[dg.DagsterRunStatus.SUCCESS]))
        self._run = next(run for run in runs if run.asset_selection)
        self._events = {
            asset: _event_of(instance, asset, partition)
            for assets, partition in ((_PER_SHARD, _TEMPLATE), (PER_BATCH, _BATCH))
            for asset in assets
        }
        (observed,) = instance.fetch_observations(
            dg.AssetRecordsFilter(dg.AssetKey(INPUT_FILES), asset_partitions=[_TEMPLATE]), limit=1
        ).records
        self._observed = observed.event_log_entry

    def observe(self, keys: Sequence[str]) -> None:
        """Report the input files of shards, whose links have the template's fingerprint."""
        self._copy(self._observed, _TEMPLATE, keys, self._observed.run_id)

    def add_run(self, assets: Sequence[str] = (), tags: Mapping[str, str] | None = None) -> str:
        """Write a finished run; returns its id."""
        run_id = str(uuid.uuid4())
        selection = {dg.AssetKey(asset) for asset in assets} or self._run.asset_selection
        self._instance.add_run(
            self._run._replace(
                run_id=run_id,
                tags=dict(tags or {}),
                asset_selection=frozenset(selection or ()),
                status=dg.DagsterRunStatus.SUCCESS,
            )
        )
        path = Path(self._storage.path_for_shard(run_id))
        if self._empty is None:
            with self._storage.run_connection(run_id):
                pass  # Makes the tables, which takes longer than filling them.
            self._empty = path.read_bytes()
        path.write_bytes(self._empty)
        self._storage._initialized_dbs.add(run_id)
        self.n_runs += 1
        return run_id

    def materialize(
        self,
        assets: Sequence[str],
        template: str,
        partitions: Sequence[str],
        tags: Mapping[str, str],
    ) -> None:
        """Write a finished run that made `partitions` of `assets`, as `template` was made."""
        run_id = self.add_run(assets, tags)
        for kind in (DagsterEventType.RUN_START, DagsterEventType.RUN_SUCCESS):
            event = DagsterEvent(kind.value, self._run.job_name)
            self._instance.report_dagster_event(event, run_id=run_id)
        for asset in assets:
            self._copy(self._events[asset], template, partitions, run_id)

    def _copy(
        self, entry: EventLogEntry, template: str, partitions: Sequence[str], run_id: str
    ) -> None:
        """Store an event of the partition `template` for each of `partitions`.

        All but the last are stored by the storage's own statements in one transaction, because each
        takes some milliseconds else; the last one as every event is, which updates the asset.
        """
        storage = self._storage
        entry = entry._replace(run_id=run_id, timestamp=time.time())
        row = storage._event_to_row(entry)
        texts = {key: row["event"].replace(f'"{template}"', f'"{key}"') for key in partitions}
        self.n_events += len(texts)
        rows = [{**row, "event": texts[key], "partition": key} for key in partitions[:-1]]
        if rows:
            with storage.run_connection(run_id) as connection:
                connection.execute(SqlEventLogStorageTable.insert(), rows)
            with storage.index_connection() as connection:
                before = connection.execute(db.select(db.func.max(SqlEventLogStorageTable.c.id)))
                first = (before.scalar() or 0) + 1
                numbered = [{"id": first + place, **row} for place, row in enumerate(rows)]
                connection.execute(SqlEventLogStorageTable.insert(), numbered)
                ids = [row["id"] for row in numbered]
                storage._store_asset_event_tags(connection, [entry] * len(ids), ids)
        storage.store_event(dg.deserialize_value(texts[partitions[-1]], EventLogEntry))


def _event_of(instance: dg.DagsterInstance, asset: str, partition: str) -> EventLogEntry:
    """The last materialisation of a partition."""
    wanted = dg.AssetRecordsFilter(dg.AssetKey(asset), asset_partitions=[partition])
    (record,) = instance.fetch_materializations(wanted, limit=1).records
    return record.event_log_entry


@contextmanager
def _unsynced() -> Iterator[None]:
    """Let SQLite not wait for the disk, while nothing but this process uses the instance."""

    def connected(connection: sqlite3.Connection, _: object) -> None:
        connection.execute("PRAGMA synchronous=OFF")

    db.event.listen(Engine, "connect", connected)
    try:
        yield
    finally:
        db.event.remove(Engine, "connect", connected)
