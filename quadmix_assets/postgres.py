"""A Postgres database in which Dagster keeps what it knows, in place of files of SQLite.

`DAGSTER_POSTGRES_URL` names it. The variable is no setting, because the URL holds a password, and
settings are shown and stored. It is written to no file either: dagster.yaml names the variable. Nor
does it begin like those of the package, which are handed to other machines.
"""

import importlib.util
import os
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from quadmix_assets.redaction import redacted
from quadmix_assets.settings import SettingsError

if TYPE_CHECKING:
    from dagster import DagsterInstance
    from sqlalchemy.engine import Connection

POSTGRES_VARIABLE = "DAGSTER_POSTGRES_URL"
_SCHEME = "postgresql+psycopg2://"
# What dagster.yaml says in addition, so that Dagster keeps everything there.
STORAGE_YAML = f"""\
storage:
  postgres:
    postgres_url:
      env: {POSTGRES_VARIABLE}
"""
_PROFILE_KEY = "quadmix_profile"
# The number of the advisory lock that `quadmix run` holds; locks of other databases are others.
_RUN_LOCK = 0x71756164
_HOLDER = """
SELECT activity.application_name, activity.backend_start
FROM pg_locks AS locks JOIN pg_stat_activity AS activity USING (pid)
WHERE locks.locktype = 'advisory' AND locks.objid = :lock AND locks.granted
  AND locks.database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""


def postgres_url() -> str | None:
    """The URL of the database that the environment names; None: there is none, SQLite is used.

    Raises:
        SettingsError: it is no URL that Dagster can use, or what reads it is not installed.
    """
    url = os.environ.get(POSTGRES_VARIABLE)
    if not url:
        return None
    if not url.startswith(_SCHEME):
        raise SettingsError(
            f"environment variable {POSTGRES_VARIABLE}: expected {_SCHEME}USER:PASSWORD@HOST/"
            f"DATABASE, found {redacted(url)!r}. The driver belongs to the URL, because without "
            "it SQLAlchemy takes another one, which is not installed"
        )
    if importlib.util.find_spec("dagster_postgres") is None:
        raise SettingsError(
            f"environment variable {POSTGRES_VARIABLE}: Dagster's storage on Postgres is not "
            "installed; `pip install 'quadmix-assets[postgres]'`"
        )
    return url


def claim_for_profile(instance: "DagsterInstance", profile: str) -> None:
    """Note in a database whose it is; the partitions of two profiles must not mix.

    Raises:
        SettingsError: it is another profile's.
    """
    cursors = instance.daemon_cursor_storage
    owner = cursors.get_cursor_values({_PROFILE_KEY}).get(_PROFILE_KEY)
    if owner is None:
        cursors.set_cursor_values({_PROFILE_KEY: profile})
    elif owner != profile:
        raise SettingsError(
            f"environment variable {POSTGRES_VARIABLE}: the database belongs to the profile "
            f"{owner!r}, and this is {profile!r}: give it a database of its own (CREATE DATABASE)"
        )


class DatabaseLock:
    """The lock of `quadmix run` on a database, for all machines that use it.

    The server drops the lock when the connection ends, and so with the process, however it ends.
    """

    def __init__(self, connection: "Connection") -> None:
        self._connection = connection

    def try_to_hold(self) -> bool:
        """Hold the lock until the connection ends; False if another one holds it."""
        from sqlalchemy import func, select

        return bool(self._connection.scalar(select(func.pg_try_advisory_lock(_RUN_LOCK))))

    def holder(self) -> str | None:
        """Who holds the lock, as part of a sentence; None if nobody does."""
        from sqlalchemy import text

        found = self._connection.execute(text(_HOLDER), {"lock": _RUN_LOCK}).one_or_none()
        return None if found is None else f"{found[0]} since {found[1]:%Y-%m-%d %H:%M:%S %Z}"


@contextmanager
def database_lock(url: str) -> Iterator[DatabaseLock]:
    """A connection that can hold the lock; it ends with the block, and the lock with it."""
    from sqlalchemy import create_engine

    name = f"{Path(sys.argv[0]).name}, process {os.getpid()} on {socket.gethostname()}"
    engine = create_engine(
        # Each statement is a transaction of its own: an open one would hold back the vacuum.
        url,
        isolation_level="AUTOCOMMIT",
        # Postgres cuts names at this length.
        connect_args={"application_name": name[:63], "options": "-c timezone=UTC"},
    )
    try:
        with engine.connect() as connection:
            yield DatabaseLock(connection)
    finally:
        engine.dispose()
