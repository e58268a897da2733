"""What a lake on object storage costs: memory for a large folder, requests for a shard.

    python -m benchmarks.scale.object_storage --gigabytes 5 --shards 3 6

A folder is written to a local S3 server in a process of its own, fetched in a second one, and
opened in a third, which finds this machine's copy: seconds and peak memory of each, beside what
importing the package takes. Then the whole graph is run on small pools with their lakes on a server
that counts requests: those with a shard's name in their path, per shard, and all others.
"""

import argparse
import multiprocessing
import os
import re
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import boto3
import numpy as np
from upath import UPath

from benchmarks.scale.measured import peak_mib
from quadmix_assets.store import Store, atomic_folder
from quadmix_assets_tests.conftest import TINY, Project
from quadmix_assets_tests.s3 import BUCKET
from quadmix_assets_tests.s3_requests import counting_server

# The server takes long to put large objects together, and forgets the upload meanwhile.
_N_FILES = 40
_BLOCK_BYTES = 16 << 20
_STARTED_SECONDS = 60.0
_SHARD = re.compile(r"shard-\d{5}")


@dataclass(frozen=True)
class Transfer:
    """Attributes:
    what: was done.
    seconds: it took, in wall time.
    peak_gib: most memory of its process.
    before_gib: of the same process before it began.
    """

    what: str
    seconds: float
    peak_gib: float
    before_gib: float


@dataclass(frozen=True)
class Requests:
    """Attributes:
    n_shards: of the pool.
    per_shard: requests with a shard's name in their path, in the mean over shards.
    others: all other requests.
    """

    n_shards: int
    per_shard: float
    others: int


def measure_folder(gigabytes: float) -> list[Transfer]:
    """Write, fetch and open again a folder of this size, each in a process of its own."""
    with tempfile.TemporaryDirectory() as folder, _server() as url:
        environment = {
            "AWS_ENDPOINT_URL": url,
            "AWS_ACCESS_KEY_ID": "nobody",
            "AWS_SECRET_ACCESS_KEY": "nothing",
            "AWS_DEFAULT_REGION": "us-east-1",
            "QUADMIX_COPIES": f"{folder}/copies",
        }
        os.environ.update(environment)
        boto3.client("s3").create_bucket(Bucket=BUCKET)
        steps: list[tuple[str, Callable[[float], None]]] = [
            ("write", _write),
            ("fetch", _fetch),
            ("open again", _fetch),
        ]
        context = multiprocessing.get_context("spawn")
        found = []
        for what, step in steps:
            with context.Pool(1) as pool:
                found.append(pool.apply(_measured, (what, step, gigabytes)))
        return found


def measure_requests(n_shards: int) -> Requests:
    """Run the whole graph on a small pool whose lake is on a server that counts."""
    planted = {**TINY["corpus"]["planted"], "n_shards": n_shards, "n_documents": 300 * n_shards}
    with tempfile.TemporaryDirectory() as folder, counting_server() as requests:
        os.environ["QUADMIX_COPIES"] = f"{folder}/copies"
        project = Project(Path(folder), lake=f"s3://{BUCKET}/lake", corpus={"planted": planted})
        if not project.run():
            raise RuntimeError("the graph was not completed: see the messages above")
        shards = Counter(found[0] for _, path in requests if (found := _SHARD.findall(path)))
        n_all = len(requests)
    return Requests(n_shards, sum(shards.values()) / n_shards, n_all - sum(shards.values()))


def _write(gigabytes: float) -> None:
    n_left = [int(gigabytes * 1e9 / _N_FILES)] * _N_FILES
    block = np.random.default_rng(0).bytes(_BLOCK_BYTES)
    with atomic_folder(UPath(f"s3://{BUCKET}/lake/proxy_pool")) as folder:
        for number, n_bytes in enumerate(n_left):
            with (folder / f"{number}.npy").open("wb") as file:
                for start in range(0, n_bytes, _BLOCK_BYTES):
                    file.write(block[: n_bytes - start])


def _fetch(_gigabytes: float) -> None:
    store = Store(UPath(f"s3://{BUCKET}/lake"))
    with store.local_folder(store.root / "proxy_pool"):
        pass


def _measured(what: str, step: Callable[[float], None], gigabytes: float) -> Transfer:
    before, start = peak_mib() / 2**10, time.perf_counter()
    step(gigabytes)
    return Transfer(what, time.perf_counter() - start, peak_mib() / 2**10, before)


@contextmanager
def _server() -> Iterator[str]:
    """A server in a process of its own, which keeps objects on disk; its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    url = f"http://127.0.0.1:{port}"
    try:
        deadline = time.monotonic() + _STARTED_SECONDS
        while True:
            try:
                urllib.request.urlopen(f"{url}/moto-api/", timeout=5).close()
                break
            except OSError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.2)
        yield url
    finally:
        server.terminate()
        server.wait()


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--gigabytes", type=float, default=5.0)
    parser.add_argument("--shards", type=int, nargs="*", default=[3, 6])
    arguments = parser.parse_args()
    for n_shards in arguments.shards:
        found = measure_requests(n_shards)
        print(
            f"{found.n_shards} shards: {found.per_shard:.0f} requests each, {found.others} others"
        )
    if arguments.gigabytes:
        print("what       seconds  peak GiB  before GiB")
        for each in measure_folder(arguments.gigabytes):
            print(
                f"{each.what:<10} {each.seconds:>7.1f} {each.peak_gib:>9.2f} "
                f"{each.before_gib:>11.2f}"
            )


if __name__ == "__main__":
    main()
