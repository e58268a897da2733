"""Further rounds of proxies as one step of the graph, and the search after them."""

from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from quadmix_assets.outputs import OPTIMAL_PARAMS, OPTIMUM_CHECK, PROXY_METRICS, REFINEMENT
from quadmix_assets.proxies.parameter_sets import n_rounds
from quadmix_assets_tests.conftest import Project, definitions_of

ROUND = "round-1-batch-00000"


@pytest.fixture
def project(tiny: Project, tmp_path: Path) -> Project:
    return tiny.copy(tmp_path / "copy")


def materialise(
    project: Project, *assets: str, **config: dict[str, Any]
) -> dg.ExecuteInProcessResult:
    """What a click on Materialize does, with `config` by asset from the launchpad."""
    job = definitions_of(project.profile).resolve_implicit_global_asset_job_def()
    with project.instance() as instance:
        return job.execute_in_process(
            instance=instance,
            asset_selection=[dg.AssetKey(asset) for asset in assets],
            run_config={
                "resources": {"project": {"config": {"profile": str(project.profile)}}},
                "ops": {asset: {"config": values} for asset, values in config.items()},
            },
            raise_on_error=False,
        )


def metadata(result: dg.ExecuteInProcessResult, asset: str) -> dict[str, Any]:
    (event,) = result.asset_materializations_for_node(asset)
    return {name: value.value for name, value in event.metadata.items()}


def version(result: dg.ExecuteInProcessResult, asset: str) -> str:
    (event,) = result.asset_materializations_for_node(asset)
    assert event.tags is not None
    return event.tags["dagster/data_version"]


def test_without_rounds_it_is_made_and_empty(project: Project) -> None:
    first, again = (materialise(project, REFINEMENT) for _ in range(2))
    assert first.success
    assert metadata(first, REFINEMENT)["n_rounds"] == 0
    assert version(first, REFINEMENT) == version(again, REFINEMENT)
    assert not (project.store.root / REFINEMENT).exists()


def test_a_further_round_is_trained_shown_and_searched_with(project: Project) -> None:
    before = project.store.read_json(project.store.path(OPTIMAL_PARAMS, "planted.json"))
    result = materialise(
        project, REFINEMENT, "regressor", OPTIMAL_PARAMS, refinement={"further_rounds": 1}
    )
    assert result.success
    found = metadata(result, REFINEMENT)
    assert (found["n_rounds"], found["n_batches_trained"], found["n_batches_kept"]) == (1, 1, 0)
    assert found["launched_with"] == {"further_rounds": 1}
    assert "| planted | 1 | 4 |" in found["rounds"]
    assert "| 1 | planted |" in found["predicted"]
    assert n_rounds(project.store) == 1
    assert project.store.table_path(PROXY_METRICS, ROUND).exists()
    assert metadata(result, "regressor")["n_proxies"] == 20
    after = project.store.read_json(project.store.path(OPTIMAL_PARAMS, "planted.json"))
    assert (before["prediction"]["n_proxies"], after["prediction"]["n_proxies"]) == (16, 20)
    assert after["prediction"]["n_points"] == before["prediction"]["n_points"] == 2_000
    with project.instance() as instance:
        observed = instance.fetch_observations(dg.AssetKey(REFINEMENT), limit=10).records
    (told,) = (record.asset_observation for record in observed)
    assert told is not None
    values = {name: value.value for name, value in told.metadata.items()}
    assert values["rounds_done"] == values["done"] == 1.0
    assert (values["round"], values["rounds"], values["batches_in_round"]) == (1, 1, 1)
    assert values["rounds_eta_seconds"] == 0.0

    again = materialise(project, REFINEMENT)
    assert metadata(again, REFINEMENT)["n_batches_kept"] == 1
    assert version(again, REFINEMENT) == version(result, REFINEMENT)


def test_a_search_takes_its_numbers_from_the_launch(project: Project) -> None:
    config = {"n_points": 300, "strategy": "cma_es"}
    result = materialise(project, OPTIMAL_PARAMS, optimal_params=config)
    assert result.success
    strategy = {"kind": "cma_es", "caution": 1.0, "trust": None}
    used = {"n_points": 300, "top": 10, "strategy_settings": strategy}
    assert metadata(result, OPTIMAL_PARAMS)["launched_with"] == used
    stored = project.store.read_json(project.store.path(OPTIMAL_PARAMS, "planted.json"))
    assert stored["prediction"]["strategy"] in {"cma_es", "random_top_mean"}
    assert {key: stored["prediction"][key] for key in used} == used


def test_a_search_with_numbers_that_do_not_fit_says_so(project: Project) -> None:
    result = materialise(project, OPTIMAL_PARAMS, optimal_params={"n_points": 3})
    assert not result.success
    (failure,) = (event for event in result.all_events if event.is_step_failure)
    data = failure.step_failure_data.user_failure_data
    assert data is not None
    assert "top is 10, more than n_points (3)" in str(data.description)


def test_a_check_has_as_many_seeds_as_the_launch_says(project: Project) -> None:
    result = materialise(project, OPTIMUM_CHECK, optimum_check={"n_seeds": 2})
    assert result.success
    losses = project.store.read_table(project.store.table_path(OPTIMUM_CHECK))
    assert losses["seed"].unique().sort().to_list() == [0, 1]
    assert metadata(result, OPTIMUM_CHECK)["launched_with"] == {"check_seeds": 2}
    # The instance of the project was used with its own three seeds before.
    assert project.settings.search.check_seeds == 3


def test_everything_that_a_launch_can_change_has_a_default_and_a_sentence(tiny: Project) -> None:
    definitions = definitions_of(tiny.profile)
    graph = definitions.resolve_asset_graph()
    parents = {
        key.to_user_string(): {parent.to_user_string() for parent in graph.get(key).parent_keys}
        for key in graph.materializable_asset_keys
    }
    assert parents[REFINEMENT] == {
        *("proxy_metrics", "proxy_evaluation", "proxy_repeats", "proxy_pool"),
        *("target_sets", "tokenizer"),
    }
    wanted = {
        *("parameter_sets", "proxy_metrics", "proxy_evaluation", "proxy_repeats", REFINEMENT),
        "proxy_pool",
    }
    assert parents["regressor"] == wanted
    assert parents[OPTIMAL_PARAMS] == {"regressor", "proxy_pool"}
    job = definitions.resolve_implicit_global_asset_job_def()
    for asset, names in {
        REFINEMENT: {"further_rounds"},
        OPTIMAL_PARAMS: {"n_points", "strategy"},
        OPTIMUM_CHECK: {"n_seeds"},
    }.items():
        schema: Any = job.graph.node_named(asset).definition.config_schema
        fields = schema.config_type.fields
        assert set(fields) == names
        for field in fields.values():
            assert not field.is_required
            assert len(field.description) > 20
