"""All kinds of regressors: one line and one module add a kind."""

from quadmix_assets.registry import Registry

_HERE = "quadmix_assets.search.regressors"
_SINGLE = {
    "lightgbm": f"{_HERE}.lightgbm:LightGBMSettings",
    "svr_linear": f"{_HERE}.support_vectors:SVRLinearSettings",
    "svr_rbf": f"{_HERE}.support_vectors:SVRRBFSettings",
    "ridge_log": f"{_HERE}.ridge:RidgeLogSettings",
    "gaussian_process": f"{_HERE}.gaussian_process:GaussianProcessSettings",
}

# What an ensemble may be made of.
MEMBERS = Registry("regressor", _SINGLE)
REGRESSORS = Registry(
    "regressor",
    {
        **_SINGLE,
        "ensemble": f"{_HERE}.ensemble:EnsembleSettings",
        "auto": f"{_HERE}.auto:AutoSettings",
    },
)
