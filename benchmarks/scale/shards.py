"""What a shard costs in steps over many shards, beyond the documents in it.

    python -m benchmarks.scale.shards --shards 100 1000 10000

A small pool is built once. Copies of it get as many shards of 20 documents, so small that what they
cost is not their documents, and every asset of a shard is materialised over all of them, in runs of
as many as the automation takes. Printed per asset: CPU milliseconds per shard, bytes of the event
that records it, and kB by which the instance grew per shard; then the exponents by which CPU time
grows with the number of shards.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import dagster as dg

from benchmarks.backfill import CHAIN, write_shards
from benchmarks.scale.measured import growth_exponent
from quadmix_assets.settings import PROFILE_VARIABLE, load_settings
from quadmix_assets.store import Store
from quadmix_assets_tests.ui.pool import Pool, clean_environment, write_pool


@dataclass(frozen=True)
class Measured:
    """What one asset's partitions cost.

    Attributes:
        asset: its name.
        n_shards: partitions that were made.
        cpu_seconds: of the process that made them, with the runs that they were made in.
        n_runs: those runs.
        event_bytes: of the event that records a partition, the longest of the last run but for its
            last.
        last_event_bytes: of that last one, which may describe the columns too.
        instance_bytes: by which the instance's folder grew.
    """

    asset: str
    n_shards: int
    cpu_seconds: float
    n_runs: int
    event_bytes: int
    last_event_bytes: int
    instance_bytes: int

    @property
    def cpu_ms(self) -> float:
        """CPU milliseconds per partition."""
        return 1000 * self.cpu_seconds / self.n_shards


def build_pool(folder: Path) -> Pool:
    """A small pool with everything that the assets of a shard depend on, materialised."""
    folder.mkdir()
    pool = write_pool(folder, enabled=False)
    pool.quadmix("run")
    return pool


def measure_partitions(n_shards: int, built: Pool) -> list[Measured]:
    """What `n_shards` further shards cost in a copy of `built`, by asset, in order."""
    with tempfile.TemporaryDirectory(dir=built.folder.parent) as temporary:
        pool = Pool(Path(temporary, "pool"), ())
        shutil.copytree(built.folder, pool.folder)
        for path in write_shards(Path(temporary, "shards"), n_shards):
            path.rename(pool.raw / path.name)
        environment = {
            **clean_environment(),
            PROFILE_VARIABLE: str(pool.profile),
            "DAGSTER_HOME": str(pool.instance),
        }
        result = subprocess.run(
            [sys.executable, "-m", "benchmarks.scale.shards", "--measure", str(pool.profile)],
            env=environment,
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
        return [Measured(**values) for values in json.loads(result.stdout.splitlines()[-1])]


def exponents(few: list[Measured], many: list[Measured]) -> dict[str, float]:
    """By asset, the exponent by which CPU time grows between two numbers of shards."""
    return {
        a.asset: growth_exponent([a.n_shards, b.n_shards], [a.cpu_seconds, b.cpu_seconds])
        for a, b in zip(few, many, strict=True)
    }


def _measure_here(profile: Path) -> list[Measured]:
    """Make every shard that the instance does not know yet, asset by asset, in this process."""
    from quadmix_assets.definitions import defs as load_definitions
    from quadmix_assets.defs.discovery import register_shards
    from quadmix_assets.defs.event_log import open_event_log
    from quadmix_assets.partition_ranges import range_tags

    settings = load_settings(profile)
    per_run = settings.automation.shards_per_run
    job = load_definitions().resolve_implicit_global_asset_job_def()
    measured = []
    with dg.DagsterInstance.get() as instance:
        known = set(instance.get_dynamic_partitions("shard"))
        register_shards(instance, settings, Store(settings.resolve(settings.lake)))
        new = [key for key in instance.get_dynamic_partitions("shard") if key not in known]
        home = Path(os.environ["DAGSTER_HOME"])
        for asset in CHAIN:
            key = dg.AssetKey.from_user_string(asset)
            size, start = _n_bytes(home), time.process_time()
            for first in range(0, len(new), per_run):
                with open_event_log(instance):  # As `quadmix run` does.
                    job.execute_in_process(
                        instance=instance,
                        asset_selection=[key],
                        tags=range_tags(new[first : first + per_run]),
                    )
            seconds = time.process_time() - start
            records = instance.fetch_materializations(key, limit=per_run).records
            last, *lengths = (len(dg.serialize_value(each.event_log_entry)) for each in records)
            n_runs = -(-len(new) // per_run)
            grown = _n_bytes(home) - size
            measured.append(
                Measured(asset, len(new), seconds, n_runs, max(lengths, default=0), last, grown)
            )
    return measured


def _n_bytes(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def _line(each: Measured) -> str:
    return (
        f"{each.n_shards:>6} shards  {each.asset:<26}{each.cpu_ms:8.1f} ms per shard, "
        f"{each.n_runs} runs, event {each.event_bytes / 1000:.1f} kB, the last "
        f"{each.last_event_bytes / 1000:.1f} kB, instance "
        f"{each.instance_bytes / each.n_shards / 1000:.1f} kB per shard"
    )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0] if __doc__ else None)
    parser.add_argument("--shards", type=int, nargs="+", default=[100, 1_000])
    parser.add_argument("--built", type=Path, help="a folder of `build_pool`, to be used again")
    parser.add_argument("--measure", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure is not None:
        print(json.dumps([asdict(each) for each in _measure_here(options.measure)]))
        return
    with tempfile.TemporaryDirectory() as temporary:
        built = (
            build_pool(Path(temporary, "built"))
            if options.built is None
            else Pool(options.built, ())
        )
        measured = []
        for n_shards in options.shards:
            measured.append(measure_partitions(n_shards, built))
            print("\n".join(map(_line, measured[-1])), flush=True)
        for few, many in pairwise(measured):
            print(f"{few[0].n_shards} to {many[0].n_shards} shards:", _words(exponents(few, many)))


def _words(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {value:.2f}" for name, value in values.items())


if __name__ == "__main__":
    main()
