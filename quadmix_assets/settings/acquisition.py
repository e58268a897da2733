"""The base class of the settings of acquisitions; the kinds are in `search/acquisitions/`."""

from abc import abstractmethod
from typing import TYPE_CHECKING, Annotated

import numpy as np
from pydantic_settings import NoDecode

from quadmix_assets.search.acquisitions.registry import ACQUISITIONS
from quadmix_assets.settings.base import Section

if TYPE_CHECKING:
    from quadmix_assets.sampling import Parameters
    from quadmix_assets.search.acquisitions.base import Known
    from quadmix_assets.search.space import ThetaSpace


class AcquisitionSettings(Section):
    """A kind of acquisition with its options.

    A subclass has a field `kind` with a single value, which is also its name in the registry.
    """

    kind: str

    @abstractmethod
    def choose(
        self, known: "Known", space: "ThetaSpace", *, n: int, rng: np.random.Generator
    ) -> "Parameters":
        """Choose n different feasible thetas whose proxies are worth training for one objective.

        Args:
            known: what is known of the objective.
            space: the search space; all thetas that it makes satisfy the constraints.
            n: how many, at least 1.
            rng: of all random numbers.

        Raises:
            InfeasibleError: no theta satisfies the constraints.
            ValueError: too few proxies are known to fit a process to.
        """


# NoDecode: from an environment variable a name is taken as it is, not as JSON.
AcquisitionChoice = Annotated[AcquisitionSettings, ACQUISITIONS, NoDecode]
