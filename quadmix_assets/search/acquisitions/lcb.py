"""The lower confidence bound: what is good if the regressor errs in its favour."""

from typing import Literal

import numpy as np

from quadmix_assets.sampling import Parameters
from quadmix_assets.search.acquisitions.base import (
    CANDIDATES,
    Known,
    lower_bounds,
    lowest,
    near,
)
from quadmix_assets.search.space import ThetaSpace
from quadmix_assets.settings.acquisition import AcquisitionSettings


class LcbSettings(AcquisitionSettings):
    """Thetas around the optimum with the lowest prediction less its standard deviation."""

    kind: Literal["lcb"] = "lcb"

    def choose(
        self, known: Known, space: ThetaSpace, *, n: int, rng: np.random.Generator
    ) -> Parameters:
        """As in `AcquisitionSettings`."""
        found = near(space.to_cube(known.optimum), space, n=CANDIDATES * n, rng=rng)
        return found[lowest(lower_bounds(known, found), n)]
