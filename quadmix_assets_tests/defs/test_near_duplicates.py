"""The assets of near-duplicates are there where the settings ask for them, as parents of mixes."""

from pathlib import Path

import dagster as dg
import pytest

from quadmix_assets_tests.conftest import definitions_of, write_profile

MIXES = [
    {"method": "quadmix", "drop_duplicates": True},
    {"method": "random"},
]


@pytest.fixture(scope="module")
def definitions(tmp_path_factory: pytest.TempPathFactory) -> dg.Definitions:
    folder: Path = tmp_path_factory.mktemp("near_duplicates")
    found = {"near_duplicates": {"enabled": True}}
    return definitions_of(write_profile(folder, features=found, mixes=MIXES, production="quadmix"))


def parents_of(definitions: dg.Definitions, asset: str) -> set[str]:
    graph = definitions.resolve_asset_graph()
    key = dg.AssetKey.from_user_string(asset)
    return {parent.to_user_string() for parent in graph.get(key).parent_keys}


def test_signatures_read_texts_and_clusters_read_signatures(definitions: dg.Definitions) -> None:
    assert parents_of(definitions, "duplicate_signatures") == {"raw_shards"}
    assert parents_of(definitions, "near_duplicates") == {"duplicate_signatures", "scored_shards"}


def test_only_a_mix_that_drops_them_depends_on_them(definitions: dg.Definitions) -> None:
    assert "near_duplicates" in parents_of(definitions, "mixes/quadmix/selection_rule")
    assert "near_duplicates" not in parents_of(definitions, "mixes/random/selection_rule")
    checks = {key.to_user_string() for key in definitions.resolve_asset_graph().asset_check_keys}
    named = {check for check in checks if check.endswith("rule_knows_the_duplicates")}
    assert named == {"mixes/quadmix/selection_rule:rule_knows_the_duplicates"}


def test_they_follow_the_shards(definitions: dg.Definitions) -> None:
    job = definitions.resolve_job_def("score_new_shards")
    assert "duplicate_signatures" in {
        key.to_user_string() for key in job.asset_layer.selected_asset_keys
    }
    repository = definitions.get_repository_def()
    for sensor, asset in (
        ("follow_shards", "duplicate_signatures"),
        ("keep_reports", "near_duplicates"),
    ):
        selection = repository.get_sensor_def(sensor).asset_selection
        assert selection is not None
        assert dg.AssetKey(asset) in selection.resolve(definitions.resolve_asset_graph())
