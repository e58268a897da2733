"""QuaDMix without a regressor: the theta of the swarm whose proxy measured best.

The baseline of every search: a theta that was trained and not predicted. The least of many noisy
losses is too low, so it is a little worse than it was measured.
"""

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np

from quadmix_assets.mix.methods.quadmix import ThetaMethod, ThetaMix
from quadmix_assets.outputs import (
    PARAMETER_SETS,
    PROXY_EVALUATION,
    PROXY_METRICS,
    PROXY_REPEATS,
    REFINEMENT,
)
from quadmix_assets.sampling import Theta


class BestMeasuredMix(ThetaMix):
    """QuaDMix with the theta whose proxy measured best, of the swarm and all further rounds."""

    method: Literal["best_measured"]

    def implementation(self) -> "type[BestMeasuredMethod]":
        """See `NamedMix`."""
        return BestMeasuredMethod

    @property
    def fitted_on(self) -> tuple[str, ...]:
        """See `NamedMix`; repeats weigh the objectives that ask for reliability."""
        return (PARAMETER_SETS, PROXY_METRICS, PROXY_EVALUATION, PROXY_REPEATS, REFINEMENT)


class BestMeasuredMethod(ThetaMethod):
    """QuaDMix with the best theta of the swarm."""

    def theta(self) -> Theta:
        """The theta with the least measured objective; of equal ones the first."""
        return self._best()[0]

    def prediction(self) -> Mapping[str, Any]:
        """What its proxy measured; nothing was predicted."""
        return self._best()[1]

    def _best(self) -> tuple[Theta, dict[str, Any]]:
        # Imported late, so that settings load without the libraries of the search.
        from quadmix_assets.search.noise import read_weighed
        from quadmix_assets.search.objective import Objective, objective_losses, objective_named

        settings, evidence, _ = read_weighed(self.store, self.settings)
        wanted = objective_named(settings.objectives, self.objective)
        measured = objective_losses(evidence.metrics, wanted)
        row = int(np.argmin(measured))
        found = {
            "unit": Objective.of(wanted, evidence.metrics).unit,
            "theta": f"theta {evidence.theta_ids[row]}, best measured",
            "best_proxy_measured": float(measured[row]),
            "n_proxies": len(measured),
        }
        return evidence.parameters[row], found
