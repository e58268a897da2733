from typing import Any

import numpy as np
import pytest

from quadmix_assets.sampling import sample_parameters
from quadmix_assets.search import SearchResult, fit_lightgbm, search_random_top_mean
from quadmix_assets_tests.search.swarm import N_CRITERIA, N_DOMAINS, OMEGA_MAX, make_swarm

WEIGHTS = np.linspace(-1.0, 1.0, (N_CRITERIA + 4) * N_DOMAINS)


def linear(features: np.ndarray) -> np.ndarray:
    return np.array([row @ WEIGHTS for row in features])


def search(predict: Any = linear, **change: Any) -> SearchResult:
    arguments = {
        "n_points": 500,
        "top": 7,
        "seed": 3,
        "n_criteria": N_CRITERIA,
        "n_domains": N_DOMAINS,
        "omega_max": OMEGA_MAX,
        "chunk": 90,
    }
    return search_random_top_mean(predict, **(arguments | change))


@pytest.mark.parametrize("prior", ["log_uniform", "uniform"])
def test_is_the_mean_of_the_best_thetas(prior: Any) -> None:
    """Against all thetas at once, sorted."""
    result = search(lambda_prior=prior)
    everything = sample_parameters(
        500,
        N_CRITERIA,
        N_DOMAINS,
        seed=3,
        omega_max=OMEGA_MAX,
        lambda_prior=prior,
        stream="search",
    )
    losses = linear(everything.as_features())
    best = np.argsort(losses)[:7]
    np.testing.assert_array_equal(result.members_predicted, losses[best])
    np.testing.assert_array_equal(result.members.as_features(), everything[best].as_features())
    np.testing.assert_allclose(
        result.theta.as_features()[0], everything[best].as_features().mean(axis=0), rtol=1e-12
    )
    np.testing.assert_allclose(result.theta.alpha.sum(axis=2), 1.0, rtol=0, atol=1e-15)
    np.testing.assert_array_equal(result.predicted, losses.astype(np.float32))
    assert result.predicted_loss == linear(result.theta.as_features())[0]


def test_chunks_change_no_bit() -> None:
    one, other = search(chunk=1), search(chunk=10_000)
    np.testing.assert_array_equal(one.theta.as_features(), other.theta.as_features())
    np.testing.assert_array_equal(one.predicted, other.predicted)


def test_never_meets_the_thetas_of_the_proxies() -> None:
    seen: list[np.ndarray] = []

    def remember(features: np.ndarray) -> np.ndarray:
        seen.append(features)
        return linear(features)

    search(remember)
    searched = np.concatenate(seen)
    proxies = sample_parameters(500, N_CRITERIA, N_DOMAINS, seed=3, omega_max=OMEGA_MAX)
    assert len(searched) > 500
    assert not np.isin(proxies.as_features(), searched).any()


def test_tells_whether_averaging_helped() -> None:
    """A bowl is best in its middle; between two valleys lies a hill."""

    def bowl(features: np.ndarray) -> np.ndarray:
        return ((features[:, -1] * 1_000 - 0.5) ** 2).astype(float)

    assert search(bowl, top=50).mean_is_no_worse
    hill = search(lambda features: -bowl(features), top=50)
    assert not hill.mean_is_no_worse
    assert hill.predicted_loss > hill.members_predicted.max()


def test_of_equal_predictions_the_earlier_theta_counts() -> None:
    result = search(lambda features: np.ones(len(features)), top=3)
    first = sample_parameters(
        3, N_CRITERIA, N_DOMAINS, seed=3, omega_max=OMEGA_MAX, stream="search"
    )
    np.testing.assert_array_equal(result.members.as_features(), first.as_features())


def test_beats_the_best_of_the_swarm_it_learned_from() -> None:
    """theta* of a regressor of 300 proxies, judged by the formula that made their losses."""
    features, losses = make_swarm(300)
    result = search(fit_lightgbm(features, losses, seed=0).predict, n_points=20_000, top=10)
    true = make_swarm(1, thetas=result.theta)[1][0]
    assert true < np.quantile(losses, 0.01)


def test_wrong_input_is_named() -> None:
    with pytest.raises(ValueError, match="top is 501; expected from 1 to n_points, which is 500"):
        search(top=501)
    with pytest.raises(ValueError, match="top is 0"):
        search(top=0)
    with pytest.raises(ValueError, match="chunk is 0; expected 1 or more"):
        search(chunk=0)
    with pytest.raises(ValueError, match=r"predicted losses\[0\] is nan"):
        search(lambda features: np.full(len(features), np.nan))
    with pytest.raises(ValueError, match=r"predicted losses has shape \(90, 1\); expected \(90\)"):
        search(lambda features: np.ones((len(features), 1)))
