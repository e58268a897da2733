"""Settings that are changed for one run."""

from pathlib import Path

import pytest

from quadmix_assets.settings import Settings, SettingsError, load_settings, with_search
from quadmix_assets_tests.conftest import write_profile


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    strategy = {"kind": "cma_es", "caution": 2.5, "trust": 0.5}
    search = {"n_points": 2_000, "top": 10, "strategy": strategy}
    return load_settings(write_profile(tmp_path, search=search))


def test_without_a_change_the_settings_are_the_same(settings: Settings) -> None:
    assert with_search(settings) is settings
    assert with_search(settings, strategy="cma_es") is settings


def test_exactly_what_is_asked_for_is_changed(settings: Settings) -> None:
    changed = with_search(settings, n_points=500, check_seeds=7)
    assert (changed.search.n_points, changed.search.check_seeds) == (500, 7)
    before, after = settings.model_dump(mode="json"), changed.model_dump(mode="json")
    before["search"] |= {"n_points": 500, "check_seeds": 7}
    assert after == before
    assert changed.criterion_names == settings.criterion_names
    assert settings.search.n_points == 2_000


def test_a_strategy_keeps_its_options_and_another_kind_has_its_defaults(settings: Settings) -> None:
    same = with_search(settings, strategy="cma_es", n_points=50).search.strategy
    assert same.model_dump() == {"kind": "cma_es", "caution": 2.5, "trust": 0.5}
    assert with_search(settings, strategy="random_top_mean").search.strategy.model_dump() == {
        "kind": "random_top_mean"
    }


def test_values_that_are_not_allowed_are_named(settings: Settings) -> None:
    with pytest.raises(SettingsError, match=r"this run: 1 .*\n  .*top is 10, more than n_points"):
        with_search(settings, n_points=5)
    with pytest.raises(SettingsError, match="strategy.*there are: random_top_mean, cma_es"):
        with_search(settings, strategy="guess")
    with pytest.raises(SettingsError, match="check_seeds: got 0"):
        with_search(settings, check_seeds=0)
