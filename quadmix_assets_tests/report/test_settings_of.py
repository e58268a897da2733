from pathlib import Path

import pytest
from upath import UPath

from quadmix_assets.report.settings_of import (
    changed_since_made,
    read_settings_of,
    write_settings_of,
)
from quadmix_assets.settings import assets_with_settings, load_settings, settings_used
from quadmix_assets.store import Store
from quadmix_assets_tests.conftest import write_profile

RULE = "mixes/quadmix/selection_rule"


def test_what_was_written_is_read(tmp_path: Path) -> None:
    settings, store = load_settings(write_profile(tmp_path)), Store(UPath(tmp_path / "lake"))
    for asset in assets_with_settings(settings):
        write_settings_of(store, settings, asset)
        assert read_settings_of(store, asset) == settings_used(settings, asset)
    assert changed_since_made(store, settings) == {}


def test_changes_are_named_by_asset(tmp_path: Path) -> None:
    store = Store(UPath(tmp_path / "lake"))
    before = load_settings(write_profile(tmp_path, search={"n_points": 500, "top": 5}))
    for asset in (RULE, "optimal_params", "mixes/quadmix/final_mix"):
        write_settings_of(store, before, asset)
    after = load_settings(
        write_profile(
            tmp_path,
            search={"n_points": 700, "top": 5},
            mix={"max_breakpoints": 500},
            tokenizer={"vocab_size": 400},
        )
    )
    assert changed_since_made(store, after) == {
        "optimal_params": ["search.n_points: 500 -> 700"],
        RULE: ["mix.max_breakpoints: 20000 -> 500"],
    }
    write_settings_of(store, after, RULE)
    assert list(changed_since_made(store, after)) == ["optimal_params"]


def test_an_asset_that_was_never_made_has_none(tmp_path: Path) -> None:
    store = Store(UPath(tmp_path / "lake"))
    assert read_settings_of(store, "mixes/quadmix/final_mix") is None
    assert changed_since_made(store, load_settings(write_profile(tmp_path))) == {}


def test_an_unknown_asset_is_refused(tmp_path: Path) -> None:
    store = Store(UPath(tmp_path / "lake"))
    with pytest.raises(KeyError, match="final_mixx"):
        write_settings_of(store, load_settings(write_profile(tmp_path)), "final_mixx")
