from pathlib import Path

import pytest

from quadmix_assets.mix.guards import Guards
from quadmix_assets.mix.made_from import (
    read_made_from,
    upstream_fingerprints,
    write_made_from,
)
from quadmix_assets.outputs import (
    CALIBRATED_FROM,
    OPTIMAL_PARAMS,
    PARAMETER_SETS,
    PROXY_METRICS,
    PROXY_POOL,
    RANK_CALIBRATION,
    REGRESSOR,
    TARGET_SETS,
    VERIFICATION,
)
from quadmix_assets.store import MissingOutputError, Store
from quadmix_assets_tests.conftest import Project


@pytest.fixture
def store(tiny: Project, tmp_path: Path) -> Store:
    return tiny.copy(tmp_path / "copy").store


def test_record_names_the_bytes_in_the_lake(store: Store) -> None:
    record = read_made_from(store)
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


def test_reference_pools_count(store: Store) -> None:
    before = upstream_fingerprints(store)
    store.write_json(store.path("reference_pool", "reference_pool.json"), {"shards": {}})
    found = upstream_fingerprints(store)
    changed = {name for name in found if found[name] != before[name]}
    assert changed == {"reference_pool"}
    assert found["reference_pool"] == store.fingerprint(store.root / "reference_pool")


def test_batches_of_no_round_do_not_count(store: Store) -> None:
    path = store.table_path(PROXY_METRICS, "batch-00001")
    store.write_table(store.table_path(PROXY_METRICS, "batch-99999"), store.read_table(path))
    assert set(upstream_fingerprints(store)[PROXY_METRICS]) == {"batch-00000", "batch-00001"}


def test_record_of_another_calibration_is_refused(store: Store) -> None:
    path = store.path(RANK_CALIBRATION, "theta.json")
    store.write_json(path, {**store.read_json(path), "mix_tokens": 5})
    with pytest.raises(MissingOutputError, match="another calibration: .*'rank_calibration' again"):
        read_made_from(store)
    write_made_from(store, Guards((), ()))
    assert read_made_from(store)["guards"] == {"failed": [], "accepted": []}


def test_missing_record_is_named(store: Store) -> None:
    store.remove_folder(store.root / CALIBRATED_FROM)
    with pytest.raises(MissingOutputError, match="materialise the asset 'rank_calibration' again"):
        read_made_from(store)
