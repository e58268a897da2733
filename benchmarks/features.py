"""What regressors should see of a theta, on a swarm that was trained.

    python -m benchmarks.features --profile profiles/mine.yaml

Reads thetas and losses of a lake and predicts every proxy by regressors that were fitted to the
other folds. Features: the entries of theta (the paper's); what its sampling curves take of every
domain (share, epochs, mean rank); the mix that it makes (token shares and mean scores); theta and
mix together. Prints rank correlation, and the error in parts of a constant's, as means over the
target sets.
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
from quadmix_assets.sampling import expectation
from quadmix_assets.search.regressor_inputs import MixtureFeatures
from quadmix_assets.search.regressors import LABELS, fit_regressor
from quadmix_assets.settings import Settings, load_settings
from quadmix_assets.store import Store


def feature_sets(store: Store, settings: Settings, evidence: Evidence) -> dict[str, np.ndarray]:
    """By name, features (n, F) of all proxies."""
    thetas = evidence.parameters
    index = open_index(Path(str(store.root / PROXY_POOL)), settings)
    mixture = MixtureFeatures.of(index, settings.criterion_names, settings.domain_names)(thetas)
    taken = expectation(*(getattr(thetas, name) for name in thetas.beta))
    # The mix begins with the share of every domain.
    curves = [mixture[:, : index.n_domains], taken.epochs, taken.mean_rank]
    theta = thetas.as_features()
    return {
        "theta": theta,
        "curves": np.concatenate(curves, axis=1),
        "mixture": mixture,
        "theta and mixture": np.concatenate([theta, mixture], axis=1),
    }


def main() -> None:
    """Cross-validate, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--profile", required=True)
    parser.add_argument("--folds", type=int, default=8)
    parser.add_argument("--thetas", type=int, help="the first so many; default: all")
    parser.add_argument(
        "--kinds", nargs="+", default=["lightgbm", "svr_rbf", "ridge_log", "gaussian_process"]
    )
    options = parser.parse_args()
    settings = load_settings(options.profile)
    store = Store(settings.resolve(settings.lake))
    evidence = read_evidence(store, settings)
    n = min(options.thetas or len(evidence.theta_ids), len(evidence.theta_ids))
    sets = feature_sets(store, settings, evidence)
    folds = list(KFold(options.folds, shuffle=True, random_state=0).split(np.arange(n)))
    print(f"{n} proxies, {options.folds} folds, targets: {', '.join(settings.target_names)}")
    for name, features in sets.items():
        for kind in options.kinds:
            correlations, errors = [], []
            for target in settings.target_names:
                losses = evidence.losses(target)[:n]
                predicted = np.empty(n)
                for train, test in folds:
                    fitted = fit_regressor(kind, features[train], losses[train], seed=0)
                    predicted[test] = fitted.predict(features[test])
                correlations.append(float(spearmanr(predicted, losses).statistic))
                constant = np.abs(losses - losses.mean()).mean()
                errors.append(float(np.abs(predicted - losses).mean() / constant))
            each = " ".join(f"{value:.3f}" for value in correlations)
            print(
                f"{name:18} {LABELS[kind]:18} Spearman {np.mean(correlations):.3f} ({each})  "
                f"error {np.mean(errors):.3f} of a constant's",
                flush=True,
            )


if __name__ == "__main__":
    with threadpool_limits(1):
        main()
