"""Noisy expected improvement (Letham et al. 2019) of a batch, by joint samples of the process."""

from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from quadmix_assets.sampling import Parameters
from quadmix_assets.search.acquisitions.base import Known, joint_candidates
from quadmix_assets.search.space import ThetaSpace
from quadmix_assets.settings.acquisition import AcquisitionSettings


class NoisyEiSettings(AcquisitionSettings):
    """Noisy expected improvement on a Gaussian process of the objective.

    The improvement is over the best trained theta of each joint sample, not over the best measured
    loss, which noise makes too good. Further thetas of the batch improve on those chosen before.
    """

    kind: Literal["noisy_ei"] = "noisy_ei"
    n_samples: Annotated[int, Field(ge=2)] = Field(
        default=128, description="joint samples that the expectation is taken over"
    )

    def choose(
        self, known: Known, space: ThetaSpace, *, n: int, rng: np.random.Generator
    ) -> Parameters:
        """As in `AcquisitionSettings`."""
        candidates = joint_candidates(known, space, n=n, rng=rng)
        process = known.process(int(rng.integers(2**31)))
        inputs = np.concatenate([known.inputs, known.inputs_of(candidates)])
        samples = process.sample(inputs, self.n_samples, rng=rng)
        best = samples[:, : len(known.inputs)].min(axis=1)
        values = samples[:, len(known.inputs) :]
        chosen: list[int] = []
        for _ in range(n):
            improvement = np.maximum(best[:, None] - values, 0.0).mean(axis=0)
            improvement[chosen] = -np.inf
            if improvement.max() <= 0:
                # No sample hopes for any: the lowest mean is next.
                means = values.mean(axis=0)
                means[chosen] = np.inf
                chosen.append(int(np.argmin(means)))
            else:
                chosen.append(int(np.argmax(improvement)))
            best = np.minimum(best, values[:, chosen[-1]])
        return candidates[np.sort(chosen)]
