import io

import numpy as np
import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from quadmix_assets.proxies.ranks import for_each_theta, rank_table, select_documents
from quadmix_assets.sampling import PoolDraw, PoolIndex, Theta, sample_parameters
from quadmix_assets_tests.sampling.pools import N_DOMAINS, Pool, large_pool, pools, thetas

MANY = 1_000_000


def index_of(pool: Pool, n_domains: int = N_DOMAINS) -> PoolIndex:
    return PoolIndex.build(pool.sigma, pool.domains, pool.tokens, n_domains)


@given(pools, thetas, st.integers(0, 3), st.sampled_from([2, 3, MANY]))
def test_selection_by_the_table_is_that_of_the_public_functions(
    pool: Pool, theta: Theta, seed: int, max_breakpoints: int
) -> None:
    copies = pool.copies(theta, seed)
    index = index_of(pool)
    draw = PoolDraw(index, pool.hashes, seed, max_epsilon=theta.epsilon.max())
    table = rank_table(index, theta, 5, max_breakpoints=max_breakpoints)
    selected = select_documents(draw, theta, table, 5)
    assert selected["document"].to_list() == np.flatnonzero(copies).tolist()
    assert selected["copies"].to_list() == copies[copies > 0].tolist()
    assert set(selected["theta_id"]) <= {5}


@given(pools, thetas)
def test_table_holds_the_ranks_up_to_omega_once_each(pool: Pool, theta: Theta) -> None:
    merged, ranks = pool.ranked(theta)
    inside = ranks <= theta.omega[pool.domains]
    expected = sorted(
        {
            (int(domain), float(score) + 0.0, float(rank))
            for domain, score, rank in zip(
                pool.domains[inside], merged[inside], ranks[inside], strict=True
            )
        }
    )
    table = rank_table(index_of(pool), theta, 7, max_breakpoints=MANY)
    assert table.select("domain", "merged_score", "rank").rows() == expected
    assert table["theta_id"].to_list() == [7] * len(expected)


def test_a_thinned_table_keeps_the_ends_and_even_steps_of_rank() -> None:
    pool = large_pool(np.random.default_rng(0), 30_000, 3, ties=False)
    index = index_of(pool, 3)
    theta = sample_parameters(1, 3, 3, seed=0, omega_max=1.0)[0]
    whole = rank_table(index, theta, 0, max_breakpoints=MANY)
    thin = rank_table(index, theta, 0, max_breakpoints=11)
    for domain in range(3):
        rows = whole.filter(pl.col("domain") == domain)
        kept = thin.filter(pl.col("domain") == domain)
        assert kept.height == 11 < rows.height
        assert kept.join(rows, on=kept.columns, how="semi").height == 11
        assert (kept.row(0), kept.row(-1)) == (rows.row(0), rows.row(-1))
        ranks = kept["rank"].to_numpy()
        # No step is longer than an even one by more than the tokens of one document.
        assert np.diff(ranks).max() < np.ptp(ranks) / 10 + rows["rank"].diff().max()


@given(pools, thetas)
def test_table_may_go_through_a_file_with_others(pool: Pool, theta: Theta) -> None:
    """As the graph does it: all thetas of a batch in one Parquet file, filtered by number."""
    other = Theta(theta.alpha[::-1], *(values[::-1] for values in theta[1:5]))
    index = index_of(pool)
    batch = {1: other, 2: theta, 3: other}
    tables = for_each_theta(
        batch,
        lambda number, one: rank_table(index, one, number, max_breakpoints=3),
        n_threads=2,
    )
    assert [set(table["theta_id"]) <= {n} for n, table in zip(batch, tables, strict=True)] == [
        True
    ] * 3
    file = io.BytesIO()
    pl.concat(tables).write_parquet(file)
    file.seek(0)
    read = pl.read_parquet(file).filter(pl.col("theta_id") == 2)
    draw = PoolDraw(index, pool.hashes, 0, max_epsilon=theta.epsilon.max())
    direct = select_documents(draw, theta, tables[1], 2)
    assert select_documents(draw, theta, read, 2).equals(direct)
