"""From proxies to theta*: regressors, how good they are, objectives, constraints, and the search.

In order: `inputs` (what a regressor sees of a theta), `regressors`, `metrics` (held-out errors),
`fit`, `objective`, `constraints` and `space` (which thetas may be looked at), `strategies` (the
searches), `refine` (further rounds of proxies), `plots`.
"""

from quadmix_assets.search.constraints import Constraints, InfeasibleError
from quadmix_assets.search.metrics import (
    RegressionMetrics,
    evaluate,
    learning_curve,
    split_held_out,
)
from quadmix_assets.search.regressor_inputs import MixtureInputs, ThetaInputs
from quadmix_assets.search.regressors import Regressor, fit_regressor
from quadmix_assets.search.space import ThetaSpace
from quadmix_assets.search.strategies import (
    Prediction,
    SearchResult,
    cma_es,
    random_top_mean,
)

__all__ = [
    "Constraints",
    "InfeasibleError",
    "MixtureInputs",
    "Prediction",
    "RegressionMetrics",
    "Regressor",
    "SearchResult",
    "ThetaInputs",
    "ThetaSpace",
    "cma_es",
    "evaluate",
    "fit_regressor",
    "learning_curve",
    "random_top_mean",
    "split_held_out",
]
