import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import dagster as dg
import polars as pl
import pytest

from quadmix_assets.outputs import (
    MERGED_RANKS,
    PROXY_METRICS,
    SAMPLED_SUBSET,
    UNFINISHED_PROXIES,
)
from quadmix_assets.proxies.swarm_progress import swarm_progress
from quadmix_assets.settings import PROFILE_VARIABLE
from quadmix_assets.store import Store
from quadmix_assets_tests.conftest import Project, definitions_of, write_profile

BATCH = "batch-00001"
# Long enough to be killed in the middle.
LONG = {
    "QUADMIX_PROXIES__TRAINING__N_TOKENS_PER_PROXY": "40000",
    "QUADMIX_PROXIES__CHECKPOINT_SECONDS": "0.01",
    "QUADMIX_PROXIES__PROGRESS_SECONDS": "0.5",
}


def command(project: Project, folder: Path) -> list[str]:
    """A process that materialises one batch of proxies as a click does."""
    program = folder / "materialise.py"
    program.write_text(
        textwrap.dedent(f"""
            import dagster as dg
            from quadmix_assets.definitions import defs
            job = defs().resolve_implicit_global_asset_job_def()
            with dg.DagsterInstance.get() as instance:
                job.execute_in_process(
                    instance=instance,
                    asset_selection=[dg.AssetKey("proxy_metrics")],
                    partition_key={BATCH!r},
                    run_config={{"resources": {{"project": {{"config": {{
                        "profile": {str(project.profile)!r}
                    }}}}}}}},
                )
        """)
    )
    return [sys.executable, str(program)]


def environment(project: Project) -> dict[str, str]:
    return {
        **os.environ,
        **LONG,
        "DAGSTER_HOME": str(project.folder / "dagster"),
        PROFILE_VARIABLE: str(project.profile),
    }


def metrics(project: Project) -> bytes:
    return Path(str(project.store.table_path(PROXY_METRICS, BATCH))).read_bytes()


@pytest.mark.slow
def test_a_killed_batch_goes_on_and_gives_the_same_bytes_and_tells_how_far_it_is(
    tiny: Project, tmp_path: Path
) -> None:
    undisturbed, killed = tiny.copy(tmp_path / "a"), tiny.copy(tmp_path / "b")
    for project in (undisturbed, killed):
        # Paths in the settings are those of the copy.
        assert str(project.settings.root) == str(project.folder)
    before = metrics(killed)
    run = subprocess.Popen(
        command(killed, tmp_path), env=environment(killed), stderr=subprocess.DEVNULL
    )
    parts = Path(str(killed.store.root / UNFINISHED_PROXIES / BATCH))
    while not list(parts.glob("*.json")):  # the first of two parts is done
        assert run.poll() is None
        time.sleep(0.02)
    while not list(parts.glob("*.state")):
        assert run.poll() is None
        time.sleep(0.005)
    run.send_signal(signal.SIGKILL)
    run.wait()
    assert metrics(killed) == before
    begin = time.time()
    for project in (killed, undisturbed):
        subprocess.run(command(project, tmp_path), env=environment(project), check=True)
    assert metrics(killed) == metrics(undisturbed) != before
    assert not parts.exists()
    with undisturbed.instance() as instance:
        records = instance.fetch_observations(
            dg.AssetRecordsFilter(
                asset_key=dg.AssetKey(PROXY_METRICS),
                asset_partitions=[BATCH],
                after_timestamp=begin,
            ),
            limit=100,
        ).records
        standing = [
            {name: value.value for name, value in record.asset_observation.metadata.items()}
            for record in records
            if record.asset_observation is not None
        ]
    assert len(standing) > 1
    assert standing[0]["done"] == 1.0
    assert standing[0]["eta_seconds"] == 0.0
    done = [float(str(one["done"])) for one in standing]
    assert done == sorted(done, reverse=True)
    assert all(float(str(one["tokens_per_second"])) > 0 for one in standing)
    # The other batch of the swarm is not trained by this recipe.
    assert {one["swarm_batches"] for one in standing} == {2.0}
    assert {one["swarm_batches_trained"] for one in standing} == {0.0}
    assert standing[0]["swarm_done"] == 0.5
    assert float(str(standing[0]["swarm_eta_seconds"])) > 0


def test_batches_follow_from_the_profile_of_the_process(tiny: Project, tmp_path: Path) -> None:
    """Before anything is materialised or registered."""
    for n, size, expected in ((16, 8, 2), (5, 2, 3)):
        profile = write_profile(tmp_path, parameters={"n": n}, proxies={"batch_size": size})
        graph = definitions_of(profile).resolve_asset_graph()
        for asset in (MERGED_RANKS, SAMPLED_SUBSET, PROXY_METRICS):
            partitions = graph.get(dg.AssetKey(asset)).partitions_def
            assert isinstance(partitions, dg.StaticPartitionsDefinition)
            assert partitions.get_partition_keys() == [
                f"batch-{index:05d}" for index in range(expected)
            ]


def test_swarm_is_told_with_every_batch(tiny: Project) -> None:
    with tiny.instance() as instance:
        assert instance.get_dynamic_partitions("proxy_batch") == []
        records = instance.fetch_materializations(dg.AssetKey(PROXY_METRICS), limit=10).records
        told = {
            record.partition_key: str(record.asset_materialization.metadata["swarm"].value)
            for record in records
            if record.asset_materialization is not None
        }
    assert told["batch-00000"].startswith("batches 1 of 2 trained, swarm ETA ")
    assert told["batch-00001"] == "batches 2 of 2 trained, swarm ETA 0 s"
    progress = swarm_progress(tiny.store, tiny.settings)
    assert (progress.n_done, progress.n_proxies, progress.share_done) == (2, 16, 1.0)
    assert progress.seconds_per_batch > 0


def test_mixed_precision_is_told(tiny: Project, tmp_path: Path) -> None:
    from quadmix_assets.defs.proxies import proxies_are_comparable
    from quadmix_assets.defs.resources import ProjectResource

    project = tiny.copy(tmp_path / "copy")
    resource = ProjectResource(profile=str(project.profile))

    def check() -> dg.AssetCheckResult:
        result = proxies_are_comparable(resource)
        assert isinstance(result, dg.AssetCheckResult)
        return result

    assert check().passed
    store = Store(project.settings.resolve(project.settings.lake))
    path = store.table_path(PROXY_METRICS, BATCH)
    table = store.read_table(path).with_columns(precision=pl.lit("another"))
    store.write_table(path, table, store.summary(path))
    found = check()
    assert not found.passed
    assert "trained in another and in " in str(found.description)
