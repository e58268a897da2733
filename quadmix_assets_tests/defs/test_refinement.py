"""A further round of thetas, proposed by clicking."""

from pathlib import Path

import dagster as dg
import pytest

from quadmix_assets.defs.refinement import refinement
from quadmix_assets.defs.resources import ProjectResource
from quadmix_assets.outputs import REFINEMENT
from quadmix_assets.proxies.parameter_sets import n_rounds, read_batch, read_parameter_sets
from quadmix_assets_tests.conftest import Project


@pytest.fixture
def project(tiny: Project, tmp_path: Path) -> Project:
    return tiny.copy(tmp_path / "copy")


def propose(project: Project) -> dg.ExecuteInProcessResult:
    with project.instance() as instance:
        return dg.materialize(
            [refinement],
            instance=instance,
            resources={"project": ProjectResource(profile=str(project.profile))},
        )


def test_a_round_is_a_quarter_more_thetas_in_partitions_of_their_own(project: Project) -> None:
    result = propose(project)
    (event,) = result.asset_materializations_for_node("refinement")
    assert (event.metadata["round"].value, event.metadata["n_thetas"].value) == (1, 4)
    assert event.metadata["batches"].value == "round-1-batch-00000"
    with project.instance() as instance:
        assert "round-1-batch-00000" in instance.get_dynamic_partitions("proxy_batch")
    thetas = read_batch(project.store, project.settings, "round-1-batch-00000")
    assert list(thetas) == [16, 17, 18, 19]


def test_a_round_without_proxies_is_proposed_anew(project: Project) -> None:
    propose(project)
    first = (project.store.root / REFINEMENT).glob("*.parquet")
    before = {path.name: path.read_bytes() for path in first}
    propose(project)
    assert n_rounds(project.store) == 1
    after = {path.name: path.read_bytes() for path in (project.store.root / REFINEMENT).iterdir()}
    assert after == before, "of the same evidence, the same round"
    table, parameters = read_parameter_sets(project.store, project.settings)
    assert table.height == len(parameters) == 20
