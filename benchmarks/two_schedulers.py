"""Whether two UIs with the automation on, each on an instance of its own, may share one lake.

    python -m benchmarks.two_schedulers --shards 2

A small pool is built once. In one copy of it two instances follow the raw folder, in another one;
the same shards are dropped into both. Prints how long it took, and exits with an error unless the
lakes are equal byte for byte, every shard is in the mix of every instance, no document is in the
mix of two shards, no run has failed, and nothing unfinished is left.
"""

import argparse
import json
import shutil
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

import polars as pl

from quadmix_assets.outputs import (
    DOCUMENT_IDS,
    FINAL_MIX,
    MIX_EXPORT,
    MIX_MANIFEST,
    mix_output,
    per_shard,
)
from quadmix_assets_tests.ui.pool import Pool, write_pool
from quadmix_assets_tests.ui.server import Server, served, wait_for

_SECONDS = 900.0
_UNFINISHED = {"QUEUED", "NOT_STARTED", "STARTING", "STARTED", "CANCELING"}
_MIX = "quadmix"
_DOCUMENTS, _MANIFEST = mix_output(_MIX, FINAL_MIX), mix_output(_MIX, MIX_MANIFEST)
_COMPARED = (*per_shard([_MIX]), DOCUMENT_IDS, mix_output(_MIX, MIX_EXPORT))


def follow(pool: Pool, n_instances: int, shards: Sequence[Path]) -> list[str]:
    """Serve a pool by several instances, drop shards, and wait until all have the new mix.

    Returns:
        What went wrong.
    """
    homes = [pool.instance, *(pool.folder / f"instance-{n}" for n in range(1, n_instances))]
    for home in homes[1:]:
        shutil.copytree(pool.instance, home)
    with ExitStack() as stack:
        servers = [stack.enter_context(served(pool.profile, home)) for home in homes]
        time.sleep(10)  # The sensors have looked once.
        start = time.time()
        keys = {pool.drop(path) for path in shards}
        manifest = pool.lake(_MANIFEST, f"{MIX_MANIFEST}.json")

        def mixed() -> bool | None:
            there = all(keys <= server.partitions(_DOCUMENTS)["materialized"] for server in servers)
            return True if there and keys <= _json(manifest).keys() else None

        def quiet() -> bool | None:
            return None if any(_is_busy(server) for server in servers) else True

        wait_for("the shards in the mix of every instance", mixed, seconds=_SECONDS, every=3.0)
        print(f"{n_instances} instances: mixed after {time.time() - start:.0f} s", flush=True)
        # A last round of reports may follow what the other instance has done.
        for _ in range(3):
            time.sleep(8)
            wait_for("the end of all runs", quiet, seconds=_SECONDS)
        print(
            f"{n_instances} instances: quiet after {time.time() - start:.0f} s, runs "
            f"{[len(server.runs()) for server in servers]}",
            flush=True,
        )
        failed = [run for server in servers for run in server.failed_runs()]
    return [f"{n_instances} instances: failed {run}" for run in failed]


def differences(first: Pool, second: Pool) -> list[str]:
    """What differs between the lakes of two pools, and what is wrong in either."""
    wrong = []
    for asset in _COMPARED:
        left, right = (_contents(pool.lake(asset)) for pool in (first, second))
        wrong += [
            f"{asset}/{name} differs"
            for name in sorted(left.keys() | right.keys())
            if left.get(name) != right.get(name)
        ]
    manifests = [_json(pool.lake(_MANIFEST, f"{MIX_MANIFEST}.json")) for pool in (first, second)]
    if manifests[0] != manifests[1]:
        wrong.append("the manifests name different shards, or other content of them")
    for pool in (first, second):
        tables = sorted(pool.lake(_DOCUMENTS).glob("*.parquet"))
        ids = pl.concat(
            pl.read_parquet(path, columns=["id"]).unique().with_columns(shard=pl.lit(path.name))
            for path in tables
        )
        if ids["id"].n_unique() != ids.height:
            wrong.append(f"{pool.folder.name}: documents in the mix of two shards")
        shards = {path.name for path in pool.raw.iterdir()}
        if {path.name.removesuffix(".parquet") for path in tables} != shards:
            wrong.append(f"{pool.folder.name}: the mix has other shards than the raw folder")
        wrong += [f"left over: {path}" for path in pool.lake().rglob("*.tmp*")]
    return wrong


def _contents(folder: Path) -> dict[str, bytes]:
    """The visible files of a folder; cards remember earlier contents."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and not path.name.startswith(".")
    }


def _json(manifest: Path) -> dict[str, object]:
    shards: dict[str, object] = json.loads(manifest.read_text())["shards"]
    return shards


def _is_busy(server: Server) -> bool:
    return any(run["status"] in _UNFINISHED for run in server.runs())


def main() -> None:
    """Compare two instances with one."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0] if __doc__ else None)
    parser.add_argument("--shards", type=int, default=2, choices=(1, 2, 3))
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        built = Path(temporary, "built")
        built.mkdir()
        pool = write_pool(built, enabled=True)
        pool.quadmix("run")
        wrong, pools = [], []
        for n_instances in (2, 1):
            copy = Pool(Path(temporary, f"instances-{n_instances}"), pool.spare)
            shutil.copytree(built, copy.folder)
            wrong += follow(copy, n_instances, pool.spare[: options.shards])
            pools.append(copy)
        wrong += differences(*pools)
    if wrong:
        raise SystemExit("\n".join(wrong))
    print(f"equal: {', '.join(_COMPARED)} and the shards of the manifest; nothing lost or doubled")


if __name__ == "__main__":
    main()
