"""All kinds of acquisitions: one line and one module add a kind."""

from quadmix_assets.registry import Registry

_HERE = "quadmix_assets.search.acquisitions"

ACQUISITIONS = Registry(
    "acquisition",
    {
        "lcb": f"{_HERE}.lcb:LcbSettings",
        "thompson": f"{_HERE}.thompson:ThompsonSettings",
        "noisy_ei": f"{_HERE}.noisy_ei:NoisyEiSettings",
        "genetic": f"{_HERE}.genetic:GeneticSettings",
    },
)
