"""Whether the order of proxies carries over: measured on orders that are known."""

from pathlib import Path

import numpy as np
import pytest
from scipy.stats import kendalltau, spearmanr

from quadmix_assets.corpus.target_sets import PROOF, SEARCH
from quadmix_assets.outputs import PROXY_FIDELITY
from quadmix_assets.search.fidelity import (
    FIDELITY_SCHEMA,
    fidelity_of,
    measure_fidelity,
    second_scale,
    spread_over_range,
    train_fidelity,
)
from quadmix_assets.settings import load_settings
from quadmix_assets_tests.conftest import TINY, Project, write_profile
from quadmix_assets_tests.seed import SEED


def test_rows_lie_evenly_over_the_range() -> None:
    predicted = np.concatenate([np.linspace(5.0, 5.1, 50), [5.4, 6.0, 7.0]])
    rows = spread_over_range(predicted, 5)
    assert predicted[rows].tolist() == pytest.approx([5.0, 5.1, 5.4, 6.0, 7.0])
    assert spread_over_range(predicted, 100).tolist() == list(range(53))
    assert len(set(spread_over_range(np.ones(9), 4))) == 4


def test_order_is_compared_by_rank_and_by_pairs() -> None:
    rng = np.random.default_rng(SEED)
    large = rng.normal(size=12)
    small = large + 0.8 * rng.normal(size=12)
    found = measure_fidelity(small, large)
    right = [(small[i] < small[j]) == (large[i] < large[j]) for i in range(12) for j in range(i)]
    assert found.accuracy.value == pytest.approx(np.mean(right))
    assert found.spearman.value == pytest.approx(spearmanr(small, large).statistic)
    assert found.kendall.value == pytest.approx(kendalltau(small, large).statistic)
    for interval in (found.accuracy, found.spearman, found.kendall):
        assert interval.low < interval.value < interval.high


def test_only_an_order_that_is_surely_better_than_chance_carries_over() -> None:
    order = np.arange(10.0)
    assert measure_fidelity(order, 2 * order).carries_over
    assert not measure_fidelity(order[::-1], order).carries_over
    assert measure_fidelity(order[::-1], order).accuracy.value == 0.0
    assert measure_fidelity(np.ones(10), order).accuracy.value == 0.5
    chance = np.random.default_rng(SEED).permutation(10).astype(float)
    assert not measure_fidelity(order, chance).carries_over
    with pytest.raises(ValueError, match="3 thetas: expected 4 or more"):
        measure_fidelity(order[:3], order[:3])


def test_the_second_scale_is_larger(tmp_path: Path) -> None:
    def recipe(**fidelity: object) -> tuple[str, int]:
        profile = write_profile(tmp_path, search={"fidelity": {"n_thetas": 4, **fidelity}})
        training = second_scale(load_settings(profile)).proxies.training
        return training.architecture, training.n_tokens_per_proxy

    assert recipe() == ("tiny", 40_960)
    assert recipe(n_tokens=9_000) == ("tiny", 9_000)
    assert recipe(architecture="small", n_tokens=9_000) == ("small", 9_000)
    assert recipe(architecture="small")[1] > 40_960


def test_without_thetas_nothing_is_trained(tiny: Project) -> None:
    assert tiny.store.n_rows(tiny.store.table_path(PROXY_FIDELITY)) == 0
    assert fidelity_of(tiny.store, tiny.settings, PROOF) == ({}, {})


def test_thetas_of_the_swarm_are_trained_at_the_second_scale(tiny: Project, tmp_path: Path) -> None:
    project = tiny.copy(tmp_path / "copy")
    fidelity = {"n_thetas": 4, "n_tokens": 8_192, "seeds": 2}
    profile = write_profile(
        tmp_path / "second",
        lake=str(project.store.root),
        search={**TINY["search"], "fidelity": fidelity},
    )
    settings = load_settings(profile)
    table = train_fidelity(project.store, settings, lambda progress: None)
    assert dict(table.schema) == FIDELITY_SCHEMA
    assert table.height == 4 * 2 * 2
    assert set(table["n_tokens"]) == {8_192}
    for part in (SEARCH, PROOF):
        objectives, targets = fidelity_of(project.store, settings, part)
        assert objectives.keys() == targets.keys() == {"planted"}
        assert objectives["planted"].n == 4
    again = train_fidelity(project.store, settings, lambda progress: None)
    assert again.equals(table)
