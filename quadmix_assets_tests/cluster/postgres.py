"""A Postgres server on loopback, started as a plain process from the system's packages."""

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import pytest
from sqlalchemy import create_engine, make_url, text

from quadmix_assets_tests.processes import until

USER, PASSWORD = "quadmix", "a-password-of-tests"
# Debian keeps the programs of every major version in a folder of its own, outside PATH.
_DEBIAN = Path("/usr/lib/postgresql")
# Postgres refuses to be run by root; Debian's package makes this user.
_ACCOUNT = "postgres"
_START_SECONDS = 60.0
# Nothing has to outlive the machine, which writes much faster without waiting for its disk.
_FAST = ("fsync=off", "synchronous_commit=off", "full_page_writes=off")
_SMALL = ("shared_buffers=32MB", "max_connections=200", "unix_socket_directories=")


def binaries() -> Path | None:
    """The folder of `initdb` and `postgres`, of the newest version; None if there is none."""
    folders = sorted(_DEBIAN.glob("*/bin"), key=lambda path: int(path.parent.name))
    on_path = shutil.which("postgres")
    if on_path is not None:
        folders.insert(0, Path(on_path).resolve().parent)
    return next((f for f in reversed(folders) if (f / "initdb").exists()), None)


@contextmanager
def postgres_server() -> Iterator[str]:
    """A running server with an empty database; its URL, for SQLAlchemy and psycopg2.

    The test is skipped where Postgres is not installed, or root has nobody to run it as.
    """
    programs = binaries()
    if programs is None:
        pytest.skip("Postgres is not installed (Debian: apt-get install postgresql)")
    account = _ACCOUNT if os.geteuid() == 0 else None
    if account is not None and not _is_known(account):
        pytest.skip(f"Postgres refuses to be run by root, and there is no user {account!r}")
    folder = Path(tempfile.mkdtemp(prefix="quadmix-postgres-"))
    try:
        if account is not None:
            shutil.chown(folder, account)
        data = folder / "data"
        _init(programs, data, account)
        with _running(programs, data, folder / "log", account) as port:
            yield f"postgresql+psycopg2://{USER}:{PASSWORD}@127.0.0.1:{port}/postgres"
    finally:
        shutil.rmtree(folder)


@contextmanager
def fresh_database(server: str) -> Iterator[str]:
    """A new, empty database of a server; its URL. It is dropped at the end of the block."""
    name = f"quadmix_{uuid4().hex}"
    execute(server, f"CREATE DATABASE {name}")
    try:
        yield make_url(server).set(database=name).render_as_string(hide_password=False)
    finally:
        execute(server, f"DROP DATABASE {name} WITH (FORCE)")


def execute(server: str, statement: str) -> None:
    """Run a statement outside of transactions."""
    engine = create_engine(server, isolation_level="AUTOCOMMIT")
    try:
        with engine.connect() as connection:
            connection.execute(text(statement))
    finally:
        engine.dispose()


def _is_known(account: str) -> bool:
    return any(entry.pw_name == account for entry in pwd.getpwall())


def _init(programs: Path, data: Path, account: str | None) -> None:
    password = data.with_name("password")
    password.write_text(PASSWORD)
    password.chmod(0o644)
    subprocess.run(
        [
            programs / "initdb", "--pgdata", data, "--username", USER, "--pwfile", password,
            "--auth", "scram-sha-256", "--encoding", "UTF8", "--locale", "C", "--no-sync",
        ],
        user=account,
        group=account,
        extra_groups=None if account is None else [],
        cwd=data.parent,
        check=True,
        capture_output=True,
    )  # fmt: skip


@contextmanager
def _running(programs: Path, data: Path, log: Path, account: str | None) -> Iterator[int]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    options = [f"port={port}", "listen_addresses=127.0.0.1", *_FAST, *_SMALL]
    with log.open("wb") as output:
        server = subprocess.Popen(
            [programs / "postgres", "-D", data, *(f"--{option}" for option in options)],
            user=account,
            group=account,
            extra_groups=None if account is None else [],
            cwd=data.parent,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        assert until(lambda: _answers(port) or server.poll() is not None, _START_SECONDS)
        assert server.poll() is None, log.read_text(errors="replace")
        yield port
    finally:
        # At once, without waiting for clients.
        server.send_signal(signal.SIGINT)
        server.wait()


def _answers(port: int) -> bool:
    """Whether the server takes connections."""
    url = f"postgresql+psycopg2://{USER}:{PASSWORD}@127.0.0.1:{port}/postgres"
    engine = create_engine(url)
    try:
        engine.connect().close()
    except Exception:
        return False
    finally:
        engine.dispose()
    return True
