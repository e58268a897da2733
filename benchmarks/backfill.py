"""Seconds that Dagster adds to every shard, through each of the ways in which shards are made.

    python -m benchmarks.backfill --shards 1 100 1000

A small pool is built once. Then small shards are dropped into a copy of it and made up to the final
mix: by a plain loop over the same functions without Dagster, by `quadmix run --resume`, by one
launched range of partitions, by a backfill as the UI launches it, and by the automation. Prints for
each: seconds from the request to the last shard in the mix; seconds per shard beyond those of the
plain loop, and their ratio to the number of shards before; runs; kB of the instance per shard.

A run takes seconds to start, and the daemon looks at backfills every 30 seconds: both are shared by
the shards of a run, so that the overhead per shard must fall with their number.
"""

import argparse
import json
import shutil
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl

from quadmix_assets.corpus.inputs import discover_inputs
from quadmix_assets.corpus.overlap import SCHEMA, TargetRuns
from quadmix_assets.corpus.planted import pool_document
from quadmix_assets.corpus.raw_shard import write_raw_shard
from quadmix_assets.corpus.target_sets import EVALUATED
from quadmix_assets.corpus.target_tables import part_path
from quadmix_assets.corpus.token_encoder import TokenEncoder
from quadmix_assets.corpus.tokenizer import project_tokenizer
from quadmix_assets.features.inference import Runtime
from quadmix_assets.features.learned.fit import load_models
from quadmix_assets.features.score import label_shard, score_shard
from quadmix_assets.mix.export import export_shard
from quadmix_assets.mix.final_mix import mix_shard
from quadmix_assets.mix.stored_rule import read_rule
from quadmix_assets.outputs import FINAL_MIX, FITTED_MODELS, RAW_SHARDS, TARGET_OVERLAP, mix_output
from quadmix_assets.settings import load_settings
from quadmix_assets.store import BATCH_ROWS, Store
from quadmix_assets_tests.ui.pool import Pool, write_pool
from quadmix_assets_tests.ui.server import Server, served, wait_for

# Documents of a shard, and the number of the first one, beyond those of the pool.
N_DOCUMENTS, FIRST = 20, 1_000_000
MIX = "quadmix"
DOCUMENTS = mix_output(MIX, FINAL_MIX)
CHAIN = ("raw_shards", "target_overlap", "scored_shards", "domain_labels", DOCUMENTS)
_HOURS = 4 * 3600.0

_BACKFILL = """
mutation Backfill($params: LaunchBackfillParams!) {
  launchPartitionBackfill(backfillParams: $params) { __typename
  ... on LaunchBackfillSuccess { backfillId }
  ... on PythonError { message }
} }
"""
_LAUNCH = """
mutation Launch($params: ExecutionParams!) { launchPipelineExecution(executionParams: $params) {
  __typename
  ... on LaunchRunSuccess { run { runId } }
  ... on PythonError { message }
  ... on RunConfigValidationInvalid { errors { message } }
} }
"""
_REPOSITORY = """
{ repositoriesOrError { ... on RepositoryConnection { nodes { name location { name } } } } }
"""


@dataclass
class Measured:
    """What one way took.

    Attributes:
        seconds: from the request until all shards were in the mix.
        n_runs: Dagster runs that were needed; 0 without Dagster.
        n_bytes: by which the instance's folder grew.
    """

    seconds: float
    n_runs: int = 0
    n_bytes: int = 0


@dataclass
class Way:
    """A way in which shards are made.

    Attributes:
        make: drops the shards into a pool, makes them, and returns what it took.
        overhead: seconds per shard beyond the plain loop, by number of shards.
    """

    make: Callable[[Pool, Sequence[Path]], Measured]
    overhead: dict[int, float] = field(default_factory=dict)


def write_shards(folder: Path, n: int) -> list[Path]:
    """n small shards of generated documents that the pool does not hold."""
    folder.mkdir()
    paths = []
    for number in range(n):
        first = FIRST + number * N_DOCUMENTS
        rows = [
            {
                "id": document.id,
                "text": document.text,
                "planted_domain": document.domain,
                "planted_quality": document.quality,
            }
            for document in map(pool_document, range(first, first + N_DOCUMENTS))
        ]
        path = folder / f"more-{number:06d}.jsonl"
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
        paths.append(path)
    return paths


def drop(pool: Pool, shards: Iterable[Path]) -> list[str]:
    """Copy shards into the raw folder, old enough to be taken at once; returns their keys."""
    return [pool.drop(path) for path in shards]


def plain(pool: Pool, shards: Sequence[Path]) -> Measured:
    """The functions that the assets call, in a loop."""
    keys = set(drop(pool, shards))
    settings = load_settings(pool.profile)
    store = Store(settings.resolve(settings.lake))
    start = time.perf_counter()
    with store.local_folder(store.root / FITTED_MODELS) as folder:
        models = load_models(folder, settings, Runtime.of(settings))
    encoder = TokenEncoder(project_tokenizer(store))
    rule = read_rule(store, settings, MIX)
    targets = {
        name: pl.concat(store.read_table(part_path(store, name, part)) for part in EVALUATED)
        for name in settings.target_names
    }
    runs = TargetRuns.of(targets)
    fingerprints = {"fitted_models": store.fingerprint(store.root / FITTED_MODELS)}
    for shard in discover_inputs(settings, store).shards:
        if shard.key not in keys:
            continue
        write_raw_shard(store, shard, settings.corpus)
        found = [
            runs.found_in(batch["id"], batch["text"])
            for batch in store.iter_table(
                store.table_path(RAW_SHARDS, shard.key), ["id", "text"], BATCH_ROWS
            )
        ]
        overlap = pl.concat([pl.DataFrame(schema=SCHEMA), *found])
        store.write_table(store.table_path(TARGET_OVERLAP, shard.key), overlap, {"inputs": {}})
        score_shard(store, shard.key, models.criteria, encoder, fingerprints, models.fingerprints)
        label_shard(store, shard.key, models.domains, fingerprints, models.fingerprints)
        mix_shard(store, shard.key, settings, MIX, rule)
        export_shard(store, shard.key, MIX, "parquet")
    return Measured(time.perf_counter() - start)


def resumed(pool: Pool, shards: Sequence[Path]) -> Measured:
    """`quadmix run --resume`, in a process of its own."""
    drop(pool, shards)
    start = time.perf_counter()
    pool.quadmix("run", "--resume")
    return Measured(time.perf_counter() - start)


def launched_range(pool: Pool, shards: Sequence[Path]) -> Measured:
    """One run over the range of the new shards, launched through GraphQL."""
    keys = drop(pool, shards)
    with served(pool.profile) as server:
        before = len(server.runs())
        start = time.perf_counter()
        launched = server.query(
            _LAUNCH,
            params={
                "selector": {
                    **_selector(server),
                    "pipelineName": "__ASSET_JOB",
                    "assetSelection": [{"path": [asset]} for asset in CHAIN],
                    # The checks of raw_shards are part of its step.
                    "assetCheckSelection": None,
                },
                "mode": "default",
                "runConfigData": "{}",
                "executionMetadata": {
                    "tags": [
                        {"key": "dagster/asset_partition_range_start", "value": keys[0]},
                        {"key": "dagster/asset_partition_range_end", "value": keys[-1]},
                    ]
                },
            },
        )["launchPipelineExecution"]
        assert launched["__typename"] == "LaunchRunSuccess", launched
        run = server.wait_for_run(launched["run"]["runId"], seconds=_HOURS)
        assert run["status"] == "SUCCESS", run
        return Measured(time.perf_counter() - start, len(server.runs()) - before)


def backfill(pool: Pool, shards: Sequence[Path]) -> Measured:
    """The backfill that the UI launches when partitions of five assets are selected."""
    keys = drop(pool, shards)
    with served(pool.profile) as server:
        before = len(server.runs())
        start = time.perf_counter()
        launched = server.query(
            _BACKFILL,
            params={
                "partitionNames": keys,
                "assetSelection": [{"path": [asset]} for asset in CHAIN],
            },
        )["launchPartitionBackfill"]
        assert launched["__typename"] == "LaunchBackfillSuccess", launched
        ended = server.wait_for_backfill(launched["backfillId"], seconds=_HOURS)
        assert ended["status"] == "COMPLETED_SUCCESS", ended
        return Measured(time.perf_counter() - start, len(server.runs()) - before)


def followed(pool: Pool, shards: Sequence[Path]) -> Measured:
    """Files that are dropped while the automation is on, until the last one is in the mix."""
    pool.change_settings("automation", enabled=True)
    with served(pool.profile) as server:
        before = len(server.runs())
        start = time.perf_counter()
        keys = set(drop(pool, shards))

        def mixed() -> bool | None:
            return True if keys <= server.partitions(DOCUMENTS)["materialized"] else None

        wait_for("the last shard in the mix", mixed, seconds=_HOURS)
        return Measured(time.perf_counter() - start, len(server.runs()) - before)


def _selector(server: Server) -> dict[str, str]:
    (repository,) = server.query(_REPOSITORY)["repositoriesOrError"]["nodes"]
    return {
        "repositoryName": repository["name"],
        "repositoryLocationName": repository["location"]["name"],
    }


def _n_bytes(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def copy_of(pool: Pool, folder: Path) -> Pool:
    """The same pool, lake and instance included, in another folder."""
    shutil.copytree(pool.folder, folder)
    return Pool(folder, pool.spare)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0] if __doc__ else None)
    ways: dict[str, Way] = {
        "run --resume": Way(resumed),
        "launched range": Way(launched_range),
        "backfill": Way(backfill),
        "automation": Way(followed),
    }
    parser.add_argument("--shards", type=int, nargs="+", default=[1, 100])
    parser.add_argument("--ways", nargs="+", choices=list(ways), default=list(ways))
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        root = Path(temporary)
        (root / "built").mkdir()
        built = write_pool(root / "built", enabled=False)
        built.quadmix("run")
        for n in options.shards:
            shards = write_shards(root / f"shards-{n}", n)
            baseline = plain(copy_of(built, root / f"plain-{n}"), shards).seconds
            print(f"{n:>5} shards: plain loop {baseline:.2f} s", flush=True)
            for name in options.ways:
                pool = copy_of(built, root / f"{name.replace(' ', '')}-{n}")
                instance = pool.folder / "data" / "dagster"
                before = _n_bytes(instance)
                measured = ways[name].make(pool, shards)
                grown = (_n_bytes(instance) - before) / n / 1000
                print(f"{n:>5} shards: {_line(name, ways[name], n, measured, baseline, grown)}")


def _line(
    name: str, way: Way, n: int, measured: Measured, baseline: float, kb_per_shard: float
) -> str:
    overhead = (measured.seconds - baseline) / n
    growth = ""
    if way.overhead:
        last_n, last = list(way.overhead.items())[-1]
        growth = f" ({overhead / last:.2f} times that of {last_n} shards)"
    way.overhead[n] = overhead
    return (
        f"{name:<15}{measured.seconds:8.1f} s, {overhead:8.3f} s per shard beyond it{growth}, "
        f"{measured.n_runs} runs, {kb_per_shard:.1f} kB per shard"
    )


if __name__ == "__main__":
    main()
