"""The search for theta*: the mean of the best of many random thetas, as the paper does it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from quadmix_assets.sampling.parameters import LambdaPrior, Parameters, sample_parameters
from quadmix_assets.sampling.validation import FloatArray, check_floats

Predict = Callable[[FloatArray], NDArray[Any]]


@dataclass(frozen=True, eq=False)
class SearchResult:
    """theta* and how it was found.

    Attributes:
        theta: one row, theta*.
        predicted_loss: what the regressor predicts for theta*, in nats.
        members: the `top` thetas whose mean theta* is, best first.
        members_predicted: (top,) predicted losses of the members, in nats, ascending.
        mean_is_no_worse: whether theta* is predicted to be at least as good as its members are on
            average. Where it is not, averaging has left the valley they lie in.
        predicted: (n_points,) float32, predicted losses of all thetas searched, in nats.
    """

    theta: Parameters
    predicted_loss: float
    members: Parameters
    members_predicted: FloatArray
    mean_is_no_worse: bool
    predicted: NDArray[np.float32]


def search_random_top_mean(
    predict: Predict,
    *,
    n_points: int = 100_000,
    top: int = 10,
    seed: int,
    n_criteria: int,
    n_domains: int,
    omega_max: float,
    lambda_prior: LambdaPrior = "log_uniform",
    chunk: int = 10_000,
) -> SearchResult:
    """Predict the loss of `n_points` thetas of Algorithm 1; theta* is the mean of the best `top`.

    The thetas come from the stream "search" of `sample_parameters`. It is independent of the stream
    the proxies' thetas come from, so the same seed never meets a theta the regressor was trained
    on. Rows of alpha are brought back to sum 1 after averaging. Of equal predictions the earlier
    theta counts as better.

    Args:
        predict: features (n, (N + 4) * M), as `Parameters.as_features` lays them out, to predicted
            losses (n,) in nats; smaller is better.
        n_points: thetas to predict.
        top: how many of the best are averaged, at most n_points.
        seed: of the thetas.
        n_criteria: N.
        n_domains: M.
        omega_max: upper end of omega, as for the proxies: beyond it the regressor has seen nothing.
        lambda_prior: as for the proxies.
        chunk: thetas held in memory at once; does not change the result.

    Raises:
        ValueError: `top` or `chunk` out of range, a prediction that is NaN or infinite or of a
            wrong shape, or as in `sample_parameters`.
    """
    if not 1 <= top <= n_points:
        raise ValueError(f"top is {top}; expected from 1 to n_points, which is {n_points}")
    if chunk < 1:
        raise ValueError(f"chunk is {chunk}; expected 1 or more")

    def thetas(start: int, n: int) -> FloatArray:
        drawn = sample_parameters(
            n,
            n_criteria,
            n_domains,
            seed=seed,
            omega_max=omega_max,
            lambda_prior=lambda_prior,
            stream="search",
            start=start,
        )
        return drawn.as_features()

    predicted = np.empty(n_points)
    for start in range(0, n_points, chunk):
        n = min(chunk, n_points - start)
        losses = predict(thetas(start, n))
        predicted[start : start + n] = check_floats("predicted losses", losses, (n,))
    best = np.argsort(predicted, kind="stable")[:top]
    members = np.concatenate([thetas(int(i), 1) for i in best])
    theta = _mean(Parameters.from_features(members, n_criteria, n_domains))
    predicted_loss = float(check_floats("predicted losses", predict(theta.as_features()), (1,))[0])
    return SearchResult(
        theta=theta,
        predicted_loss=predicted_loss,
        members=Parameters.from_features(members, n_criteria, n_domains),
        members_predicted=predicted[best],
        mean_is_no_worse=bool(predicted_loss <= predicted[best].mean()),
        predicted=predicted.astype(np.float32),
    )


def _mean(members: Parameters) -> Parameters:
    alpha = members.alpha.mean(axis=0, keepdims=True)
    beta = (members.lam, members.omega, members.eta, members.epsilon)
    return Parameters(
        alpha / alpha.sum(axis=2, keepdims=True),
        *(values.mean(axis=0, keepdims=True) for values in beta),
    )
