"""Fits regressors of any kind, and reads them from JSON."""

from typing import Any, cast

from numpy.typing import ArrayLike

from quadmix_assets.search.regressors.base import MIN_ROWS, Regressor, training_part
from quadmix_assets.search.regressors.registry import REGRESSORS
from quadmix_assets.settings.regressor import RegressorSettings


def regressor_settings(kind: str) -> RegressorSettings:
    """The settings of a kind of regressor with its default options.

    Raises:
        ValueError: there is no such kind; the message names all.
    """
    if kind not in REGRESSORS.kinds:
        raise ValueError(
            f"no regressor is named {kind!r}; there are: {', '.join(REGRESSORS.kinds)}"
        )
    return cast(RegressorSettings, REGRESSORS.settings_class(kind)(kind=kind))


def fit_regressor(
    regressor: RegressorSettings | str,
    inputs: ArrayLike,
    losses: ArrayLike,
    *,
    seed: int,
    n_threads: int = 1,
) -> Regressor:
    """Fit a regressor to inputs (n, F) and losses (n,), n at least 10.

    Hyperparameters are chosen by cross-validation or marginal likelihood inside these rows. The
    same rows and seed give the same regressor.

    Args:
        regressor: its settings, or the name of a kind with default options.
        inputs: (n, F), without the held-out part.
        losses: (n,) in nats.
        seed: of folds, samples and thresholds.
        n_threads: of LightGBM; their number does not change the result.

    Raises:
        ValueError: an unknown kind, fewer than 10 rows, shapes that disagree, or a value that is
            NaN or infinite.
    """
    if isinstance(regressor, str):
        regressor = regressor_settings(regressor)
    matrix, target = training_part(inputs, losses, least=MIN_ROWS)
    return regressor.fit(matrix, target, seed=seed, n_threads=n_threads)


def regressor_from_json(values: dict[str, Any]) -> Regressor:
    """The inverse of a regressor's `to_json`; its predictions are identical.

    Raises:
        ValueError: the values are not what `to_json` gives.
    """
    try:
        settings_class = cast(type[RegressorSettings], REGRESSORS.settings_class(values["kind"]))
        return settings_class.from_json(values)
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(
            f"{str(values)[:60]}...: expected what a regressor's to_json gives "
            f"({type(error).__name__}: {error})"
        ) from error
