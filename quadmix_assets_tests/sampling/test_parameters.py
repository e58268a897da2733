from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.stats import ks_2samp, kstest

from quadmix_assets.sampling import LambdaPrior, Parameters, Theta, feature_names, sample_parameters

BETA = ("lam", "omega", "eta", "epsilon")


def literal_alpha(n: int, n_criteria: int, n_domains: int, seed: int) -> NDArray[np.float64]:
    """Algorithm 1's weights, step by step, from NumPy's own generator."""
    rng = np.random.default_rng(seed)
    alpha = np.empty((n, n_domains, n_criteria))
    for i in range(n):
        a = rng.uniform(size=n_criteria)
        a = a / a.sum()
        for m in range(n_domains):
            b = rng.uniform(size=n_criteria)
            alpha[i, m] = a * b / (a * b).sum()
    return alpha


def assert_same(one: Parameters, other: Parameters) -> None:
    for name in ("alpha", *BETA):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))


@settings(max_examples=30, deadline=None)
@given(
    k=st.integers(0, 40),
    more=st.integers(0, 40),
    n_criteria=st.integers(1, 9),
    n_domains=st.integers(1, 7),
    seed=st.integers(0, 2**63),
    prior=st.sampled_from(["log_uniform", "uniform"]),
)
def test_a_theta_does_not_depend_on_how_many_are_drawn(
    k: int, more: int, n_criteria: int, n_domains: int, seed: int, prior: LambdaPrior
) -> None:
    few = sample_parameters(k, n_criteria, n_domains, seed=seed, lambda_prior=prior)
    many = sample_parameters(k + more, n_criteria, n_domains, seed=seed, lambda_prior=prior)
    rest = sample_parameters(more, n_criteria, n_domains, seed=seed, lambda_prior=prior, start=k)
    assert_same(many[:k], few)
    assert_same(many[k:], rest)


def test_shapes_of_the_paper() -> None:
    parameters = sample_parameters(5, 3, 26, seed=0)
    assert parameters.alpha.shape == (5, 26, 3)
    for name in BETA:
        assert getattr(parameters, name).shape == (5, 26)
    assert parameters.as_features().shape == (5, (3 + 4) * 26)
    assert (len(parameters), parameters.n_criteria, parameters.n_domains) == (5, 3, 26)


@pytest.mark.parametrize("omega_max", [0.1, 0.8])
def test_marginals_are_those_of_algorithm_1(omega_max: float) -> None:
    drawn = sample_parameters(3_000, 2, 3, seed=11, omega_max=omega_max)
    flat = sample_parameters(3_000, 2, 3, seed=11, lambda_prior="uniform")
    for uniform in (
        np.log10(drawn.lam) / 3.0,
        flat.lam / 1000.0,
        drawn.omega / omega_max,
        drawn.eta,
        drawn.epsilon * 1000.0,
    ):
        assert kstest(uniform.ravel(), "uniform").pvalue > 0.001


def test_entries_of_beta_are_drawn_apart() -> None:
    drawn = sample_parameters(20_000, 2, 2, seed=5)
    columns = np.column_stack([np.log(drawn.lam), drawn.omega, drawn.eta, drawn.epsilon])
    correlation = np.corrcoef(columns.T) - np.eye(8)
    assert np.abs(correlation).max() < 0.04


@pytest.mark.parametrize("n_criteria", [2, 3, 5])
def test_alpha_is_distributed_as_in_a_literal_algorithm_1(n_criteria: int) -> None:
    drawn = sample_parameters(4_000, n_criteria, 3, seed=2).alpha
    literal = literal_alpha(4_000, n_criteria, 3, seed=99)
    assert (drawn >= 0).all()
    np.testing.assert_allclose(drawn.sum(axis=2), 1.0, rtol=0, atol=1e-12)
    for view in (
        lambda alpha: alpha[:, 1, 0],
        lambda alpha: alpha[:, 2, n_criteria - 1],
        # These two see the global weights: domains of one theta lean the same way.
        lambda alpha: alpha[:, :, 0].mean(axis=1),
        lambda alpha: np.abs(alpha[:, 0, 0] - alpha[:, 1, 0]),
    ):
        assert ks_2samp(view(drawn), view(literal)).pvalue > 0.001


def test_domains_of_one_theta_share_global_weights_and_thetas_do_not() -> None:
    alpha = sample_parameters(10_000, 3, 2, seed=4).alpha[:, :, 0]
    assert np.corrcoef(alpha[:, 0], alpha[:, 1])[0, 1] > 0.3
    assert abs(np.corrcoef(alpha[:-1, 0], alpha[1:, 1])[0, 1]) < 0.04


def test_seeds_and_streams_differ() -> None:
    draws = [
        sample_parameters(50, 2, 2, seed=seed, stream=stream).as_features()
        for seed in (0, 1)
        for stream in ("proxies", "search")
    ]
    for i, one in enumerate(draws):
        for other in draws[:i]:
            assert not np.isin(one, other).any()


def test_features_carry_the_names_of_their_entries() -> None:
    criteria, domains = ["importance", "heuristics"], ["law", "food", "unknown"]
    parameters = sample_parameters(4, 2, 3, seed=0)
    names, features = feature_names(criteria, domains), parameters.as_features()
    assert len(set(names)) == features.shape[1]
    column = dict(zip(names, features.T, strict=True))
    np.testing.assert_array_equal(column["alpha[law,importance]"], parameters.alpha[:, 0, 0])
    for m, domain in enumerate(domains):
        for n, criterion in enumerate(criteria):
            np.testing.assert_array_equal(
                column[f"alpha[{domain},{criterion}]"], parameters.alpha[:, m, n]
            )
        for name in BETA:
            np.testing.assert_array_equal(
                column[f"{name}[{domain}]"], getattr(parameters, name)[:, m]
            )


@settings(max_examples=20, deadline=None)
@given(n=st.integers(0, 5), n_criteria=st.integers(1, 4), n_domains=st.integers(1, 4))
def test_features_and_back(n: int, n_criteria: int, n_domains: int) -> None:
    parameters = sample_parameters(n, n_criteria, n_domains, seed=1)
    back = Parameters.from_features(parameters.as_features(), n_criteria, n_domains)
    assert_same(back, parameters)


def test_one_theta_can_be_taken_out() -> None:
    parameters = sample_parameters(6, 3, 2, seed=1)
    theta = parameters[4]
    np.testing.assert_array_equal(theta.alpha, parameters.alpha[4])
    np.testing.assert_array_equal(theta.epsilon, parameters.row(4).epsilon)
    assert [t.lam[0] for t in parameters] == parameters.lam[:, 0].tolist()
    assert_same(parameters[[4, 0]], parameters[np.array([4, 0])])
    with pytest.raises(IndexError):
        parameters[6]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"n": -1}, "n is -1; expected 0 or more"),
        ({"n_criteria": 0}, "n_criteria is 0; expected 1 or more"),
        ({"n_domains": 0}, "n_domains is 0; expected 1 or more"),
        ({"seed": -3}, "seed is -3"),
        ({"start": -1}, "start is -1"),
        ({"omega_max": 0.0}, "omega_max is 0.0; expected above 0"),
        ({"omega_max": 1.5}, "omega_max is 1.5"),
        ({"omega_max": float("nan")}, "omega_max is nan"),
        ({"lambda_prior": "log"}, "lambda_prior is 'log'; expected 'log_uniform' or 'uniform'"),
        ({"stream": "other"}, "stream is 'other'; expected one of proxies, search"),
    ],
)
def test_settings_out_of_range_are_named(change: dict[str, object], message: str) -> None:
    arguments: dict[str, Any] = {"n": 2, "n_criteria": 2, "n_domains": 2, "seed": 0} | change
    with pytest.raises(ValueError, match=message):
        sample_parameters(**arguments)


@pytest.mark.parametrize(
    ("name", "index", "value", "message"),
    [
        ("alpha", (1, 0, 1), -0.25, r"alpha\[1, 0, 1\] is -0.25; expected at least 0"),
        ("alpha", (1, 0, 1), 7.0, r"the sum of alpha\[1, 0\] is .*expected 1"),
        ("alpha", (1, 0, 1), np.nan, r"alpha\[1, 0, 1\] is nan"),
        ("lam", (0, 1), np.inf, r"lam\[0, 1\] is inf"),
        ("omega", (0, 1), -0.1, r"omega\[0, 1\] is -0.1"),
        ("eta", (0, 1), -0.1, r"eta\[0, 1\] is -0.1"),
        ("epsilon", (0, 1), -0.1, r"epsilon\[0, 1\] is -0.1"),
    ],
)
def test_wrong_values_are_named(
    name: str, index: tuple[int, ...], value: float, message: str
) -> None:
    parameters = sample_parameters(2, 2, 2, seed=0)
    arrays = {key: getattr(parameters, key).copy() for key in ("alpha", *BETA)}
    arrays[name][index] = value
    with pytest.raises(ValueError, match=message):
        Parameters(**arrays)


def test_shapes_must_agree() -> None:
    parameters = sample_parameters(2, 2, 3, seed=0)
    with pytest.raises(ValueError, match=r"omega has shape \(2, 2\); expected \(2, 3\)"):
        Parameters(
            parameters.alpha,
            parameters.lam,
            parameters.omega[:, :2],
            parameters.eta,
            parameters.epsilon,
        )
    with pytest.raises(ValueError, match=r"features has shape \(2, 18\); expected \(any, 14\)"):
        Parameters.from_features(parameters.as_features(), 3, 2)


def test_scales_are_an_extension_that_changes_nothing_else() -> None:
    plain = sample_parameters(6, 2, 3, seed=1)
    scaled = sample_parameters(6, 2, 3, seed=1, scale_max=8.0)
    np.testing.assert_array_equal(plain.scale, np.ones((6, 3)))
    entries = scaled.as_features(scaled=True)
    np.testing.assert_array_equal(entries[:, :-3], plain.as_features())
    np.testing.assert_array_equal(entries[:, -3:], scaled.scale)
    with pytest.raises(ValueError, match="have scales other than 1"):
        scaled.as_features()
    assert scaled.scale.min() >= 1.0
    assert scaled.scale.max() <= 8.0
    assert len(feature_names(["a", "b"], ["x", "y", "z"], scaled=True)) == 21
    again = Parameters.from_features(entries, 2, 3)
    np.testing.assert_array_equal(again.scale, scaled.scale)
    np.testing.assert_array_equal(scaled[2:4].scale, scaled.scale[2:4])
    later = sample_parameters(2, 2, 3, seed=1, scale_max=8.0, start=4)
    np.testing.assert_array_equal(later.scale, scaled.scale[4:])
    np.testing.assert_array_equal(scaled[5].scale, scaled.scale[5])
    for parts in (Parameters.concatenate([scaled[:4], later]), Parameters.stack([*scaled])):
        np.testing.assert_array_equal(parts.as_features(scaled=True), entries)
    single = Theta(*plain[0][:5])
    np.testing.assert_array_equal(Parameters.stack([single, scaled[0]]).scale[0], np.ones(3))
    many = sample_parameters(4_000, 1, 1, seed=0, scale_max=8.0).scale
    np.testing.assert_allclose(np.median(many), 8**0.5, rtol=0.05)
    with pytest.raises(ValueError, match=r"scale_max is 0.5; expected 1 or more"):
        sample_parameters(1, 1, 1, seed=0, scale_max=0.5)
