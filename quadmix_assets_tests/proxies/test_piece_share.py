import json
from pathlib import Path

import numpy as np
import pytest

from quadmix_assets.outputs import PROXY_POOL
from quadmix_assets.proxies.parameter_sets import read_round, write_parameter_sets
from quadmix_assets.proxies.piece_share import expected_tokens, piece_share
from quadmix_assets.sampling import PoolDraw, PoolIndex
from quadmix_assets.settings import Settings
from quadmix_assets.store import Store, atomic_folder
from quadmix_assets.training.token_file import TokenFile
from quadmix_assets.training.window_stream import WindowStream
from quadmix_assets_tests.proxies.thetas import make_settings
from quadmix_assets_tests.sampling.pools import large_pool

POOL = large_pool(np.random.default_rng(0), 20_000, 10, ties=False)


def make_store(settings: Settings) -> tuple[Store, np.ndarray, PoolIndex]:
    """A lake with thetas and the index of a proxy pool, and the tokens of its domains."""
    store = Store(settings.resolve(settings.lake))
    write_parameter_sets(store, settings)
    index = PoolIndex.build(POOL.sigma, POOL.domains, POOL.tokens, len(settings.domain_names))
    names = {"criteria": settings.criterion_names, "domains": settings.domain_names}
    with atomic_folder(store.root / PROXY_POOL) as folder:
        index.save(folder / "index")
        (folder / "axes.json").write_text(json.dumps(names))
    return store, index.n_tokens.astype(np.float64), index


def make(folder: Path, target_epochs: float | None, n_tokens: int = 50_000) -> Settings:
    training = {"architecture": "tiny", "n_tokens_per_proxy": n_tokens, "context": 16}
    return make_settings(folder, proxies={"target_epochs": target_epochs, "training": training})


def test_expected_tokens_are_those_of_a_draw(tmp_path: Path) -> None:
    settings = make(tmp_path, 1.0)
    store, n_tokens, index = make_store(settings)
    thetas = read_round(store, settings, 0)
    draw = PoolDraw(index, POOL.hashes, 3, max_epsilon=0.001)
    drawn = []
    for theta in thetas:
        taken = draw.copies(theta)
        drawn.append((POOL.tokens[taken.documents] * taken.copies).sum())
    expected = expected_tokens(thetas, n_tokens)
    np.testing.assert_allclose(drawn, expected, rtol=0.05)


@pytest.mark.parametrize("target_epochs", [0.5, 1.0, 4.0])
def test_a_sample_of_median_size_lasts_for_the_epochs(tmp_path: Path, target_epochs: float) -> None:
    settings = make(tmp_path, target_epochs)
    store, n_tokens, _ = make_store(settings)
    share = piece_share(store, settings)
    assert 0 < share < 1
    sizes = expected_tokens(read_round(store, settings, 0), n_tokens)
    assert 50_000 / (share * np.median(sizes)) == pytest.approx(target_epochs)
    # Read by the stream, with a sample of just that size.
    lengths = np.full(5_000, round(float(np.median(sizes)) / 5_000))
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    stream = WindowStream(
        TokenFile(np.ones(offsets[-1], np.uint16), offsets),
        np.arange(5_000),
        np.ones(5_000, np.int64),
        POOL.hashes[:5_000],
        seed=1,
        context=16,
        separator_id=0,
        piece_share=share,
    )
    stream.read(50_000 // 16)
    assert stream.epochs == pytest.approx(target_epochs, rel=0.1)


def test_longer_trainings_read_more_of_their_samples(tmp_path: Path) -> None:
    settings = make(tmp_path, 1.0)
    store, _, _ = make_store(settings)
    share = piece_share(store, settings)
    twice = piece_share(store, settings, n_tokens_per_proxy=100_000)
    assert twice == pytest.approx(2 * share)
    assert piece_share(store, settings, n_tokens_per_proxy=10**12) == 1.0
    assert piece_share(store, make(tmp_path, None)) == 1.0
