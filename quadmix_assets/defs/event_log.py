"""Keeps the files of a local event log open while a run writes to them."""

import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import dagster as dg
from dagster._core.storage.event_log.sqlite import SqliteEventLogStorage
from dagster._core.storage.sqlite import SQLITE_BUSY_TIMEOUT_SECONDS
from sqlalchemy import Connection, Engine, create_engine


@contextmanager
def open_event_log(instance: dg.DagsterInstance) -> Iterator[None]:
    """Have this process connect to every SQLite file of the event log once, within the block.

    For each event, Dagster makes several connections and closes them. When the last connection to a
    file closes, SQLite moves all that was written into the file and syncs it, which takes longer
    than the event itself. With a connection that stays open it does so every thousand pages; what
    is committed survives a killed process all the same.

    Args:
        instance: one that keeps its events elsewhere than in SQLite is left alone.
    """
    storage = instance.event_log_storage
    if not isinstance(storage, SqliteEventLogStorage):
        yield
        return
    engines: dict[str, Engine] = {}
    first, opened = threading.Lock(), ExitStack()
    connect_anew = storage._connect

    @contextmanager
    def connect(shard: str) -> Iterator[Connection]:
        with first:
            if shard not in engines:
                engine = create_engine(
                    storage.conn_string_for_shard(shard),
                    connect_args={"timeout": SQLITE_BUSY_TIMEOUT_SECONDS},
                )
                with connect_anew(shard):  # Makes the file if it is not there.
                    engines[shard] = engine
                opened.callback(engine.dispose)
        with storage._db_lock, engines[shard].begin() as connection:
            yield connection

    with opened:
        opened.callback(setattr, storage, "_connect", connect_anew)
        setattr(storage, "_connect", connect)  # noqa: B010
        yield
