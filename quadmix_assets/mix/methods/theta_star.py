"""What the parts of QuaDMix share: mixes that take from theta* either its shares or its quality."""

from quadmix_assets.mix.methods.quadmix import ThetaMethod, ThetaMix
from quadmix_assets.outputs import VERIFICATION
from quadmix_assets.sampling import Theta


class ThetaStarMix(ThetaMix):
    """A mix that is made with theta* of an objective, but not as `quadmix` makes it."""

    @property
    def stays_within_evidence(self) -> bool:
        """See `NamedMix`."""
        return True

    @property
    def fitted_on(self) -> tuple[str, ...]:
        """See `NamedMix`."""
        return (VERIFICATION,)


class ThetaStarMethod(ThetaMethod):
    """A method that makes a mix with a part of theta*; nothing was predicted of that part alone."""

    def theta(self) -> Theta:
        """theta* of the mix's objective."""
        # Imported late, so that settings load without the libraries of the search.
        from quadmix_assets.search.optimum import read_optimum

        return read_optimum(self.store, self.settings, self.objective)[0]
