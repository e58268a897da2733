"""Regressors from theta to a proxy's loss: LightGBM, and support vectors to compare it with."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import lightgbm as lgb
import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.compose import TransformedTargetRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVR

from quadmix_assets.sampling.validation import FloatArray, check_floats

MIN_ROWS = 10
N_FOLDS = 5
PATIENCE_ROUNDS = 100

# Shallow trees with random thresholds: on mixes of a known loss (48 to 512 rows, 35 to 77 features)
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


class Regressor(Protocol):
    """What predicts losses (n,) from features (n, F)."""

    @property
    def training_mean(self) -> float:
        """Mean loss of the training part, in nats."""

    def predict(self, features: ArrayLike) -> FloatArray:
        """Predicted losses (n,) in nats of features (n, F)."""


@dataclass(frozen=True, eq=False)
class LightGBMRegressor:
    """Boosted trees from theta to loss.

    Attributes:
        booster: LightGBM's model.
        training_mean: mean loss of the training part, in nats.
        n_train: rows it was fitted to.
        n_threads: threads that predict; they do not change the result.
    """

    booster: lgb.Booster
    training_mean: float
    n_train: int
    n_threads: int

    @property
    def n_rounds(self) -> int:
        """How many trees there are, as cross-validation chose."""
        return int(self.booster.current_iteration())

    def predict(self, features: ArrayLike) -> FloatArray:
        """Predicted losses (n,) in nats.

        Raises:
            ValueError: the features do not have the columns of the training part, or a value is
                NaN or infinite.
        """
        matrix = check_floats("features", features, (None, self.booster.num_feature()))
        if not len(matrix):
            return np.empty(0)
        return np.asarray(self.booster.predict(matrix, num_threads=self.n_threads))

    def feature_importance(self) -> FloatArray:
        """How much squared error each feature's splits removed, (F,), as a share of all."""
        gain = np.asarray(self.booster.feature_importance(importance_type="gain"), dtype=float)
        return gain / max(gain.sum(), np.finfo(float).tiny)

    def to_text(self) -> str:
        """The regressor as JSON; its key `lightgbm` is the model as LightGBM itself writes it."""
        return json.dumps(
            {
                "training_mean": self.training_mean,
                "n_train": self.n_train,
                "n_threads": self.n_threads,
                "lightgbm": self.booster.model_to_string(),
            }
        )

    @classmethod
    def from_text(cls, text: str) -> "LightGBMRegressor":
        """The inverse of `to_text`; predicts the very same numbers.

        Raises:
            ValueError: the text is not what `to_text` writes.
        """
        try:
            fields = json.loads(text)
            booster = lgb.Booster(model_str=str(fields["lightgbm"]))
            return cls(booster, fields["training_mean"], fields["n_train"], fields["n_threads"])
        except (ValueError, KeyError, TypeError, lgb.basic.LightGBMError) as error:
            raise ValueError(
                f"{text[:60]!r}...: expected the JSON that LightGBMRegressor.to_text writes "
                f"({type(error).__name__}: {error})"
            ) from error


@dataclass(frozen=True, eq=False)
class SVRRegressor:
    """Support vector regression on standardised features and losses."""

    pipeline: Any
    training_mean: float

    def predict(self, features: ArrayLike) -> FloatArray:
        """Predicted losses (n,) in nats.

        Raises:
            ValueError: the features do not have the columns of the training part, or a value is
                NaN or infinite.
        """
        matrix = check_floats("features", features, (None, self.pipeline.n_features_in_))
        if not len(matrix):
            return np.empty(0)
        return np.asarray(self.pipeline.predict(matrix))


def fit_lightgbm(
    features: ArrayLike,
    losses: ArrayLike,
    *,
    seed: int,
    n_threads: int = 1,
    max_rounds: int = 3_000,
) -> LightGBMRegressor:
    """Fit boosted trees; cross-validation inside these rows chooses the number of rounds.

    Give it the training part only: what is reported must not have chosen anything. The same rows
    and seed give the same model.

    Args:
        features: (n, F), n at least 10.
        losses: (n,) in nats.
        seed: of the folds, the row and feature samples and the thresholds.
        n_threads: fixed by the caller, not by the machine. For so few rows one is about as fast as
            several, and far faster where the cores are busy.
        max_rounds: upper limit of the rounds.

    Raises:
        ValueError: fewer than 10 rows, shapes that disagree, or a value that is NaN or infinite.
    """
    matrix, target = _training_part(features, losses)
    rng = np.random.default_rng(seed)
    settings = {
        **_SETTINGS,
        "min_data_in_leaf": int(np.clip(len(target) // 20, 3, 10)),
        "num_threads": n_threads,
        "seed": int(rng.integers(2**31)),
    }
    everything = np.arange(len(target))
    folds = np.array_split(rng.permutation(len(target)), N_FOLDS)
    history: dict[str, Any] = lgb.cv(
        settings,
        lgb.Dataset(matrix, target),
        num_boost_round=max_rounds,
        folds=[(np.setdiff1d(everything, fold), np.sort(fold)) for fold in folds],
        callbacks=[lgb.early_stopping(PATIENCE_ROUNDS, verbose=False)],
    )
    n_rounds = len(history["valid l2-mean"])
    booster = lgb.train(settings, lgb.Dataset(matrix, target), num_boost_round=n_rounds)
    return LightGBMRegressor(booster, float(target.mean()), len(target), n_threads)


def fit_svr(kind: Literal["linear", "rbf"], features: ArrayLike, losses: ArrayLike) -> SVRRegressor:
    """Fit support vector regression, with features and losses scaled to mean 0 and deviation 1.

    Losses are scaled too because the margin within which errors cost nothing is absolute, and all
    losses of proxies lie within it.

    Args:
        kind: of the kernel.
        features: (n, F), n at least 10.
        losses: (n,) in nats.

    Raises:
        ValueError: as in `fit_lightgbm`, or an unknown kind.
    """
    if kind not in ("linear", "rbf"):
        raise ValueError(f"kind is {kind!r}; expected 'linear' or 'rbf'")
    matrix, target = _training_part(features, losses)
    pipeline = TransformedTargetRegressor(
        make_pipeline(StandardScaler(), SVR(kernel=kind)), transformer=StandardScaler()
    ).fit(matrix, target)
    return SVRRegressor(pipeline, float(target.mean()))


def standard_fits(
    *, seed: int, n_threads: int = 1
) -> dict[str, Callable[[FloatArray, FloatArray], Regressor]]:
    """The regressors that are compared, by name; each fits features (n, F) to losses (n,)."""
    return {
        "LightGBM": lambda x, y: fit_lightgbm(x, y, seed=seed, n_threads=n_threads),
        "SVR, linear": lambda x, y: fit_svr("linear", x, y),
        "SVR, RBF": lambda x, y: fit_svr("rbf", x, y),
    }


def _training_part(features: ArrayLike, losses: ArrayLike) -> tuple[FloatArray, NDArray[Any]]:
    target = check_floats("losses", losses, (None,))
    matrix = check_floats("features", features, (len(target), None))
    if len(target) < MIN_ROWS:
        raise ValueError(
            f"{len(target)} rows to fit a regressor to; expected at least {MIN_ROWS}: "
            "train more proxies first"
        )
    return matrix, target
