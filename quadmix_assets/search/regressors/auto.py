"""The regressor, or the mean of several, that predicts unseen rows best."""

from functools import partial
from typing import Any, ClassVar, Literal

import numpy as np

from quadmix_assets.sampling.validation import FloatArray
from quadmix_assets.search.regressors.base import Regressor, folds_of, others
from quadmix_assets.search.regressors.ensemble import (
    EnsembleRegressor,
    out_of_fold,
    stacked_weights,
)
from quadmix_assets.search.regressors.fitting import regressor_from_json
from quadmix_assets.search.regressors.gaussian_process import GaussianProcessSettings
from quadmix_assets.search.regressors.lightgbm import LightGBMSettings
from quadmix_assets.search.regressors.ridge import RidgeLogSettings
from quadmix_assets.search.regressors.support_vectors import SVRRBFSettings
from quadmix_assets.settings.regressor import RegressorSettings

# The kernel's parameters of a process of so many rows are as good as those of all, and it is fitted
# once per fold.
_KERNEL_ROWS = 256
_MEMBERS: tuple[RegressorSettings, ...] = (
    LightGBMSettings(),
    SVRRBFSettings(),
    RidgeLogSettings(),
    GaussianProcessSettings(max_kernel_rows=_KERNEL_ROWS),
)


class AutoSettings(RegressorSettings):
    """The best of LightGBM, SVR, ridge, a Gaussian process and their mean, by cross-validation."""

    kind: Literal["auto"] = "auto"
    label: ClassVar[str] = "auto"

    def fit(
        self, inputs: FloatArray, losses: FloatArray, *, seed: int, n_threads: int
    ) -> EnsembleRegressor:
        """As in `RegressorSettings`."""
        fits = [
            partial(member.fit, seed=seed, n_threads=n_threads)
            for member in _MEMBERS
            if member.can_fit(losses)
        ]
        folds = folds_of(len(losses), seed)
        predicted = out_of_fold(fits, inputs, losses, folds)
        # The mean is judged by weights that did not see the rows it is judged on either.
        mean = np.empty(len(losses))
        for fold in folds:
            rest = others(len(losses), fold)
            mean[fold] = predicted[fold] @ stacked_weights(predicted[rest], losses[rest])
        single = ((predicted - losses[:, None]) ** 2).mean(axis=0)
        if single.min() < ((mean - losses) ** 2).mean():
            weights = np.zeros(len(fits))
            weights[int(single.argmin())] = 1.0
        else:
            weights = stacked_weights(predicted, losses)
        return EnsembleRegressor.of(fits, weights, inputs, losses, kind=self.kind)

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Regressor:
        """As in `RegressorSettings`."""
        return EnsembleRegressor(
            tuple(regressor_from_json(member) for member in values["members"]),
            np.asarray(values["weights"]),
            values["training_mean"],
            cls.model_fields["kind"].default,
        )
