"""Writes the event log of a run over many partitions, where it is in local files, at less cost."""

import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager

import dagster as dg
from dagster._core.events import ASSET_EVENTS
from dagster._core.events.log import EventLogEntry
from dagster._core.storage.event_log.schema import AssetKeyTable, SqlEventLogStorageTable
from dagster._core.storage.event_log.sqlite import SqliteEventLogStorage
from dagster._core.storage.sqlite import SQLITE_BUSY_TIMEOUT_SECONDS
from sqlalchemy import Connection, create_engine

# Dagster's variable: events that it makes at once, as those of the partitions that a run is to
# make, are stored in batches of this size. Without it they are stored one by one.
_BATCH_VARIABLE = "DAGSTER_EVENT_BATCH_SIZE"
_BATCH_SIZE = "1000"


class OpenEventLog(SqliteEventLogStorage):
    """Dagster's event log in SQLite files, connected to each of them once and for all.

    For each event, Dagster's own makes several connections and closes them. When the last
    connection to a file closes, SQLite moves all that was written into the file and syncs it, which
    takes longer than the event itself. With a connection that stays open it does so every thousand
    pages; what is committed survives a killed process all the same. Dagster's also asks for each
    event which tables and columns there are, and has a transaction for each event of a batch.
    """

    def __init__(self, storage: SqliteEventLogStorage) -> None:
        self._connections: dict[str, Connection] = {}
        self._first = threading.Lock()
        self._tables: set[str] = set()
        self._has_index_columns = False
        super().__init__(storage._base_dir, storage.inst_data)
        self._initialized_dbs |= storage._initialized_dbs

    def close(self) -> None:
        """Close all connections."""
        for connection in self._connections.values():
            connection.close()
            connection.engine.dispose()

    @contextmanager
    def _connect(self, shard: str) -> Iterator[Connection]:
        with self._first:
            if shard not in self._connections:
                with super()._connect(shard):  # Makes the file if it is not there.
                    pass
                engine = create_engine(
                    self.conn_string_for_shard(shard),
                    connect_args={
                        "timeout": SQLITE_BUSY_TIMEOUT_SECONDS,
                        # Of one thread at a time, by the lock below.
                        "check_same_thread": False,
                    },
                )
                self._connections[shard] = engine.connect()
        with self._db_lock, self._connections[shard].begin():
            yield self._connections[shard]

    def has_table(self, table_name: str) -> bool:
        """Whether there is a table; looked up until there is."""
        if table_name not in self._tables and super().has_table(table_name):
            self._tables.add(table_name)
        return table_name in self._tables

    def _has_asset_key_index_cols_on_connection(self, conn: Connection) -> bool:
        if not self._has_index_columns:
            self._has_index_columns = super()._has_asset_key_index_cols_on_connection(conn)
        return self._has_index_columns

    def store_event(self, event: EventLogEntry) -> None:
        """Store an event."""
        if _is_of_asset(event):
            self._store_asset_events([event])
        else:
            super().store_event(event)

    def store_event_batch(self, events: Sequence[EventLogEntry]) -> None:
        """Store events in their order; those of assets and of one run together."""
        if all(map(_is_of_asset, events)) and len({event.run_id for event in events}) == 1:
            self._store_asset_events(events)
        else:
            super().store_event_batch(events)

    def _store_asset_events(self, events: Sequence[EventLogEntry]) -> None:
        """Store events of one run as Dagster does: in the run's file, and in that of all runs."""
        rows = [self._event_to_row(event) for event in events]
        insert = SqlEventLogStorageTable.insert()
        with self.run_connection(events[0].run_id) as connection:
            connection.execute(insert, rows)
        with self.index_connection() as connection:
            ids = [connection.execute(insert, row).lastrowid for row in rows]
            self._store_asset_event_tags(connection, events, ids)
            # What is kept of an asset is the last event of each type.
            last = {
                (row["asset_key"], row["dagster_event_type"]): number
                for number, row in enumerate(rows)
            }
            for number in last.values():
                self._store_asset_event(connection, events[number], ids[number])

    def _store_asset_event(self, conn: Connection, event: EventLogEntry, event_id: int) -> None:
        """Note the last event of an asset, which is known but for the first time."""
        values = self._get_asset_entry_values(
            event, event_id, self._has_asset_key_index_cols_on_connection(conn)
        )
        key = event.get_dagster_event().asset_key
        if not values or key is None:
            return
        this_asset = AssetKeyTable.c.asset_key == key.to_string()
        if not conn.execute(AssetKeyTable.update().where(this_asset), values).rowcount:
            super()._store_asset_event(conn, event, event_id)


def _is_of_asset(event: EventLogEntry) -> bool:
    if not event.is_dagster_event:
        return False
    of_dagster = event.get_dagster_event()
    return of_dagster.event_type in ASSET_EVENTS and of_dagster.asset_key is not None


@contextmanager
def open_event_log(instance: dg.DagsterInstance) -> Iterator[None]:
    """Have this process write to the event log through an `OpenEventLog`, within the block.

    Args:
        instance: one that keeps its events elsewhere than in SQLite, or whose log is open already,
            is left alone.
    """
    storage = instance.event_log_storage
    if not isinstance(storage, SqliteEventLogStorage) or isinstance(storage, OpenEventLog):
        yield
        return
    opened = OpenEventLog(storage)
    opened.register_instance(instance)
    with ExitStack() as end:
        end.callback(opened.close)
        if _BATCH_VARIABLE not in os.environ:
            os.environ[_BATCH_VARIABLE] = _BATCH_SIZE
            end.callback(os.environ.pop, _BATCH_VARIABLE, None)
        end.callback(setattr, instance, "_event_storage", storage)
        setattr(instance, "_event_storage", opened)  # noqa: B010
        yield
