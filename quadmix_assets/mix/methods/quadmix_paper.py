"""QuaDMix as published: the mean of the best of many random thetas, predicted by LightGBM.

Liu et al. 2025, arXiv:2504.16511, section 3: 100,000 thetas are predicted, and the mean of the best
10 is taken, without measuring it or anything else that `quadmix` adds.
"""

from collections.abc import Mapping
from typing import Any, Literal

from quadmix_assets.mix.methods.quadmix import ThetaMethod, ThetaMix
from quadmix_assets.outputs import VERIFICATION
from quadmix_assets.sampling import Theta


class QuadmixPaperMix(ThetaMix):
    """QuaDMix with the theta of the paper's search: the mean of the ten best predicted."""

    method: Literal["quadmix_paper"]

    def implementation(self) -> "type[QuadmixPaperMethod]":
        """See `NamedMix`."""
        return QuadmixPaperMethod

    @property
    def fitted_on(self) -> tuple[str, ...]:
        """See `NamedMix`."""
        return (VERIFICATION,)


class QuadmixPaperMethod(ThetaMethod):
    """QuaDMix with the theta of the paper's search."""

    def theta(self) -> Theta:
        """The candidate `quadmix_paper` of the mix's objective."""
        return self._paper()[0]

    def prediction(self) -> Mapping[str, Any]:
        """What was predicted for it, and measured of it."""
        return self._paper()[1]

    def _paper(self) -> tuple[Theta, dict[str, Any]]:
        # Imported late, so that settings load without the libraries of the search.
        from quadmix_assets.search.optimum import read_paper

        return read_paper(self.store, self.settings, self.objective)
