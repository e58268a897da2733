"""A trust region: the thetas that are about as near to trained ones as those are to each other."""

from dataclasses import dataclass

import numpy as np

from quadmix_assets.sampling import Parameters
from quadmix_assets.sampling.validation import FloatArray
from quadmix_assets.search.space import ThetaSpace

# Points whose distances to all trained thetas are in memory at once.
_CHUNK = 256


@dataclass(frozen=True, eq=False)
class TrustRegion:
    """Points of the unit cube within a radius of a trained theta.

    Attributes:
        centres: (n, dimension) the trained thetas.
        radius: Euclidean distance to the nearest of them.
    """

    centres: FloatArray
    radius: float

    @classmethod
    def of(cls, trained: Parameters, space: ThetaSpace, factor: float) -> "TrustRegion":
        """The region around trained thetas, at least 2.

        The radius is `factor` times the median distance of a trained theta to its nearest one.

        Raises:
            ValueError: fewer than 2 thetas.
        """
        if len(trained) < 2:
            raise ValueError(f"{len(trained)} trained thetas; a trust region needs 2 or more")
        centres = space.to_cube(trained)
        return cls(centres, factor * float(np.median(_distances(centres, centres, rank=1))))

    def excess(self, points: FloatArray) -> FloatArray:
        """How far points (k, dimension) lie outside, in radii (k,); 0 inside."""
        distances = _distances(points, self.centres, rank=0)
        return np.asarray(np.maximum(distances / max(self.radius, 1e-12) - 1.0, 0.0))


def _distances(points: FloatArray, centres: FloatArray, *, rank: int) -> FloatArray:
    """(k,) distance to the nearest centre (rank 0), or to the next one (rank 1)."""
    found = [
        np.partition(
            np.linalg.norm(points[start : start + _CHUNK, None] - centres, axis=2), rank, axis=1
        )[:, rank]
        for start in range(0, len(points), _CHUNK)
    ]
    return np.concatenate(found) if found else np.empty(0)
