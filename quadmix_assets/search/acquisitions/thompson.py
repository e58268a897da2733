"""Thompson sampling: every theta is the best under one sample of what the losses may be."""

from typing import Literal

import numpy as np

from quadmix_assets.sampling import Parameters
from quadmix_assets.search.acquisitions.base import Known, joint_candidates
from quadmix_assets.search.space import ThetaSpace
from quadmix_assets.settings.acquisition import AcquisitionSettings


class ThompsonSettings(AcquisitionSettings):
    """Thompson sampling on a Gaussian process of the objective."""

    kind: Literal["thompson"] = "thompson"

    def choose(
        self, known: Known, space: ThetaSpace, *, n: int, rng: np.random.Generator
    ) -> Parameters:
        """As in `AcquisitionSettings`."""
        candidates = joint_candidates(known, space, n=n, rng=rng)
        process = known.process(int(rng.integers(2**31)))
        samples = process.sample(known.inputs_of(candidates), n, rng=rng)
        chosen: list[int] = []
        for sample in samples:
            # A candidate that several samples name is taken once.
            sample[chosen] = np.inf
            chosen.append(int(np.argmin(sample)))
        return candidates[np.sort(chosen)]
