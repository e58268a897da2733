"""From proxies to theta*: regressors from theta to loss, how good they are, and the search.

In order: `split_held_out`, `fit_lightgbm`, `evaluate` and `learning_curve` (regressors, metrics),
`search_random_top_mean` (optimum), and the figures of all of them (plots).
"""

from quadmix_assets.search.metrics import (
    RegressionMetrics,
    evaluate,
    learning_curve,
    split_held_out,
)
from quadmix_assets.search.optimum import SearchResult, search_random_top_mean
from quadmix_assets.search.regressors import (
    LightGBMRegressor,
    Regressor,
    SVRRegressor,
    fit_lightgbm,
    fit_svr,
)

__all__ = [
    "LightGBMRegressor",
    "RegressionMetrics",
    "Regressor",
    "SVRRegressor",
    "SearchResult",
    "evaluate",
    "fit_lightgbm",
    "fit_svr",
    "learning_curve",
    "search_random_top_mean",
    "split_held_out",
]
