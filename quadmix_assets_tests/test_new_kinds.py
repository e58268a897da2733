"""The whole graph with kinds that the project does not know: a module and a registry line each."""

from pathlib import Path

import pytest

from quadmix_assets.features.criteria.registry import CRITERIA
from quadmix_assets.outputs import SCORED_SHARDS
from quadmix_assets.search.optimum import read_optimum
from quadmix_assets.search.regressors.registry import REGRESSORS
from quadmix_assets_tests.conftest import Project
from quadmix_assets_tests.features import toy_criterion
from quadmix_assets_tests.search import nearest

SHARD = "shard-00000.parquet"


@pytest.mark.slow
def test_a_new_criterion_and_a_new_regressor_run_through_the_whole_graph(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(CRITERIA.entries, "vowel_share", toy_criterion.ENTRY)
    monkeypatch.setitem(REGRESSORS.entries, "nearest", f"{nearest.__name__}:NearestSettings")
    project = Project(
        tmp_path,
        corpus={"planted": {"n_documents": 300, "n_shards": 1, "n_target": 60}},
        features={"criteria": [{"kind": "vowel_share", "name": "vowels"}, {"kind": "heuristics"}]},
        search={"regressor": {"kind": "nearest", "n_neighbours": 3}, "compared": []},
    )
    assert project.run()
    store, settings = project.store, project.settings
    assert settings.criterion_names == ("vowels", "heuristics")
    scored = store.read_table(store.table_path(SCORED_SHARDS, SHARD))
    assert scored["vowels"].is_between(0.1, 0.6).all()
    theta, prediction = read_optimum(store, settings, "planted")
    assert theta.alpha.shape == (len(settings.domain_names), 2)
    assert prediction["n_proxies"] == settings.parameters.n
    mix = store.read_table(store.table_path("mixes/quadmix/final_mix", SHARD))
    assert {"vowels", "heuristics", "rank", "copies"} <= set(mix.columns)
    assert 0 < mix.height < scored.height
    manifest = store.read_json(store.path("mixes/quadmix/mix_manifest", "mix_manifest.json"))
    assert manifest["settings"]["search"]["regressor"] == {"kind": "nearest", "n_neighbours": 3}
