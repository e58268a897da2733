from pathlib import Path

import pytest

from quadmix_assets.outputs import PROXY_POOL, TARGET_SETS
from quadmix_assets.proxies.parameter_sets import write_parameter_sets
from quadmix_assets.settings import Settings
from quadmix_assets.store import Store
from quadmix_assets_tests.proxies.thetas import make_settings


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return make_settings(tmp_path)


@pytest.fixture
def store(settings: Settings) -> Store:
    store = Store(settings.resolve(settings.lake))
    write_parameter_sets(store, settings)
    store.write_json(store.path(PROXY_POOL, "tokens.json"), "pool")
    store.write_json(store.path(TARGET_SETS, "planted.json"), "targets")
    return store
