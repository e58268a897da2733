from typing import Any

import numpy as np
import pytest

from quadmix_assets.sampling import Parameters, sample_parameters
from quadmix_assets.search.space import ThetaSpace
from quadmix_assets.search.strategies.base import Prediction, SearchResult
from quadmix_assets.search.strategies.cma_es import cma_es
from quadmix_assets.search.strategies.random_top_mean import random_top_mean
from quadmix_assets_tests.search.limits import constraints
from quadmix_assets_tests.search.swarm import N_CRITERIA, N_DOMAINS, OMEGA_MAX, true_losses

WEIGHTS = np.linspace(-1.0, 1.0, (N_CRITERIA + 4) * N_DOMAINS)


def certain(losses: np.ndarray) -> Prediction:
    return Prediction(losses, np.zeros(len(losses)))


def linear(thetas: Parameters) -> Prediction:
    return certain(np.array([row @ WEIGHTS for row in thetas.as_features()]))


def space(**changes: Any) -> ThetaSpace:
    values: dict[str, Any] = {
        "n_criteria": N_CRITERIA,
        "n_domains": N_DOMAINS,
        "n_tokens": np.ones(N_DOMAINS),
        "omega_max": OMEGA_MAX,
    }
    return ThetaSpace(**(values | changes))


def search(predict: Any = linear, **changes: Any) -> SearchResult:
    where = changes.pop("space", space())
    return random_top_mean(predict, where, **({"n_points": 500, "top": 7, "seed": 3} | changes))


@pytest.mark.parametrize("prior", ["log_uniform", "uniform"])
def test_is_the_mean_of_the_best_thetas(prior: Any) -> None:
    """Against all thetas at once, sorted."""
    result = search(space=space(lambda_prior=prior))
    everything = sample_parameters(
        500, N_CRITERIA, N_DOMAINS, seed=3, omega_max=OMEGA_MAX, lambda_prior=prior, stream="search"
    )
    losses = linear(everything).mean
    best = np.argsort(losses)[:7]
    np.testing.assert_array_equal(result.members_predicted, losses[best])
    np.testing.assert_array_equal(result.members.as_features(), everything[best].as_features())
    np.testing.assert_allclose(
        result.theta.as_features()[0], everything[best].as_features().mean(axis=0), rtol=1e-12
    )
    np.testing.assert_allclose(result.theta.alpha.sum(axis=2), 1.0, rtol=0, atol=1e-15)
    np.testing.assert_array_equal(result.drawn_predicted, losses.astype(np.float32))
    assert result.predicted == result.mean_predicted == linear(result.theta).mean[0]
    trace = result.trace
    assert trace["predicted"].is_sorted(descending=True)
    assert trace["predicted"][-1] == losses.min()
    assert trace["n_evaluated"][-1] == 500


def test_caution_counts_when_thetas_are_compared() -> None:
    def unsure(thetas: Parameters) -> Prediction:
        return Prediction(linear(thetas).mean, 5.0 * thetas.eta[:, 0])

    everything = space().draw(500, seed=3)
    result = search(unsure, caution=2.0)
    measure = linear(everything).mean + 10.0 * everything.eta[:, 0]
    best = np.argsort(measure)[:7]
    np.testing.assert_array_equal(result.members.as_features(), everything[best].as_features())
    last = result.trace.row(-1)
    assert last[0] == 500
    assert last[1] + 2.0 * last[2] == pytest.approx(measure.min())


def test_chunks_change_no_bit(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = search()
    monkeypatch.setattr("quadmix_assets.search.strategies.random_top_mean._CHUNK", 90)
    parts = search()
    np.testing.assert_array_equal(whole.theta.as_features(), parts.theta.as_features())
    np.testing.assert_array_equal(whole.drawn_predicted, parts.drawn_predicted)


def test_never_meets_the_thetas_of_the_proxies() -> None:
    seen: list[np.ndarray] = []

    def remember(thetas: Parameters) -> Prediction:
        seen.append(thetas.as_features())
        return linear(thetas)

    search(remember)
    proxies = sample_parameters(500, N_CRITERIA, N_DOMAINS, seed=3, omega_max=OMEGA_MAX)
    assert not np.isin(proxies.as_features(), np.concatenate(seen)).any()


def test_tells_whether_averaging_helped() -> None:
    """A bowl is best in its middle; between two valleys lies a hill."""

    def bowl(thetas: Parameters) -> Prediction:
        return certain((thetas.epsilon[:, -1] * 1_000 - 0.5) ** 2)

    assert search(bowl, top=50).mean_is_no_worse
    hill = search(lambda thetas: certain(-bowl(thetas).mean), top=50)
    assert not hill.mean_is_no_worse
    assert hill.predicted > hill.members_predicted.max()


def test_of_equal_predictions_the_earlier_theta_counts() -> None:
    result = search(lambda thetas: certain(np.ones(len(thetas))), top=3)
    first = space().draw(3, seed=3)
    np.testing.assert_array_equal(result.members.as_features(), first.as_features())


def true(thetas: Parameters) -> Prediction:
    return certain(true_losses(thetas))


def test_climbing_finds_more_than_drawing_and_repeats_itself() -> None:
    drawn = search(true, n_points=400, top=5)
    climbed = cma_es(true, space(), n_points=400, top=5, seed=3, caution=0.0)
    assert climbed.predicted < drawn.predicted - 0.5 * true_losses(space().draw(400, seed=3)).std()
    assert climbed.predicted == true(climbed.theta).mean[0]
    assert climbed.trace["n_evaluated"].is_sorted()
    assert climbed.trace["n_evaluated"][-1] > 400
    again = cma_es(true, space(), n_points=400, top=5, seed=3, caution=0.0)
    np.testing.assert_array_equal(again.theta.as_features(), climbed.theta.as_features())


def test_caution_stays_where_predictions_are_sure() -> None:
    """Beyond a border predictions are low, and worth nothing."""

    def tempting(thetas: Parameters) -> Prediction:
        far = thetas.eta.mean(axis=1) > 0.6
        bold = np.where(far, -10.0 * thetas.eta.mean(axis=1), 0.0)
        return Prediction(true_losses(thetas) + bold, np.where(far, 20.0, 0.0))

    options: dict[str, Any] = {"n_points": 300, "top": 5, "seed": 0}
    bold = cma_es(tempting, space(), **options, caution=0.0)
    careful = cma_es(tempting, space(), **options, caution=1.0)
    assert bold.standard_deviation == 20.0
    assert careful.standard_deviation == 0.0
    assert true_losses(careful.theta)[0] <= true_losses(space().draw(300, seed=0)).min()


def test_constraints_hold_for_all_that_is_predicted_and_for_the_result() -> None:
    limits = constraints(
        names=("a", "b", "c", "d"),
        n_criteria=N_CRITERIA,
        n_tokens=np.array([1e6, 2e6, 5e5, 1e5]),
        omega_max=OMEGA_MAX,
        budget=4e5,
        max_share={"b": 0.3},
    )
    bound = space(constraints=limits)

    def checked(thetas: Parameters) -> Prediction:
        np.testing.assert_allclose(limits.tokens(thetas).sum(axis=1), 4e5, rtol=1e-6)
        assert (thetas.omega <= OMEGA_MAX).all()
        return true(thetas)

    for result in (
        random_top_mean(checked, bound, n_points=200, top=5, seed=0),
        cma_es(checked, bound, n_points=200, top=5, seed=0, caution=1.0),
    ):
        share = limits.tokens(result.theta)[0] / 4e5
        assert share[1] <= 0.3 + 1e-6


def test_wrong_input_is_named() -> None:
    with pytest.raises(ValueError, match="top is 501; expected from 1 to n_points, which is 500"):
        search(top=501)
    with pytest.raises(ValueError, match="top is 0"):
        search(top=0)
    with pytest.raises(ValueError, match=r"predicted losses\[0\] is nan"):
        search(lambda thetas: certain(np.full(len(thetas), np.nan)))
    with pytest.raises(
        ValueError, match=r"predicted losses has shape \(500, 1\); expected \(500\)"
    ):
        search(lambda thetas: Prediction(np.ones((len(thetas), 1)), np.ones(len(thetas))))
    with pytest.raises(ValueError, match=r"standard_deviations\[0\] is -1"):
        search(lambda thetas: Prediction(np.ones(len(thetas)), -np.ones(len(thetas))))
