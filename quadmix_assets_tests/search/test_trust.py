import numpy as np
import pytest

from quadmix_assets.sampling import Parameters
from quadmix_assets.search.space import ThetaSpace
from quadmix_assets.search.strategies.base import Prediction
from quadmix_assets.search.strategies.cma_es import CmaEsSettings
from quadmix_assets.search.strategies.trust import TrustRegion

SPACE = ThetaSpace(2, 3, np.ones(3), 0.3)
TRAINED = SPACE.draw(50, seed=1)


def test_trained_thetas_are_inside_and_the_excess_is_in_radii() -> None:
    region = TrustRegion.of(TRAINED, SPACE, 1.0)
    points = SPACE.to_cube(TRAINED)
    np.testing.assert_array_equal(region.excess(points), np.zeros(50))
    apart = np.linalg.norm(points[:, None] - points, axis=2)
    np.fill_diagonal(apart, np.inf)
    assert region.radius == pytest.approx(np.median(apart.min(axis=1)))
    # Away from all others along one line.
    alone = TrustRegion(points[:1], 0.5)
    direction = np.zeros(SPACE.dimension)
    direction[0] = 1.0
    excess = alone.excess(points[:1] + np.array([[0.25], [0.5], [1.5]]) * direction)
    np.testing.assert_allclose(excess, [0.0, 0.0, 2.0], atol=1e-12)
    assert region.excess(points[:0]).shape == (0,)


def test_fewer_than_two_thetas_are_refused() -> None:
    with pytest.raises(ValueError, match="1 trained thetas; a trust region needs 2 or more"):
        TrustRegion.of(TRAINED[[0]], SPACE, 1.0)


def corner(thetas: Parameters) -> Prediction:
    """Best where all entries are at their largest, far from all random thetas."""
    losses = -SPACE.to_cube(thetas).sum(axis=1)
    return Prediction(losses, np.zeros(len(losses)))


@pytest.mark.parametrize("trust", [0.8, 1.0])
def test_a_search_stays_in_the_region_that_it_would_leave(trust: float) -> None:
    def excess(settings: CmaEsSettings) -> float:
        result = settings.search(corner, SPACE, n_points=2_000, top=5, seed=0, trained=TRAINED)
        region = TrustRegion.of(TRAINED, SPACE, trust)
        return float(region.excess(SPACE.to_cube(result.theta))[0])

    assert excess(CmaEsSettings()) > 0.1
    assert excess(CmaEsSettings(trust=trust)) < 0.02
