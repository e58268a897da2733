from dataclasses import replace
from typing import Any, cast

import numpy as np
import polars as pl
import pytest
from numpy.typing import ArrayLike

from quadmix_assets.proxies.evidence import Evidence
from quadmix_assets.sampling import Parameters, PoolIndex, sample_parameters
from quadmix_assets.search.fit import objective_predictor
from quadmix_assets.search.objective import Objective
from quadmix_assets.search.regressor_inputs import MixtureInputs, RegressorInputs, ThetaInputs
from quadmix_assets.search.regressors.fitting import fit_regressor
from quadmix_assets.search.space import ThetaSpace
from quadmix_assets.search.strategies.registry import STRATEGIES
from quadmix_assets.search.support import LIMIT, TOLERANCE, Support
from quadmix_assets.settings.strategy import StrategySettings
from quadmix_assets_tests.search.swarm import (
    N_CRITERIA,
    N_DOMAINS,
    OMEGA_MAX,
    make_pool,
    true_losses,
)

CRITERIA, DOMAINS = ["a", "b"], ["law", "food", "news", "unknown"]
SIGMA, OF_DOMAIN, TOKENS = make_pool()
INDEX = PoolIndex.build(SIGMA, OF_DOMAIN, TOKENS, N_DOMAINS)
N_TOKENS = INDEX.n_tokens.astype(float)
MIXTURE = MixtureInputs.of(INDEX, CRITERIA, DOMAINS)
ENTRIES = ThetaInputs(CRITERIA, DOMAINS, scaled=False)
SWARM = sample_parameters(60, N_CRITERIA, N_DOMAINS, seed=5, omega_max=OMEGA_MAX)
LOSSES = true_losses(SWARM)
OBJECTIVE = Objective("bmk", "nats", {"planted": 1.0}, 0.0)


def make_evidence() -> Evidence:
    metrics = pl.DataFrame({"theta_id": range(60), "loss_nats": LOSSES}).with_columns(
        target=pl.lit("planted"), status=pl.lit("trained")
    )
    return Evidence(metrics, np.arange(60), np.zeros(60, int), SWARM, 0, 0)


def scaled(thetas: Parameters, factor: float) -> Parameters:
    return replace(thetas, omega=thetas.omega * factor, epsilon=thetas.epsilon * factor)


def excess_of(inputs_of: RegressorInputs, thetas: Parameters) -> np.ndarray:
    support = Support.of(make_evidence(), inputs_of, N_TOKENS)
    return support.excess(inputs_of(thetas), thetas, inputs_of)


@pytest.mark.parametrize("inputs_of", [MIXTURE, ENTRIES])
def test_trained_thetas_lie_within(inputs_of: RegressorInputs) -> None:
    assert (excess_of(inputs_of, SWARM) == 0).all()


@pytest.mark.parametrize("inputs_of", [MIXTURE, ENTRIES])
def test_a_mix_smaller_than_all_trained_ones_lies_outside_by_its_size(
    inputs_of: RegressorInputs,
) -> None:
    tokens = (N_TOKENS * SWARM.expectation().epochs).sum(axis=1)
    small = scaled(SWARM[[int(tokens.argmin())]], 0.5)
    size = float((N_TOKENS * small.expectation().epochs).sum())
    support = Support.of(make_evidence(), inputs_of, N_TOKENS)
    excess = support.excess(inputs_of(small), small, inputs_of)[0]
    k = list(support.names).index("log_tokens")
    width = np.log(tokens.max()) - np.log(tokens.min())
    assert excess[k] == pytest.approx(np.log(tokens.min() / size) / width, rel=1e-6)
    words = support.in_words(excess)
    assert f"{tokens.min():,.0f} to {tokens.max():,.0f} tokens" in words


def test_words_name_the_farthest_inputs_first_and_count_the_rest() -> None:
    support = Support(["x", "y", *"abcdef"], np.zeros(8), np.full(8, 2.0), N_TOKENS, {})
    assert support.in_words(np.full(8, 0.99 * LIMIT)) == ""
    words = support.in_words(np.array([0.2, 3.0, *[0.0] * 6]))
    assert words == (
        "y: trained were 0 to 2, it lies 3 times the width of that range outside it; "
        "x: trained were 0 to 2, it lies 0.2 times the width of that range outside it"
    )
    assert support.in_words(np.full(8, 0.5)).endswith("; and 3 further inputs")


def test_penalty_is_nothing_within_and_the_range_of_losses_a_little_outside() -> None:
    support = Support.of(make_evidence(), MIXTURE, N_TOKENS)
    excess = np.zeros((4, len(support.names)))
    excess[1, 3] = TOLERANCE
    excess[2, 3] = 2 * TOLERANCE
    excess[3, [3, 5]] = 1.0
    found = support.penalty(OBJECTIVE, excess)
    assert found[:2].tolist() == [0.0, 0.0]
    assert found[2] == pytest.approx(np.ptp(LOSSES))
    assert found[3] > 4 * found[2]
    weighed = Objective("bmk", "nats", {"planted": 0.25}, 7.0)
    np.testing.assert_allclose(support.penalty(weighed, excess), 0.25 * found)


def test_predictions_within_are_those_of_the_regressors() -> None:
    regressors = {"planted": fit_regressor("gaussian_process", MIXTURE(SWARM), LOSSES, seed=0)}
    support = Support.of(make_evidence(), MIXTURE, N_TOKENS)
    free = objective_predictor(OBJECTIVE, regressors, MIXTURE)
    bound = objective_predictor(OBJECTIVE, regressors, MIXTURE, support)
    np.testing.assert_array_equal(bound(SWARM).mean, free(SWARM).mean)
    small = scaled(SWARM, 0.01)
    assert (bound(small).mean > free(small).mean + np.ptp(LOSSES)).all()
    np.testing.assert_array_equal(bound(small).standard_deviation, free(small).standard_deviation)


@pytest.mark.parametrize("kind", STRATEGIES.kinds)
def test_no_strategy_leaves_the_evidence_for_a_promise(kind: str) -> None:
    """A regressor that promises more the smaller the mix; every strategy follows it to the end."""
    evidence = make_evidence()
    column = MIXTURE.names.index("log_tokens")

    class Promise:
        kind, training_mean = "promise", 0.0

        def predict(self, inputs: ArrayLike) -> np.ndarray:
            return np.asarray(inputs)[:, column]

        def standard_deviation(self, inputs: ArrayLike) -> np.ndarray:
            return np.zeros(len(np.asarray(inputs)))

        def to_json(self) -> dict[str, Any]:
            return {}

    space = ThetaSpace(N_CRITERIA, N_DOMAINS, N_TOKENS, OMEGA_MAX)
    support = Support.of(evidence, MIXTURE, N_TOKENS)
    strategy = cast(StrategySettings, STRATEGIES.settings_class(kind)(kind=kind))

    def outside(support_or_none: Support | None) -> float:
        predict = objective_predictor(OBJECTIVE, {"planted": Promise()}, MIXTURE, support_or_none)
        theta = strategy.search(predict, space, n_points=4_000, top=5, seed=1).theta
        return float(support.excess(MIXTURE(theta), theta, MIXTURE).max())

    assert outside(support) < LIMIT
    if kind == "cma_es":
        assert outside(None) > 5 * LIMIT
