import numpy as np
import polars as pl
import pytest

from quadmix_assets.sampling import (
    Parameters,
    PoolDraw,
    PoolIndex,
    expectation,
    merge_scores,
    rank_within_domains,
    sample_parameters,
    sampling_value,
)
from quadmix_assets.search.regressor_inputs import MixtureInputs, PoolDocuments, ThetaInputs
from quadmix_assets_tests.sampling.pools import Pool, large_pool

CRITERIA, DOMAINS = ["a", "b", "c"], ["law", "news", "food", "unknown"]


@pytest.fixture(scope="module")
def pool() -> Pool:
    return large_pool(np.random.default_rng(0), 12_000, 3, ties=False)


def inputs_of(pool: Pool) -> MixtureInputs:
    """The domain `unknown` has no documents."""
    index = PoolIndex.build(pool.sigma, pool.domains, pool.tokens, 4)
    return MixtureInputs.of(index, CRITERIA, DOMAINS)


def column(inputs: MixtureInputs, matrix: np.ndarray, name: str) -> np.ndarray:
    return matrix[:, list(inputs.names).index(name)]


def test_shares_and_tokens_are_integrals_of_the_sampling_functions(pool: Pool) -> None:
    thetas = sample_parameters(9, 3, 4, seed=0, omega_max=0.5)
    inputs = inputs_of(pool)
    matrix = inputs(thetas)
    assert matrix.shape == (9, len(inputs.names)) == (9, 4 + 3 + 1 + 12)
    tokens = np.bincount(pool.domains, weights=pool.tokens, minlength=4)
    taken = tokens * expectation(thetas.lam, thetas.omega, thetas.eta, thetas.epsilon).epochs
    for m, name in enumerate(DOMAINS):
        found = column(inputs, matrix, f"share[{name}]")
        np.testing.assert_allclose(found, taken[:, m] / taken.sum(axis=1), rtol=1e-9)
    np.testing.assert_allclose(column(inputs, matrix, "log_tokens"), np.log(taken.sum(axis=1)))


@pytest.mark.parametrize("scale_max", [1.0, 5.0])
def test_quality_is_that_of_the_mix_over_the_whole_pool(pool: Pool, scale_max: float) -> None:
    """Estimated on a part of the pool; the truth by Equations 1 to 3 on all of it."""
    thetas = sample_parameters(40, 3, 4, seed=1, omega_max=0.5, scale_max=scale_max)
    inputs = inputs_of(pool)
    matrix = inputs(thetas)
    whole = np.array(
        [np.average(pool.sigma[pool.domains == m], axis=0, weights=pool.tokens[pool.domains == m])
         for m in range(3)]
    )  # fmt: skip
    truth, gains = [], []
    for theta in thetas:
        merged = merge_scores(pool.sigma, pool.domains, theta.alpha)
        ranks = rank_within_domains(merged, pool.domains, pool.tokens)
        taken = sampling_value(ranks, pool.domains, *theta[1:]) * pool.tokens
        truth.append(taken @ pool.sigma / taken.sum())
        mine = pool.domains == 1
        mean = taken[mine] @ pool.sigma[mine] / taken[mine].sum()
        gains.append(taken[mine].sum() / taken.sum() * (mean - whole[1]))
    for n, name in enumerate(CRITERIA):
        for found, true in (
            (column(inputs, matrix, f"sigma[{name}]"), np.array(truth)[:, n]),
            (column(inputs, matrix, f"gain[news,{name}]"), np.array(gains)[:, n]),
        ):
            assert np.corrcoef(found, true)[0, 1] > 0.97
            assert np.abs(found - true).mean() < 0.25 * true.std()


def test_chunks_change_no_bit(pool: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    thetas = sample_parameters(23, 3, 4, seed=2)
    whole = inputs_of(pool)(thetas)
    monkeypatch.setattr("quadmix_assets.search.regressor_inputs._CHUNK", 5 * 8_192)
    np.testing.assert_allclose(inputs_of(pool)(thetas), whole, rtol=1e-12)
    assert inputs_of(pool)(thetas[:0]).shape == (0, whole.shape[1])


def test_a_domain_that_is_hardly_taken_hardly_shows(pool: Pool) -> None:
    """Its other parameters move no column, as they move no mix: theta's own entries do."""
    thetas = sample_parameters(2, 3, 4, seed=3)
    arrays = {name: getattr(thetas, name).copy() for name in ("alpha", *thetas.beta)}
    for name in ("alpha", "lam", "omega", "eta", "epsilon"):
        arrays[name][1] = arrays[name][0]
    arrays["omega"][:, 2] = 0.0
    arrays["epsilon"][:, 2] = 0.0
    arrays["alpha"][1, 2] = [0.0, 0.0, 1.0]
    arrays["lam"][1, 2], arrays["eta"][1, 2] = 999.0, 1.0
    pair = Parameters(**arrays)
    inputs = inputs_of(pool)
    one, other = inputs(pair)
    np.testing.assert_allclose(one, other, atol=1e-12)
    names = ThetaInputs(CRITERIA, DOMAINS, scaled=False)
    assert (names(pair)[0] != names(pair)[1]).sum() == 5


def test_entries_of_theta_are_the_papers() -> None:
    thetas = sample_parameters(3, 3, 4, seed=0, scale_max=2.0)
    plain = ThetaInputs(CRITERIA, DOMAINS, scaled=True)
    np.testing.assert_array_equal(plain(thetas), thetas.as_features(scaled=True))
    assert len(plain.names) == plain(thetas).shape[1] == 32


def documents_of(pool: Pool) -> PoolDocuments:
    columns = {"id_hash": pool.hashes, "domain": pool.domains}
    sigma = {f"sigma_{name}": pool.sigma[:, n] for n, name in enumerate(CRITERIA)}
    return PoolDocuments.of({**columns, **sigma}, CRITERIA)


def reads_of(pool: Pool, n_tokens: dict[int, np.ndarray]) -> pl.DataFrame:
    """What proxies read, from the tokens (D,) by theta_id."""
    frames = [
        pl.DataFrame(
            {"theta_id": theta_id, "id_hash": pool.hashes[was], "n_tokens": tokens[was]},
            schema={"theta_id": pl.Int32, "id_hash": pl.UInt64, "n_tokens": pl.Float64},
        )
        for theta_id, tokens in n_tokens.items()
        for was in (tokens > 0,)
    ]
    return pl.concat(frames)


def test_what_was_read_is_described_as_it_was(pool: Pool) -> None:
    rng = np.random.default_rng(4)
    inputs = inputs_of(pool)
    read = {n: pool.tokens * rng.integers(0, 4, len(pool.tokens)) * 1.0 for n in (3, 8)}
    read[8][pool.domains == 1] = 0.0
    samples = pl.DataFrame(
        {"theta_id": [8, 3], "n_tokens_sample": [5_000, 70_000]},
        schema_overrides={"theta_id": pl.Int32},
    )
    # A document that the pool does not hold, and a proxy that is not asked for.
    more = pl.DataFrame(
        {"theta_id": [3, 9], "id_hash": [1, int(pool.hashes[0])], "n_tokens": [99.0, 5.0]},
        schema={"theta_id": pl.Int32, "id_hash": pl.UInt64, "n_tokens": pl.Float64},
    )
    reads = pl.concat([reads_of(pool, read), more])
    matrix = inputs.realised(documents_of(pool), reads, samples)
    assert matrix.shape == (2, len(inputs.names))
    np.testing.assert_allclose(column(inputs, matrix, "log_tokens"), np.log([5_000.0, 70_000.0]))
    for row, theta_id in enumerate((8, 3)):
        tokens = read[theta_id]
        for m, name in enumerate(DOMAINS):
            share = tokens[pool.domains == m].sum() / tokens.sum()
            found = column(inputs, matrix, f"share[{name}]")[row]
            assert found == pytest.approx(share)
        for n, name in enumerate(CRITERIA):
            found = column(inputs, matrix, f"sigma[{name}]")[row]
            assert found == pytest.approx(tokens @ pool.sigma[:, n] / tokens.sum())
            gain = column(inputs, matrix, f"gain[news,{name}]")[row]
            mine = pool.domains == 1
            if theta_id == 8:
                assert gain == 0.0
            else:
                mean = tokens[mine] @ pool.sigma[mine, n] / tokens[mine].sum()
                whole = np.average(pool.sigma[mine, n], weights=pool.tokens[mine])
                expected = tokens[mine].sum() / tokens.sum() * (mean - whole)
                assert gain == pytest.approx(expected, abs=2e-3)


def test_what_many_draws_read_is_in_the_mean_what_is_expected(pool: Pool) -> None:
    inputs, documents = inputs_of(pool), documents_of(pool)
    thetas = sample_parameters(8, 3, 4, seed=5, omega_max=0.5)
    draw = PoolDraw(
        PoolIndex.build(pool.sigma, pool.domains, pool.tokens, 4), pool.hashes, 0, max_epsilon=0.001
    )
    read = {}
    for theta_id, theta in enumerate(thetas):
        tokens = np.zeros(len(pool.tokens))
        for seed in range(20):
            taken = draw.with_seed(seed).copies(theta)
            tokens[taken.documents] += pool.tokens[taken.documents] * taken.copies
        read[theta_id] = tokens
    samples = pl.DataFrame(
        {"theta_id": list(read), "n_tokens_sample": [t.sum() / 20 for t in read.values()]},
        schema_overrides={"theta_id": pl.Int32},
    )
    realised = inputs.realised(documents, reads_of(pool, read), samples)
    # Single large documents at the border of omega are all that differs.
    assert np.abs(realised - inputs(thetas)).mean() < 0.01
    assert np.abs(realised - inputs(thetas)).max() < 0.1
