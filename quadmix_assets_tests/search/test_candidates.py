"""The candidates for theta*: distinct, feasible, the same again, and better than one search."""

from typing import Any

import numpy as np
import pytest

from quadmix_assets.sampling import Parameters, Theta, sample_parameters
from quadmix_assets.search.candidates import (
    PREVIOUS,
    QUADMIX_PAPER,
    Candidate,
    Swarm,
    make_candidates,
)
from quadmix_assets.search.strategies.base import Prediction
from quadmix_assets.search.strategies.cma_es import CmaEsSettings
from quadmix_assets.search.strategies.trust import TrustRegion
from quadmix_assets_tests.search.limits import constraints
from quadmix_assets_tests.search.swarm import N_CRITERIA, N_DOMAINS, OMEGA_MAX
from quadmix_assets_tests.search.test_strategies import WEIGHTS, search, space

THETAS = sample_parameters(40, N_CRITERIA, N_DOMAINS, seed=5, omega_max=OMEGA_MAX)


def predict(thetas: Parameters) -> Prediction:
    """Linear in theta, less sure the larger omega."""
    mean = np.array([row @ WEIGHTS for row in thetas.as_features()])
    return Prediction(mean, thetas.omega.sum(axis=1))


MEASURED = predict(THETAS).mean + np.random.default_rng(0).normal(size=40)
FOUND, PAPER = search(predict, seed=1), search(predict, seed=2)


def candidates(**changes: Any) -> list[Candidate]:
    values: dict[str, Any] = {
        "is_within": lambda thetas: np.ones(len(thetas), bool),
        "n": 16,
        "n_points": 300,
        "top": 5,
        "seed": 3,
        **changes,
    }
    found, paper = values.pop("found", FOUND), values.pop("paper", PAPER)
    return make_candidates(
        found,
        paper,
        Swarm(range(100, 140), THETAS, MEASURED),
        predict,
        predict,
        values.pop("space", space()),
        values.pop("strategy", CmaEsSettings()),
        **values,
    )


def same(mine: Theta, other: Theta) -> bool:
    return all(np.allclose(a, b, rtol=0, atol=1e-12) for a, b in zip(mine, other, strict=True))


def test_every_way_to_choose_names_its_theta() -> None:
    found = candidates()
    names = [one.name for one in found]
    assert names[:7] == [
        "search (random_top_mean)", QUADMIX_PAPER, "CMA-ES, caution 0", "CMA-ES, caution 1",
        "CMA-ES, caution 2", "mean of the 5 best measured", "mean of the 10 best measured",
    ]  # fmt: skip
    assert len(set(names)) == 16
    by_name = {one.name: one for one in found}
    assert same(by_name[QUADMIX_PAPER].theta, PAPER.theta[0])
    best = np.argsort(MEASURED)[:5]
    assert by_name["mean of the 5 best measured"].theta.omega == pytest.approx(
        THETAS.omega[best].mean(axis=0)
    )
    assert same(by_name[f"theta {100 + best[0]}, best measured"].theta, THETAS[int(best[0])])
    smoothed = int(np.argmin(predict(THETAS).mean))
    assert f"theta {100 + smoothed}, best by smoothed prediction" in names or smoothed == best[0]
    for one in found:
        expected = predict(Parameters.stack([one.theta]))
        assert one.predicted == pytest.approx(expected.mean[0])
        assert one.standard_deviation == pytest.approx(expected.standard_deviation[0])
    cautions = [by_name[f"CMA-ES, caution {c}"].standard_deviation for c in (0, 2)]
    assert cautions[1] < cautions[0]


def test_no_theta_is_there_twice_and_all_are_feasible() -> None:
    where = space(
        constraints=constraints(
            names=("a", "b", "c", "d"),
            n_criteria=N_CRITERIA,
            n_tokens=np.full(N_DOMAINS, 1e6),
            omega_max=OMEGA_MAX,
            max_copies=1.2,
        )
    )
    found = candidates(space=where, found=search(predict, space=where), n=30)
    thetas = Parameters.stack([one.theta for one in found])
    assert where.constraints is not None
    assert same(where.feasible(thetas)[7], thetas[7])
    rows = {tuple(np.round(row, 9)) for row in thetas.as_features(scaled=True)}
    assert len(rows) == len(found) == 30


def test_the_paper_is_always_there() -> None:
    assert [one.name for one in candidates(n=1)] == ["search (random_top_mean)", QUADMIX_PAPER]
    assert [one.name for one in candidates(n=1, found=PAPER)] == [QUADMIX_PAPER]
    names = [one.name for one in candidates(n=2, previous=THETAS[3])]
    assert names == ["search (random_top_mean)", QUADMIX_PAPER]


def test_the_previous_theta_star_takes_the_last_place_unless_it_is_there() -> None:
    before = candidates()
    other = sample_parameters(1, N_CRITERIA, N_DOMAINS, seed=77, omega_max=OMEGA_MAX)[0]
    after = candidates(previous=other)
    assert [one.name for one in after] == [*(one.name for one in before[:-1]), PREVIOUS]
    assert same(after[-1].theta, other)
    for known in (before[0], before[-1]):
        again = candidates(previous=known.theta)
        assert [one.name for one in again] == [one.name for one in before]


def test_only_what_the_searches_found_may_lie_outside_the_evidence() -> None:
    def is_within(thetas: Parameters) -> np.ndarray:
        return thetas.omega[:, 0] > OMEGA_MAX / 2

    found = candidates(is_within=is_within)
    assert [one.name for one in found[:2]] == ["search (random_top_mean)", QUADMIX_PAPER]
    for one in found:
        assert one.is_within_evidence == (one.theta.omega[0] > OMEGA_MAX / 2)
    assert all(one.is_within_evidence for one in found[2:])
    assert len(found) == 16


def test_cma_es_stays_in_its_trust_region_at_every_caution() -> None:
    region = TrustRegion.of(THETAS, space(), 0.5)

    def excess(trust: float | None) -> float:
        found = candidates(strategy=CmaEsSettings(trust=trust), n_points=2_000)
        thetas = [one.theta for one in found if one.name.startswith("CMA-ES")]
        return float(region.excess(space().to_cube(Parameters.stack(thetas))).max())

    assert excess(None) > 0.1
    assert excess(0.5) < 0.02


def test_candidates_survive_json_bit_by_bit() -> None:
    for one in candidates():
        again = Candidate.from_json(one.to_json())
        assert again.theta.lam.tobytes() == one.theta.lam.tobytes()
        assert (again.name, again.predicted) == (one.name, one.predicted)
