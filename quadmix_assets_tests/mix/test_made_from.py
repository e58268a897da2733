from pathlib import Path
from typing import Any

import pytest

from quadmix_assets.mix.guards import Guards
from quadmix_assets.mix.made_from import (
    read_made_from,
    upstream_fingerprints,
    write_made_from,
)
from quadmix_assets.outputs import (
    OPTIMAL_PARAMS,
    PARAMETER_SETS,
    PROXY_METRICS,
    PROXY_POOL,
    REGRESSOR,
    RULE_MADE_FROM,
    SELECTION_RULE,
    TARGET_SETS,
    VERIFICATION,
    mix_output,
)
from quadmix_assets.store import MissingOutputError, Store
from quadmix_assets_tests.conftest import Project

MIX = "quadmix"
RULE = mix_output(MIX, SELECTION_RULE)


@pytest.fixture
def project(tiny: Project, tmp_path: Path) -> Project:
    return tiny.copy(tmp_path / "copy")


@pytest.fixture
def store(project: Project) -> Store:
    return project.store


def upstream(project: Project) -> dict[str, Any]:
    settings = project.settings
    return upstream_fingerprints(project.store, settings, settings.production_mix)


def test_record_names_the_bytes_in_the_lake(store: Store) -> None:
    record = read_made_from(store, MIX)
    found = record["fingerprints"]
    assets = {TARGET_SETS, PROXY_POOL, PARAMETER_SETS, REGRESSOR, OPTIMAL_PARAMS, VERIFICATION}
    assert assets <= set(found)
    for asset in assets:
        assert found[asset] == store.fingerprint(store.root / asset)
    assert found[PROXY_METRICS] == {
        batch: store.fingerprint(store.table_path(PROXY_METRICS, batch))
        for batch in ("batch-00000", "batch-00001")
    }
    assert record["refinement_rounds"] == 0
    assert record["guards"]["accepted"] == ["regressor_learned_something"]


def test_reference_pools_count(project: Project) -> None:
    store = project.store
    before = upstream(project)
    store.write_json(store.path("reference_pool", "reference_pool.json"), {"shards": {}})
    found = upstream(project)
    changed = {name for name in found if found[name] != before[name]}
    assert changed == {"reference_pool"}
    assert found["reference_pool"] == store.fingerprint(store.root / "reference_pool")


def test_batches_of_no_round_do_not_count(project: Project) -> None:
    store = project.store
    path = store.table_path(PROXY_METRICS, "batch-00001")
    store.write_table(store.table_path(PROXY_METRICS, "batch-99999"), store.read_table(path))
    assert set(upstream(project)[PROXY_METRICS]) == {"batch-00000", "batch-00001"}


def test_record_of_another_rule_is_refused(project: Project) -> None:
    store, settings = project.store, project.settings
    path = store.path(RULE, "rule.json")
    store.write_json(path, {**store.read_json(path), "tokens": 5})
    with pytest.raises(MissingOutputError, match=f"another rule: .*'{RULE}' again"):
        read_made_from(store, MIX)
    write_made_from(store, settings, settings.production_mix, Guards((), ()))
    assert read_made_from(store, MIX)["guards"] == {"failed": [], "accepted": []}


def test_missing_record_is_named(store: Store) -> None:
    store.remove_folder(store.root / mix_output(MIX, RULE_MADE_FROM))
    with pytest.raises(MissingOutputError, match=f"materialise the asset '{RULE}' again"):
        read_made_from(store, MIX)
