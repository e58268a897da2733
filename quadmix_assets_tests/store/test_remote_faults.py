"""An S3 server that fails for a while, or for good."""

import socket
import struct
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from moto.server import ThreadedMotoServer
from upath import UPath

from quadmix_assets.corpus.discovery import discover
from quadmix_assets.corpus.document_ids import shards_set_aside
from quadmix_assets.corpus.raw_shard import write_raw_shard
from quadmix_assets.corpus.set_aside import Kind
from quadmix_assets.faults import fault_text, is_fault, may_pass
from quadmix_assets.settings import CorpusSettings
from quadmix_assets.store import Store, with_retries
from quadmix_assets_tests.s3 import BUCKET, s3_server

Application = Callable[[dict[str, Any], Any], Iterable[bytes]]
FRAME = pl.DataFrame({"a": list(range(1_000))})


class Failing:
    """A server that fails as often as it is told, in a way that it is told."""

    def __init__(self, application: Application) -> None:
        self.left = 0
        self.way = "503"
        self.of = ""
        self.n_failed = 0
        self._application = application

    def fail(self, way: str, times: int, *, of: str = "") -> None:
        """Fail the next requests whose path holds `of`."""
        self.way, self.left, self.of, self.n_failed = way, times, of, 0

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        if not self.left or self.of not in environ["PATH_INFO"]:
            return self._application(environ, start_response)
        self.left -= 1
        self.n_failed += 1
        if self.way == "slow":
            time.sleep(1.5)
            return self._application(environ, start_response)
        # The request is read whole, as a server in front of an overloaded storage does.
        environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        if self.way == "reset":
            connection: socket.socket = environ["werkzeug.socket"]
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            connection.close()
            return []
        code = {"503": "503 Service Unavailable", "500": "500 Internal Server Error"}[self.way]
        start_response(code, [("Content-Type", "application/xml")])
        return [b"<Error><Code>SlowDown</Code><Message>Reduce your request rate</Message></Error>"]


@pytest.fixture(scope="module")
def server() -> Iterator[Failing]:
    found: list[Failing] = []
    start = ThreadedMotoServer.start

    def start_failing(moto: ThreadedMotoServer) -> None:
        start(moto)
        assert moto._server is not None
        found.append(Failing(moto._server.app))
        moto._server.app = found[0]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ThreadedMotoServer, "start", start_failing)
        # Pauses as in earnest would take minutes.
        patch.setattr("botocore.retries.standard.ExponentialBackoff.delay_amount", lambda *_: 0.01)
        patch.setattr("quadmix_assets.store.remote._READ_SECONDS", 1)
        patch.setattr("quadmix_assets.corpus.raw_shard._PAUSES", (0.0, 0.0))
        with s3_server():
            yield found[0]


@pytest.fixture
def store(server: Failing) -> Iterator[Store]:
    yield Store(UPath(f"s3://{BUCKET}/lake"))
    server.left = 0


@pytest.mark.parametrize("way", ["503", "500", "reset", "slow"])
def test_errors_that_pass_are_not_seen(store: Store, server: Failing, way: str) -> None:
    # A second slow answer may be that to a request which nobody waits for any more.
    n_times = 1 if way == "slow" else 4
    path = store.table_path("asset", way)
    server.fail(way, n_times)
    store.write_table(path, FRAME)
    assert server.left == 0
    server.fail(way, n_times)
    assert store.read_table(path).equals(FRAME)
    assert server.left == 0
    server.fail(way, n_times)
    found = discover(store.root, ["*.parquet"])
    assert server.left == 0
    assert f"asset__{way}.parquet" in {shard.key for shard in found.shards}


def test_errors_that_last_are_one_line_with_the_path(store: Store, server: Failing) -> None:
    path = store.table_path("asset", "lasting")
    store.write_table(path, FRAME)
    for way in ("503", "reset"):
        server.fail(way, 1_000)
        for attempt in (lambda: store.write_table(path, FRAME), lambda: store.read_table(path)):
            with pytest.raises(Exception) as raised:
                attempt()
            assert is_fault(raised.value) and may_pass(raised.value)
            text = fault_text(raised.value)
            assert "\n" not in text and "quadmix run --resume" in text, text
        server.left = 0
    assert store.read_table(path).equals(FRAME), "the old object is whole"


def test_a_shard_whose_storage_fails_is_alone(
    store: Store, server: Failing, tmp_path: Path
) -> None:
    raw = with_retries(UPath(f"s3://{BUCKET}/raw"))
    for name in ("good", "bad"):
        path = raw / f"{name}.jsonl"
        path.fs.pipe(path.path, b'{"text": "' + name.encode() + b'"}\n')
    local = Store(UPath(tmp_path / "lake"))
    shards = discover(raw, ["*.jsonl"]).shards
    for way in ("503", "reset"):
        server.fail(way, 1_000, of="bad.jsonl")
        for shard in shards:
            write_raw_shard(local, shard, CorpusSettings())
        set_aside = shards_set_aside(local)
        assert set_aside.keys() == {"bad.jsonl"}
        assert set_aside["bad.jsonl"].kind is Kind.UNREACHABLE
    server.left = 0
    assert write_raw_shard(local, shards[0], CorpusSettings()).set_aside is None


def test_what_users_set_for_amazons_tools_counts(
    server: Failing, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "2")
    options = with_retries(UPath("s3://bucket/x")).storage_options["config_kwargs"]
    assert options["retries"] == {"mode": "standard", "max_attempts": 2}
    own = UPath("s3://bucket/x", config_kwargs={"retries": {"max_attempts": 1}})
    assert with_retries(own) is own
    local = UPath("/tmp/x")
    assert with_retries(local) is local
