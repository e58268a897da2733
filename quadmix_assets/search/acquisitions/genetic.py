"""A genetic search: crossings of the best thetas, by prediction, over some generations."""

from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from quadmix_assets.sampling import Parameters
from quadmix_assets.sampling.validation import FloatArray
from quadmix_assets.search.acquisitions.base import Known
from quadmix_assets.search.space import ThetaSpace
from quadmix_assets.settings.acquisition import AcquisitionSettings
from quadmix_assets.settings.base import PositiveInt

# Children that a generation has for every theta that is chosen, and of how many thetas the better
# becomes a parent.
_CHILDREN, _TOURNAMENT = 4, 2
# Standard deviation of a mutation, in the unit cube.
_STEP = 0.1


class GeneticSettings(AcquisitionSettings):
    """Crossing and mutation of thetas, those that were trained first."""

    kind: Literal["genetic"] = "genetic"
    generations: PositiveInt = Field(default=10, description="generations of children")
    mutated: Annotated[float, Field(ge=0.0, le=1.0)] = Field(
        default=0.1, description="share of a child's entries that are mutated"
    )

    def choose(
        self, known: Known, space: ThetaSpace, *, n: int, rng: np.random.Generator
    ) -> Parameters:
        """As in `AcquisitionSettings`; trained thetas are parents and are not chosen again."""
        size = _CHILDREN * n
        points = space.to_cube(known.trained)
        values = known.predict(known.trained).mean
        is_child = np.zeros(len(points), bool)
        for _ in range(self.generations):
            children = self._children(points, values, space, size, rng)
            points = np.concatenate([points, children])
            values = np.concatenate([values, known.predict(space.from_cube(children)).mean])
            is_child = np.concatenate([is_child, np.ones(size, bool)])
            # Children that will be chosen from are never fewer than n.
            kept = np.argsort(values, kind="stable")[: max(size, n)]
            best_children = np.flatnonzero(is_child)
            best_children = best_children[np.argsort(values[best_children], kind="stable")[:n]]
            kept = np.union1d(kept, best_children)
            points, values, is_child = points[kept], values[kept], is_child[kept]
        chosen = np.flatnonzero(is_child)
        chosen = chosen[np.argsort(values[chosen], kind="stable")[:n]]
        return space.from_cube(points[np.sort(chosen)])

    def _children(
        self,
        points: FloatArray,
        values: FloatArray,
        space: ThetaSpace,
        size: int,
        rng: np.random.Generator,
    ) -> FloatArray:
        """Children (size, dimension): all entries of a domain come from one parent."""
        drawn = rng.integers(len(points), size=(2, size, _TOURNAMENT))
        winners = np.take_along_axis(drawn, values[drawn].argmin(axis=2)[..., None], axis=2)
        first, second = points[winners[0, :, 0]], points[winners[1, :, 0]]
        by_domain = (size, space.n_domains, 1)
        shape = (size, space.n_domains, -1)
        from_first = rng.random(by_domain) < 0.5
        children = np.where(from_first, first.reshape(shape), second.reshape(shape))
        children = children.reshape(size, -1)
        steps = np.where(rng.random(children.shape) < self.mutated, _STEP, 0.0)
        return np.asarray(np.clip(children + steps * rng.normal(size=children.shape), 0.0, 1.0))
