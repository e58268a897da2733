"""How fast devices train, in FLOP/s that are reached, not those of a data sheet.

Small models reach a fraction of what large ones do: their operations are bound by memory and by
starts. The rates of the H100 were measured with this project's stacks (benchmarks/RESULTS.md);
those of other GPUs are scaled from them, by the published dense bfloat16 FLOP/s for large models
and by the memory bandwidth for small ones.
"""

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass

from quadmix_assets.settings import TrainingSettings
from quadmix_assets.training.recipe import architecture_of

# FLOPs of a token of training: of tiny with a vocabulary of 2,048, and of regmix-1m with 50,000.
_SMALL, _LARGE = 1.5e6, 9.7e7


class Device(ABC):
    """What trains.

    Attributes:
        name: of the device.
        described: its speed and where that is known from, in words.
    """

    name: str
    described: str

    @abstractmethod
    def training_rate(self, recipe: TrainingSettings, vocab_size: int) -> float:
        """FLOP/s that are reached when models of a recipe are trained, all at once."""

    @property
    @abstractmethod
    def large_rate(self) -> float:
        """FLOP/s that are reached by networks of a hundred million parameters and more."""


@dataclass(frozen=True)
class NamedDevice(Device):
    """A device with stated rates.

    Attributes:
        small: FLOP/s with models as small as tiny, in stacks of a hundred.
        large: FLOP/s with models of regmix-1m's size and larger.
    """

    name: str
    small: float
    large: float
    described: str

    def training_rate(self, recipe: TrainingSettings, vocab_size: int) -> float:
        """See `Device`; between the two sizes in equal factors."""
        flops = architecture_of(recipe).flops_per_token(vocab_size)
        place = math.log(flops / _SMALL) / math.log(_LARGE / _SMALL)
        return float(self.small * (self.large / self.small) ** min(max(place, 0.0), 1.0))

    @property
    def large_rate(self) -> float:
        """See `Device`."""
        return self.large


_SCALED = "scaled from the H100 by data sheets, not measured"
NAMED_DEVICES = {
    device.name: device
    for device in (
        NamedDevice("h100", 4.2e12, 2.2e14, "measured in bfloat16 with this project's stacks"),
        NamedDevice("h200", 6.0e12, 2.2e14, _SCALED),
        NamedDevice("a100", 2.5e12, 7.0e13, _SCALED),
        NamedDevice("l40s", 1.1e12, 8.0e13, _SCALED),
    )
}
THIS_MACHINE = "cpu"
"""The name of the device that is measured: this machine's processor."""
