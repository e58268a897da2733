import io

import numpy as np
import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from quadmix_assets.proxies.ranks import rank_thetas
from quadmix_assets.proxies.samples import select_documents, tokens_per_theta
from quadmix_assets.sampling import PoolDraw, PoolIndex, Theta
from quadmix_assets_tests.sampling.pools import N_DOMAINS, Pool, pools, thetas


def index_of(pool: Pool) -> PoolIndex:
    return PoolIndex.build(pool.sigma, pool.domains, pool.tokens, N_DOMAINS)


@given(pools, thetas, st.integers(0, 3))
def test_selection_below_the_border_is_that_of_the_public_functions(
    pool: Pool, theta: Theta, seed: int
) -> None:
    copies = pool.copies(theta, seed)
    index = index_of(pool)
    draw = PoolDraw(index, pool.hashes, 9, max_epsilon=theta.epsilon.max())
    table = rank_thetas(index, {5: theta}, n_threads=1)
    selected = select_documents(draw, {5: theta}, table, {5: seed}, n_threads=1)
    assert selected["document"].to_list() == np.flatnonzero(copies).tolist()
    assert selected["copies"].to_list() == copies[copies > 0].tolist()
    assert set(selected["theta_id"]) <= {5}
    assert tokens_per_theta(selected, [4, 5], pool.tokens).tolist() == [
        0,
        int((pool.tokens * copies).sum()),
    ]


@given(pools, thetas)
def test_the_border_is_the_worst_document_within_omega(pool: Pool, theta: Theta) -> None:
    merged, ranks = pool.ranked(theta)
    inside = ranks <= theta.omega[pool.domains]
    expected = []
    for domain in range(N_DOMAINS):
        of_domain = inside & (pool.domains == domain)
        if of_domain.any():
            expected.append((7, domain, merged[of_domain].max() + 0.0, ranks[of_domain].max()))
    assert rank_thetas(index_of(pool), {7: theta}, n_threads=1).rows() == expected


@given(pools, thetas)
def test_tables_of_a_batch_go_through_a_file(pool: Pool, theta: Theta) -> None:
    other = Theta(theta.alpha[::-1], *(values[::-1] for values in theta[1:5]))
    index = index_of(pool)
    batch = {1: other, 2: theta, 3: other}
    table = rank_thetas(index, batch, n_threads=2)
    assert set(table["theta_id"]) <= set(batch)
    assert table["theta_id"].is_sorted()
    file = io.BytesIO()
    table.write_parquet(file)
    file.seek(0)
    max_epsilon = max(float(one.epsilon.max()) for one in batch.values())
    draw = PoolDraw(index, pool.hashes, 0, max_epsilon=max_epsilon)
    seeds = {1: 5, 2: 6, 3: 7}
    of_batch = select_documents(draw, batch, pl.read_parquet(file), seeds, n_threads=2)
    alone = select_documents(draw, {2: theta}, table, seeds, n_threads=1)
    assert of_batch.filter(pl.col("theta_id") == 2).equals(alone)
