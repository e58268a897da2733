"""LightGBM, the paper's regressor."""

from dataclasses import dataclass
from typing import Any

import lightgbm as lgb
import numpy as np
from numpy.typing import ArrayLike

from quadmix_assets.sampling.validation import FloatArray, check_floats
from quadmix_assets.search.regressors.base import folds_of, others, training_part

PATIENCE_ROUNDS = 100
_N_BAGS = 8

# Shallow trees with random thresholds: on mixes of a known loss (48 to 512 rows, 35 to 77 inputs)
# and on 60 and 512 of RegMix's published proxies they were within a few percent of the least error
# of all settings tried. Deeper trees fit the noise of so few rows.
_SETTINGS = {
    "objective": "regression",
    "metric": "l2",
    "learning_rate": 0.05,
    "num_leaves": 4,
    "extra_trees": True,
    "feature_fraction": 0.8,
    "bagging_fraction": 0.8,
    "bagging_freq": 1,
    "lambda_l2": 1.0,
    "deterministic": True,
    "force_row_wise": True,
    "feature_pre_filter": False,
    "verbosity": -1,
}


@dataclass(frozen=True, eq=False)
class LightGBMRegressor:
    """Boosted trees from inputs to loss.

    Attributes:
        booster: LightGBM's model.
        bags: models fitted to bootstrap samples of the rows; the standard deviation is theirs.
        training_mean: mean loss of the training part, in nats.
        n_threads: threads that predict; they do not change the result.
    """

    booster: lgb.Booster
    bags: tuple[lgb.Booster, ...]
    training_mean: float
    n_threads: int

    @property
    def kind(self) -> str:
        """As in `Regressor`."""
        return "lightgbm"

    @classmethod
    def fit(
        cls,
        inputs: ArrayLike,
        losses: ArrayLike,
        *,
        seed: int,
        n_threads: int = 1,
        max_rounds: int = 3_000,
    ) -> "LightGBMRegressor":
        """Fit boosted trees; cross-validation inside these rows chooses the number of rounds.

        Args:
            inputs: (n, F), n at least 10.
            losses: (n,) in nats.
            seed: of the folds, the row and input samples and the thresholds.
            n_threads: fixed by the caller, not by the machine. For so few rows one is about as
                fast as several, and far faster where the cores are busy.
            max_rounds: upper limit of the rounds.

        Raises:
            ValueError: as in `training_part`.
        """
        matrix, target = training_part(inputs, losses)
        n = len(target)
        settings = {
            **_SETTINGS,
            "min_data_in_leaf": int(np.clip(n // 20, 3, 10)),
            "num_threads": n_threads,
            "seed": int(np.random.default_rng(seed).integers(2**31)),
        }
        history: dict[str, Any] = lgb.cv(
            settings,
            lgb.Dataset(matrix, target),
            num_boost_round=max_rounds,
            folds=[(others(n, fold), fold) for fold in folds_of(n, seed)],
            callbacks=[lgb.early_stopping(PATIENCE_ROUNDS, verbose=False)],
        )
        n_rounds = len(history["valid l2-mean"])
        rng = np.random.default_rng([seed, 1])
        bags = []
        for _ in range(_N_BAGS):
            rows = np.sort(rng.integers(n, size=n))
            data = lgb.Dataset(matrix[rows], target[rows])
            bags.append(lgb.train(settings, data, num_boost_round=n_rounds))
        booster = lgb.train(settings, lgb.Dataset(matrix, target), num_boost_round=n_rounds)
        return cls(booster, tuple(bags), float(target.mean()), n_threads)

    @property
    def n_rounds(self) -> int:
        """How many trees there are, as cross-validation chose."""
        return int(self.booster.current_iteration())

    def predict(self, inputs: ArrayLike) -> FloatArray:
        """As in `Regressor`."""
        return self._of(self.booster, inputs)

    def standard_deviation(self, inputs: ArrayLike) -> FloatArray:
        """As in `Regressor`: the spread of trees fitted to bootstrap samples."""
        predicted = [self._of(bag, inputs) for bag in self.bags]
        return np.asarray(np.std(predicted, axis=0, ddof=1))

    def input_importance(self) -> FloatArray:
        """How much squared error each input's splits removed, (F,), as a share of all."""
        gain = np.asarray(self.booster.feature_importance(importance_type="gain"), dtype=float)
        return gain / max(gain.sum(), np.finfo(float).tiny)

    def to_json(self) -> dict[str, Any]:
        """As in `Regressor`; `booster` is the model as LightGBM itself writes it."""
        return {
            "kind": self.kind,
            "training_mean": self.training_mean,
            "n_threads": self.n_threads,
            "booster": self.booster.model_to_string(),
            "bags": [bag.model_to_string() for bag in self.bags],
        }

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> "LightGBMRegressor":
        """The inverse of `to_json`; predicts the very same numbers."""
        return cls(
            lgb.Booster(model_str=values["booster"]),
            tuple(lgb.Booster(model_str=text) for text in values["bags"]),
            values["training_mean"],
            values["n_threads"],
        )

    def _of(self, booster: lgb.Booster, inputs: ArrayLike) -> FloatArray:
        matrix = check_floats("inputs", inputs, (None, booster.num_feature()))
        if not len(matrix):
            return np.empty(0)
        return np.asarray(booster.predict(matrix, num_threads=self.n_threads))
