"""Compares regressor inputs, by cross-validation on proxies that were trained.

    python -m benchmarks.features --profile profiles/mine.yaml

Reads thetas and losses of a lake and predicts every proxy with regressors fitted on other folds.
Inputs: the entries of theta (the paper's); per domain its share of the mix, expected epochs and
mean rank (from the sampling functions); the expected mix (token shares and mean scores); the same
of what each proxy read; theta and mix together. Prints the rank correlation, and the mean absolute
error relative to the constant baseline's, as means over the target sets.
"""

import argparse
from pathlib import Path

import numpy as np
from scipy.stats import spearmanr
from sklearn.model_selection import KFold
from threadpoolctl import threadpool_limits

from quadmix_assets.outputs import PROXY_POOL
from quadmix_assets.proxies.evidence import Evidence, read_evidence
from quadmix_assets.proxies.proxy_pool import open_index
from quadmix_assets.search.fit import measured_inputs
from quadmix_assets.search.regressor_inputs import MixtureInputs
from quadmix_assets.search.regressors.fitting import fit_regressor, regressor_settings
from quadmix_assets.settings import Settings, load_settings
from quadmix_assets.store import Store


def input_sets(store: Store, settings: Settings, evidence: Evidence) -> dict[str, np.ndarray]:
    """Inputs (n, F) of all n proxies, by name."""
    thetas = evidence.parameters
    index = open_index(Path(str(store.root / PROXY_POOL)), settings)
    inputs_of = MixtureInputs.of(index, settings.criterion_names, settings.domain_names)
    mixture = inputs_of(thetas)
    taken = thetas.expectation()
    # The first M columns are the token shares of the domains.
    curves = [mixture[:, : index.n_domains], taken.epochs, taken.mean_rank]
    theta = thetas.as_features()
    return {
        "theta": theta,
        "curves": np.concatenate(curves, axis=1),
        "mixture": mixture,
        "mixture as read": measured_inputs(store, settings, evidence, inputs_of),
        "theta and mixture": np.concatenate([theta, mixture], axis=1),
    }


def main() -> None:
    """Cross-validate and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--profile", required=True)
    parser.add_argument("--folds", type=int, default=8)
    parser.add_argument("--thetas", type=int, help="use the first so many thetas; default: all")
    parser.add_argument(
        "--kinds", nargs="+", default=["lightgbm", "svr_rbf", "ridge_log", "gaussian_process"]
    )
    options = parser.parse_args()
    settings = load_settings(options.profile)
    store = Store(settings.resolve(settings.lake))
    evidence = read_evidence(store, settings)
    n = min(options.thetas or len(evidence.theta_ids), len(evidence.theta_ids))
    sets = input_sets(store, settings, evidence)
    folds = list(KFold(options.folds, shuffle=True, random_state=0).split(np.arange(n)))
    print(f"{n} proxies, {options.folds} folds, targets: {', '.join(settings.target_names)}")
    for name, inputs in sets.items():
        for kind in options.kinds:
            correlations, errors = [], []
            for target in settings.target_names:
                losses = evidence.losses(target)[:n]
                predicted = np.empty(n)
                for train, test in folds:
                    fitted = fit_regressor(kind, inputs[train], losses[train], seed=0)
                    predicted[test] = fitted.predict(inputs[test])
                correlations.append(float(spearmanr(predicted, losses).statistic))
                constant = np.abs(losses - losses.mean()).mean()
                errors.append(float(np.abs(predicted - losses).mean() / constant))
            each = " ".join(f"{value:.3f}" for value in correlations)
            print(
                f"{name:18} {regressor_settings(kind).label:18} "
                f"Spearman {np.mean(correlations):.3f} ({each})  "
                f"MAE {np.mean(errors):.3f} times the constant baseline's",
                flush=True,
            )


if __name__ == "__main__":
    with threadpool_limits(1):
        main()
