"""All kinds of searches: one line and one module add a kind."""

from quadmix_assets.registry import Registry

_HERE = "quadmix_assets.search.strategies"

STRATEGIES = Registry(
    "search strategy",
    {
        "random_top_mean": f"{_HERE}.random_top_mean:RandomTopMeanSettings",
        "cma_es": f"{_HERE}.cma_es:CmaEsSettings",
    },
)
