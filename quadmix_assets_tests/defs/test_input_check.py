"""The look at the inputs of a pool of files: root of its graph, and one clear error."""

from pathlib import Path

import dagster as dg
import pytest

from quadmix_assets_tests.conftest import definitions_of
from quadmix_assets_tests.ui.pool import Pool, write_pool


@pytest.fixture
def pool(tmp_path: Path) -> Pool:
    return write_pool(tmp_path)


def materialize(pool: Pool) -> dg.ExecuteInProcessResult:
    """Run the asset alone."""
    job = definitions_of(pool.profile).resolve_implicit_global_asset_job_def()
    return job.execute_in_process(
        asset_selection=[dg.AssetKey("input_check")],
        instance=dg.DagsterInstance.ephemeral(),
        raise_on_error=False,
    )


def test_no_asset_with_partitions_is_a_root_of_the_graph(pool: Pool, tmp_path: Path) -> None:
    graph = definitions_of(pool.profile).resolve_asset_graph()
    made = graph.materializable_asset_keys
    roots = {key for key in made if not graph.get(key).parent_keys & made}
    assert dg.AssetKey("input_check") in roots
    assert not any(graph.get(key).is_partitioned for key in roots)


def test_what_is_found_is_shown(pool: Pool) -> None:
    result = materialize(pool)
    assert result.success
    (event,) = result.asset_materializations_for_node("input_check")
    assert event.metadata["n_shards"].value == 3
    assert "corpus.text_column" in str(event.metadata["found"].value)


def test_wrong_column_is_one_clear_error(pool: Pool) -> None:
    pool.change_settings("corpus", text_column="body")
    result = materialize(pool)
    assert not result.success
    (failure,) = result.get_step_failure_events()
    assert "no column 'body'" in str(failure.step_failure_data)


def test_pool_without_files_is_no_error(pool: Pool) -> None:
    for path in pool.raw.iterdir():
        path.unlink()
    assert materialize(pool).success
