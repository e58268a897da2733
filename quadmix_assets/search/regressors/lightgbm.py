"""LightGBM, the paper's regressor."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

import numpy as np
from numpy.typing import ArrayLike
from pydantic import Field

from quadmix_assets.sampling.validation import FloatArray, IntArray, check_floats
from quadmix_assets.search.regressors.base import folds_of, others, training_part
from quadmix_assets.settings.base import PositiveInt
from quadmix_assets.settings.regressor import RegressorSettings

if TYPE_CHECKING:
    import lightgbm as lgb

PATIENCE_ROUNDS = 100
# By what share of itself the squared error must fall within these rounds. Exact thresholds go on
# gaining less than that for thousands of rounds.
_LEAST_GAIN = 0.001
_N_BAGS = 8

_PARAMETERS = {
    "objective": "regression",
    "metric": "l2",
    "lambda_l2": 1.0,
    "deterministic": True,
    "force_row_wise": True,
    "feature_pre_filter": False,
    "verbosity": -1,
}
# Two ways to grow trees, of which cross-validation chooses: random thresholds on samples of rows
# and inputs, which average noise out, and exact ones on all of them, which resolve more.
_GROWN = (
    {
        "extra_trees": True,
        "feature_fraction": 0.8,
        "bagging_fraction": 0.8,
        "bagging_freq": 1,
    },
    {"extra_trees": False},
)
# From so many rows on trees have so many leaves: the least errors on 32 to 512 published proxies of
# RegMix and Olmix (`benchmarks/RESULTS.md`). More leaves fit the noise of fewer rows.
_LEAVES_FROM_ROWS = ((512, 16), (128, 8), (0, 4))


class LightGBMSettings(RegressorSettings):
    """Boosted trees, the paper's regressor."""

    kind: Literal["lightgbm"] = "lightgbm"
    label: ClassVar[str] = "LightGBM"
    n_leaves: Annotated[int, Field(ge=2)] | Literal["auto"] = Field(
        default="auto",
        description="leaves of a tree; auto: 4, from 128 proxies on 8, from 512 on 16, since "
        "larger trees fit the noise of few proxies",
    )
    learning_rate: Annotated[float, Field(gt=0.0, le=1.0)] = Field(
        default=0.05,
        description="shrinkage of each tree; cross-validation chooses the number of trees to match",
    )
    max_rounds: PositiveInt = Field(
        default=3_000,
        description="largest number of trees; far more than cross-validation chooses at the "
        "default rate",
    )

    def fit(
        self, inputs: FloatArray, losses: FloatArray, *, seed: int, n_threads: int
    ) -> "LightGBMRegressor":
        """As in `RegressorSettings`."""
        return LightGBMRegressor.fit(inputs, losses, seed=seed, n_threads=n_threads, settings=self)

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> "LightGBMRegressor":
        """As in `RegressorSettings`."""
        return LightGBMRegressor.from_json(values)


def _n_leaves(options: LightGBMSettings, n_rows: int) -> int:
    if options.n_leaves != "auto":
        return options.n_leaves
    return next(leaves for rows, leaves in _LEAVES_FROM_ROWS if n_rows >= rows)


class _StopsWhereNothingIsGained:
    """Ends a cross-validation as `lightgbm.early_stopping` does, by a share of the error itself.

    LightGBM's own callback compares gains with a fixed number, but errors of loss-like targets
    differ by orders of magnitude.
    """

    def __init__(self) -> None:
        self._least, self._round = np.inf, 0

    def __call__(self, env: "lgb.callback.CallbackEnv") -> None:
        """Called after every round."""
        from lightgbm.callback import EarlyStopException

        results = env.evaluation_result_list or []
        error = results[0][2]
        if error < (1.0 - _LEAST_GAIN) * self._least:
            self._least, self._round = error, env.iteration
        elif env.iteration - self._round >= PATIENCE_ROUNDS:
            raise EarlyStopException(self._round, results)


@dataclass(frozen=True, eq=False)
class LightGBMRegressor:
    """Boosted trees from regressor inputs to loss.

    Attributes:
        booster: LightGBM's model.
        make_bags: fits models to bootstrap samples of the rows, for the standard deviation; most
            regressors, those of cross-validations, are never asked for one.
        training_mean: mean loss of the training part, in nats.
        n_threads: threads of a prediction; their number does not change it.
    """

    booster: "lgb.Booster"
    make_bags: Callable[[], tuple["lgb.Booster", ...]]
    training_mean: float
    n_threads: int

    @cached_property
    def bags(self) -> tuple["lgb.Booster", ...]:
        """Models fitted to bootstrap samples of the rows."""
        return self.make_bags()

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
        settings: LightGBMSettings | None = None,
    ) -> "LightGBMRegressor":
        """Fit boosted trees.

        Cross-validation inside these rows chooses the number of rounds, and whether thresholds are
        random or exact.

        Args:
            inputs: (n, F), n at least 10.
            losses: (n,) in nats.
            seed: of the folds, the samples of rows and inputs, and the thresholds.
            n_threads: fixed by the caller, not by the machine. For so few rows one is about as
                fast as several, and far faster where the cores are busy.
            settings: options; None takes the defaults.

        Raises:
            ValueError: as in `training_part`.
        """
        # Imported in functions: settings are also read where nothing is fitted.
        import lightgbm as lgb

        matrix, target = training_part(inputs, losses)
        n = len(target)
        options = settings or LightGBMSettings()
        common = {
            **_PARAMETERS,
            "num_leaves": _n_leaves(options, n),
            "learning_rate": options.learning_rate,
            "min_data_in_leaf": int(np.clip(n // 20, 3, 10)),
            "num_threads": n_threads,
            "seed": int(np.random.default_rng(seed).integers(2**31)),
        }
        folds = [(others(n, fold), fold) for fold in folds_of(n, seed)]
        least = np.inf
        for grown in _GROWN:
            tried = {**common, **grown}
            history: dict[str, Any] = lgb.cv(
                tried,
                lgb.Dataset(matrix, target),
                num_boost_round=options.max_rounds,
                folds=folds,
                callbacks=[_StopsWhereNothingIsGained()],
            )
            # The history ends with the best round.
            errors = history["valid l2-mean"]
            if errors[-1] < least:
                least, n_rounds, parameters = errors[-1], len(errors), tried

        def train(rows: IntArray) -> "lgb.Booster":
            data = lgb.Dataset(matrix[rows], target[rows])
            return lgb.train(parameters, data, num_boost_round=n_rounds)

        def make_bags() -> tuple["lgb.Booster", ...]:
            rng = np.random.default_rng([seed, 1])
            return tuple(train(np.sort(rng.integers(n, size=n))) for _ in range(_N_BAGS))

        return cls(train(np.arange(n)), make_bags, float(target.mean()), n_threads)

    @property
    def n_rounds(self) -> int:
        """How many trees there are, as cross-validation chose."""
        return int(self.booster.current_iteration())

    def predict(self, inputs: ArrayLike) -> FloatArray:
        """As in `Regressor`."""
        return self._of(self.booster, inputs)

    def standard_deviation(self, inputs: ArrayLike) -> FloatArray:
        """As in `Regressor`: that of the predictions of models fitted to bootstrap samples."""
        predicted = [self._of(bag, inputs) for bag in self.bags]
        return np.asarray(np.std(predicted, axis=0, ddof=1))

    def input_importance(self) -> FloatArray:
        """As in `ExplainsInputs`: the share of squared error that an input's splits removed."""
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
        """The inverse of `to_json`; its predictions are identical."""
        import lightgbm as lgb

        bags = tuple(lgb.Booster(model_str=text) for text in values["bags"])
        return cls(
            lgb.Booster(model_str=values["booster"]),
            lambda: bags,
            values["training_mean"],
            values["n_threads"],
        )

    def _of(self, booster: "lgb.Booster", inputs: ArrayLike) -> FloatArray:
        matrix = check_floats("inputs", inputs, (None, booster.num_feature()))
        if not len(matrix):
            return np.empty(0)
        return np.asarray(booster.predict(matrix, num_threads=self.n_threads))
