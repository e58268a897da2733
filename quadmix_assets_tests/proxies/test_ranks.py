import io

import numpy as np
import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from quadmix_assets.proxies.ranks import ProxyDocuments, rank_table, select_documents
from quadmix_assets.sampling import (
    Theta,
    draw_copies,
    merge_scores,
    rank_within_domains,
    sampling_value,
)

N_CRITERIA, N_DOMAINS = 2, 4
# Few values, so that documents tie; documents without tokens, and domains without documents.
sigmas = st.sampled_from([0.0, -0.0, 0.1, 0.25, 0.3, 1.0])
rows_of_documents = st.lists(
    st.tuples(st.integers(0, 2), st.integers(0, 4), sigmas, sigmas), min_size=1, max_size=40
)


def pool_of(rows: list[tuple[int, int, float, float]]) -> ProxyDocuments:
    domains, n_tokens, *sigma = (np.array(column) for column in zip(*rows, strict=True))
    return ProxyDocuments(
        id_hashes=np.arange(len(rows), dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15),
        domains=domains.astype(np.int32),
        n_tokens=n_tokens,
        sigma=np.column_stack(sigma),
    )


documents = rows_of_documents.map(pool_of)
thetas = st.builds(
    lambda share, lam, omega, eta, epsilon: Theta(
        np.array([[s, 1 - s] for s in share]), *map(np.array, (lam, omega, eta, epsilon))
    ),
    st.lists(st.sampled_from([0.0, 0.3, 0.5, 1.0]), min_size=N_DOMAINS, max_size=N_DOMAINS),
    st.lists(st.sampled_from([0.0, 1.0, 300.0]), min_size=N_DOMAINS, max_size=N_DOMAINS),
    st.lists(st.sampled_from([0.0, 0.2, 0.5, 1.0]), min_size=N_DOMAINS, max_size=N_DOMAINS),
    st.lists(st.sampled_from([0.0, 0.7, 0.95, 1.0]), min_size=N_DOMAINS, max_size=N_DOMAINS),
    st.lists(st.sampled_from([0.0, 0.001, 0.5]), min_size=N_DOMAINS, max_size=N_DOMAINS),
)


def ranks_of(pool: ProxyDocuments, theta: Theta) -> tuple[np.ndarray, np.ndarray]:
    merged = merge_scores(pool.sigma, pool.domains, theta.alpha)
    return merged, rank_within_domains(merged, pool.domains, pool.n_tokens)


@given(documents, thetas, st.integers(0, 3))
def test_selection_by_the_table_is_that_of_the_public_functions(
    pool: ProxyDocuments, theta: Theta, seed: int
) -> None:
    _, ranks = ranks_of(pool, theta)
    copies = draw_copies(sampling_value(ranks, pool.domains, *theta[1:]), pool.id_hashes, seed)
    selected = select_documents(pool, theta, rank_table(pool, theta, 5), 5, seed=seed)
    assert selected["document"].to_list() == np.flatnonzero(copies).tolist()
    assert selected["copies"].to_list() == copies[copies > 0].tolist()
    assert set(selected["theta"]) <= {5}


@given(documents, thetas)
def test_table_holds_the_ranks_up_to_omega_once_each(pool: ProxyDocuments, theta: Theta) -> None:
    merged, ranks = ranks_of(pool, theta)
    inside = ranks <= theta.omega[pool.domains]
    expected = sorted(
        {
            (int(domain), float(score) + 0.0, float(rank))
            for domain, score, rank in zip(
                pool.domains[inside], merged[inside], ranks[inside], strict=True
            )
        }
    )
    table = rank_table(pool, theta, 7)
    assert table.select("domain", "merged_score", "rank").rows() == expected
    assert table["theta"].to_list() == [7] * len(expected)


@given(documents, thetas)
def test_table_may_go_through_a_file_with_others(pool: ProxyDocuments, theta: Theta) -> None:
    """As the graph does it: all thetas of a batch in one Parquet file, filtered by number."""
    other = Theta(theta.alpha[::-1], *(values[::-1] for values in theta[1:]))
    tables = [rank_table(pool, other, 1), rank_table(pool, theta, 2), rank_table(pool, other, 3)]
    file = io.BytesIO()
    pl.concat(tables).write_parquet(file)
    file.seek(0)
    read = pl.read_parquet(file).filter(pl.col("theta") == 2)
    direct = select_documents(pool, theta, tables[1], 2, seed=0)
    assert select_documents(pool, theta, read, 2, seed=0).equals(direct)


def test_omega_of_one_takes_a_domain_whole_and_zero_takes_none() -> None:
    rng = np.random.default_rng(0)
    pool = ProxyDocuments(
        rng.integers(0, 2**63, 150).astype(np.uint64),
        rng.integers(1, 50, 150),
        np.repeat([0, 1, 2], 50).astype(np.int32),
        rng.random((150, N_CRITERIA)),
    )
    zeros = np.zeros(3)
    theta = Theta(np.full((3, 2), 0.5), zeros, np.array([1.0, 0.0, 0.97]), zeros, zeros)
    table = rank_table(pool, theta, 0)
    _, ranks = ranks_of(pool, theta)
    best_of_third = np.flatnonzero((pool.domains == 2) & (ranks <= 0.97)).tolist()
    assert 40 < len(best_of_third) < 50
    assert table["domain"].to_list() == [0] * 50 + [2] * len(best_of_third)
    assert table["rank"][49] == 1.0
    selected = select_documents(pool, theta, table, 0, seed=0)
    assert selected["document"].to_list() == [*range(50), *best_of_third]
    assert set(selected["copies"]) == {1}
