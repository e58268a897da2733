from pathlib import Path

import numpy as np
import pytest

from quadmix_assets.outputs import PARAMETER_SETS
from quadmix_assets.proxies.parameter_sets import (
    batch_key,
    batch_names,
    first_batches,
    n_rounds,
    read_batch,
    read_parameter_sets,
    write_parameter_sets,
)
from quadmix_assets.sampling import feature_names, sample_parameters
from quadmix_assets.seeds import derive_seed
from quadmix_assets.settings import Settings
from quadmix_assets.store import MissingOutputError, Store
from quadmix_assets_tests.proxies.thetas import BATCHES, make_settings


def test_thetas_are_those_of_algorithm_1_cut_into_batches(settings: Settings, store: Store) -> None:
    table, parameters = read_parameter_sets(store, settings)
    assert table["theta_id"].to_list() == list(range(10))
    assert table["proxy_batch"].to_list() == [BATCHES[number // 4] for number in range(10)]
    assert batch_names(store, 0) == first_batches(settings) == BATCHES
    assert n_rounds(store) == 0
    expected = sample_parameters(
        10, 3, 10, seed=derive_seed(settings.seed, "parameter_sets"), omega_max=0.5
    )
    np.testing.assert_array_equal(parameters.as_features(), expected.as_features())
    stored = store.read_table(store.table_path("parameter_sets"))
    names = feature_names(settings.criterion_names, settings.domain_names)
    assert stored.columns == ["theta_id", "proxy_batch", *names]
    last = read_batch(store, settings, BATCHES[2])
    assert list(last) == [8, 9]
    for number, theta in last.items():
        for values, wanted in zip(theta[:5], expected[number][:5], strict=True):
            np.testing.assert_array_equal(values, wanted)


def test_batch_that_is_not_there(settings: Settings, store: Store) -> None:
    with pytest.raises(MissingOutputError, match="no thetas of the proxy batch 'batch-00003'"):
        read_batch(store, settings, "batch-00003")


def test_thetas_of_other_criteria_are_refused(store: Store, tmp_path: Path) -> None:
    other = make_settings(tmp_path, features={"criteria": [{"kind": "heuristics"}]})
    with pytest.raises(MissingOutputError, match="other criteria or domains"):
        read_parameter_sets(store, other)


@pytest.mark.parametrize(("n", "size", "n_batches"), [(1, 4, 1), (8, 4, 2), (9, 4, 3), (5, 1, 5)])
def test_batches_follow_from_the_settings(
    store: Store, tmp_path: Path, n: int, size: int, n_batches: int
) -> None:
    settings = make_settings(tmp_path, parameters={"n": n}, proxies={"batch_size": size})
    write_parameter_sets(store, settings)
    assert first_batches(settings) == batch_names(store, 0)
    assert len(first_batches(settings)) == n_batches


def test_names_of_batches_are_in_the_order_of_their_numbers() -> None:
    keys = [batch_key(0, index) for index in (0, 9, 10, 187, 99_999)]
    keys += [batch_key(1, index) for index in (0, 10)]
    assert keys == sorted(set(keys))


def test_thetas_of_an_older_version_are_refused(settings: Settings, store: Store) -> None:
    path = store.table_path(PARAMETER_SETS)
    store.write_table(path, store.read_table(path).rename({"theta_id": "theta"}))
    with pytest.raises(
        MissingOutputError, match="no column 'theta_id'.*older version.*asset 'parameter_sets'"
    ):
        read_parameter_sets(store, settings)
