import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quadmix_assets.sampling import sample_parameters, sampling_value

unit = st.floats(0.0, 1.0)


def equation_3(r: float, lam: float, omega: float, eta: float, epsilon: float) -> float:
    if r > omega:
        return epsilon
    return float((2.0 / (1.0 + math.exp(-lam * (omega - r)))) ** eta + epsilon)


@settings(max_examples=200, deadline=None)
@given(
    ranks=st.lists(st.tuples(unit, st.integers(0, 2)), max_size=20),
    lam=st.tuples(*[st.floats(0.0, 1000.0)] * 3),
    omega=st.tuples(unit, unit, unit),
    eta=st.tuples(unit, unit, unit),
    epsilon=st.tuples(*[st.floats(0.0, 0.001)] * 3),
)
def test_is_equation_3_within_its_bounds(
    ranks: list[tuple[float, int]],
    lam: tuple[float, ...],
    omega: tuple[float, ...],
    eta: tuple[float, ...],
    epsilon: tuple[float, ...],
) -> None:
    r, domains = np.array([x for x, _ in ranks]), np.array([m for _, m in ranks], dtype=int)
    values = sampling_value(r, domains, lam, omega, eta, epsilon)
    expected = [equation_3(x, lam[m], omega[m], eta[m], epsilon[m]) for x, m in ranks]
    np.testing.assert_allclose(values, np.array(expected), rtol=1e-13)
    assert (values >= np.array(epsilon)[domains]).all()
    assert (values <= 2.0 ** np.array(eta)[domains] + np.array(epsilon)[domains]).all()


@settings(max_examples=50, deadline=None)
@given(omega=unit, lam=st.floats(0.0, 1000.0), eta=unit)
def test_the_threshold_itself_belongs_to_the_formula(omega: float, lam: float, eta: float) -> None:
    above = np.nextafter(omega, 2.0)
    values = sampling_value([omega, above], [0, 0], [lam], [omega], [eta], [0.001])
    assert values[0] == 1.0 + 0.001
    assert values[1] == 0.001


def test_better_ranks_are_never_taken_less() -> None:
    ranks = np.linspace(0.0, 1.0, 2_001)
    for theta in sample_parameters(50, 2, 1, seed=3, omega_max=1.0):
        values = sampling_value(ranks, np.zeros(2_001, int), *theta[1:])
        assert (np.diff(values) <= 0).all()


@pytest.mark.parametrize("lam", [0.0, 1e3, 1e6, 1e300])
def test_no_steepness_overflows(lam: float) -> None:
    with np.errstate(all="raise", under="ignore"):
        values = sampling_value([0.0, 0.5, 1.0], [0, 0, 0], [lam], [0.5], [1.0], [0.0])
    np.testing.assert_allclose(values, [1.0 if lam == 0 else 2.0, 1.0, 0.0])


def test_shards_get_the_values_of_the_whole() -> None:
    rng = np.random.default_rng(0)
    ranks, domains = rng.random(1_001), rng.integers(0, 4, 1_001)
    theta = sample_parameters(1, 2, 4, seed=0, omega_max=1.0)[0]
    whole = sampling_value(ranks, domains, *theta[1:])
    for n_shards in (2, 7, 300):
        parts = zip(np.array_split(ranks, n_shards), np.array_split(domains, n_shards), strict=True)
        split = [sampling_value(r, d, *theta[1:]) for r, d in parts]
        np.testing.assert_array_equal(np.concatenate(split), whole)


def test_no_documents_no_values() -> None:
    assert sampling_value([], [], [1.0], [0.1], [0.5], [0.0]).shape == (0,)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"ranks": [np.nan]}, r"ranks\[0\] is nan"),
        ({"ranks": [-0.1]}, r"ranks\[0\] is -0.1; expected at least 0"),
        ({"domains": [2]}, r"domains\[0\] is 2; expected an index from 0 to 1 \(2 domains\)"),
        ({"domains": [0, 1]}, r"domains has shape \(2,\); expected \(1\)"),
        ({"lam": [1.0, -2.0]}, r"lam\[1\] is -2.0; expected at least 0"),
        ({"omega": [0.1, np.nan]}, r"omega\[1\] is nan"),
        ({"omega": [0.1]}, r"omega has shape \(1,\); expected \(2\)"),
        ({"eta": [0.1, -1.0]}, r"eta\[1\] is -1.0"),
        ({"epsilon": [-1e-9, 0.0]}, r"epsilon\[0\] is -1e-09"),
    ],
)
def test_wrong_input_is_named(change: dict[str, Any], message: str) -> None:
    arguments: dict[str, Any] = {
        "ranks": [0.5],
        "domains": [0],
        "lam": [1.0, 1.0],
        "omega": [0.1, 0.1],
        "eta": [0.5, 0.5],
        "epsilon": [0.0, 0.0],
    } | change
    with pytest.raises(ValueError, match=message):
        sampling_value(**arguments)


def test_scale_multiplies_what_is_within_omega() -> None:
    ranks, domains = np.array([0.01, 0.05, 0.2, 0.01]), np.array([0, 0, 0, 1])
    lam, omega, eta, floors = [50.0, 5.0], [0.1, 0.1], [0.5, 1.0], np.array([0.001, 0.01])

    def values(scale: list[float] | float) -> np.ndarray:
        return sampling_value(ranks, domains, lam, omega, eta, floors, scale)

    plain, scaled = values(1.0), values([3.0, 0.5])
    epsilon, factor = floors[domains], np.array([3.0, 3.0, 3.0, 0.5])
    expected = np.where(ranks <= 0.1, (plain - epsilon) * factor, 0.0) + epsilon
    np.testing.assert_allclose(scaled, expected, rtol=1e-14)
    np.testing.assert_array_equal(values([1.0, 1.0]), plain)
    with pytest.raises(ValueError, match=r"scale\[0\] is -1"):
        values([-1.0, 1.0])
