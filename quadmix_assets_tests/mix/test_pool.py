"""The pool of a mix as it is read in parts and held at once."""

from pathlib import Path

import numpy as np
import pytest
from upath import UPath

from quadmix_assets.features.normalizers import fit_normalizer
from quadmix_assets.features.scored_documents import read_scored
from quadmix_assets.mix.documents import Documents
from quadmix_assets.mix.pool import PoolOfShards
from quadmix_assets.sampling import hash_ids
from quadmix_assets.store import Store
from quadmix_assets_tests.lakes import put_raw, put_scored

DOMAINS = ("law", "cooking", "unknown")
SIZES = {"a": 40, "b": 0, "c": 25}


@pytest.fixture
def pool(tmp_path: Path) -> PoolOfShards:
    store = Store(UPath(tmp_path / "lake"))
    rng = np.random.default_rng(0)
    for key, n in SIZES.items():
        put_raw(store, key, [{"id": f"{key}{i}", "text": "words"} for i in range(n)])
        domains = rng.choice(DOMAINS, n).tolist()
        put_scored(store, key, {"x": rng.normal(size=n)}, domains, rng.integers(0, 50, n))
    sigma = fit_normalizer("rank", rng.normal(size=99), np.ones(99, int), max_breakpoints=50)
    return PoolOfShards(store, tuple(SIZES), ("x",), DOMAINS, {"x": sigma})


def expected(pool: PoolOfShards, left_out: tuple[str, ...] = ()) -> Documents:
    scored = read_scored(pool.store, pool.shards, ["x"], DOMAINS)
    documents = Documents(scored, ("x",), DOMAINS, pool.normalizers)
    return documents.where(~scored.ids.is_in(left_out).to_numpy())


def require_equal(found: list[Documents], documents: Documents, *, hashed: bool) -> None:
    for name in ("n_tokens", "domains", *(["id_hashes"] if hashed else [])):
        column = np.concatenate([getattr(part, name) for part in found])
        np.testing.assert_array_equal(column, getattr(documents, name))
    sigma = np.concatenate([part.sigma("x") for part in found])
    np.testing.assert_array_equal(sigma, documents.sigma("x"))


def test_parts_are_the_shards(pool: PoolOfShards) -> None:
    for hashed in (False, True):
        parts = list(pool.parts(hashed=hashed))
        assert [len(part) for part in parts] == list(SIZES.values())
        require_equal(parts, expected(pool), hashed=hashed)


def test_what_is_left_out_is_in_no_part(pool: PoolOfShards) -> None:
    left_out = ("c3", "a1", "a39", "elsewhere")
    kept = pool.without(hash_ids(left_out))
    documents = expected(pool, left_out)
    assert len(documents) == 62
    for hashed in (False, True):
        require_equal(list(kept.parts(hashed=hashed)), documents, hashed=True)
    require_equal([kept.whole()], documents, hashed=True)
    assert len(pool.whole()) == 65


def test_a_pool_that_is_held_is_not_read_again(pool: PoolOfShards) -> None:
    held = pool.whole()
    require_equal([held], expected(pool), hashed=True)
    pool.store.remove_folder(pool.store.root / "scored_shards")
    require_equal(list(pool.parts(hashed=True)), held, hashed=True)
    assert pool.whole() is held
