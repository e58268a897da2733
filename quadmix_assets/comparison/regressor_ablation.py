"""What regressors learn from more proxies, and from other inputs than those in use."""

from typing import Any

import numpy as np
import polars as pl

from quadmix_assets.outputs import REGRESSOR
from quadmix_assets.proxies.evidence import read_evidence
from quadmix_assets.search.fit import make_regressor_inputs, measured_inputs
from quadmix_assets.search.metrics import spearman, split_held_out, training_sizes
from quadmix_assets.search.regressors.fitting import fit_regressor
from quadmix_assets.seeds import derive_seed
from quadmix_assets.settings import Settings
from quadmix_assets.store import Store

REALISED, EXPECTED, THETA = "documents read", "documents expected", "theta"
"""What a regressor learns from: of each proxy what it read, of its theta what it would read in the
mean, or the entries of theta, as in the paper."""

REGRESSORS_SCHEMA = {
    "target": pl.String,
    "learned_from": pl.String,
    "regressor": pl.String,
    "n_proxies": pl.Int64,
    "n_held_out": pl.Int64,
    "mae_nats": pl.Float64,
    "constant_mae_nats": pl.Float64,
    "spearman": pl.Float64,
}


def made_from(store: Store, settings: Settings) -> dict[str, Any]:
    """All that decides on `regressor_table`; empty where no regressor was fitted."""
    folder = store.root / REGRESSOR
    if not folder.exists():
        return {}
    return {
        # Of the regressors in use: they are of the present proxies, or loading them says so.
        "regressor": store.fingerprint(folder),
        "targets": list(settings.target_names),
        "held_out_share": settings.search.held_out_share,
        "seed": settings.seed,
    }


def regressor_table(store: Store, settings: Settings) -> pl.DataFrame:
    """Errors of the regressor in use on held-out thetas: columns of REGRESSORS_SCHEMA.

    All are asked as the search asks: of a theta, by the documents that it would take in the mean,
    or by its entries. What is learned from what proxies read is fitted to more and more of them,
    the paper's Figure 3; the other inputs to all of the training part. Empty where no regressor
    was fitted.

    Args:
        store: the lake, with the proxies and the proxy pool.
        settings: of the regressor and the held-out part.

    Raises:
        MissingOutputError: a table of the swarm is gone.
        ValueError: there are too few proxies to fit a regressor to.
    """
    if not made_from(store, settings):
        return pl.DataFrame(schema=REGRESSORS_SCHEMA)
    evidence = read_evidence(store, settings)
    by_documents, by_theta = (_with_inputs(settings, of) for of in ("mixture", "theta"))
    expected_of = make_regressor_inputs(store, by_documents)
    expected = expected_of(evidence.parameters)
    theta = make_regressor_inputs(store, by_theta)(evidence.parameters)
    realised = measured_inputs(store, by_documents, evidence, expected_of)
    train, held_out = split_held_out(
        len(theta),
        share=settings.search.held_out_share,
        seed=derive_seed(settings.seed, "held_out"),
    )
    seed = derive_seed(settings.seed, "regressor_ablation") % 2**31
    # A larger training part contains the smaller ones.
    order = np.random.default_rng(seed).permutation(train)
    rows = []
    for target in settings.target_names:
        losses = evidence.losses(target)
        for name, learned, asked in (
            (REALISED, realised, expected),
            (EXPECTED, expected, expected),
            (THETA, theta, theta),
        ):
            sizes = training_sizes(len(train)) if name == REALISED else [len(train)]
            for size in sizes:
                part = np.sort(order[:size])
                fitted = fit_regressor(
                    settings.search.regressor,
                    learned[part],
                    losses[part],
                    seed=seed,
                    n_threads=settings.search.n_threads,
                )
                predicted = fitted.predict(asked[held_out])
                true = losses[held_out]
                rows.append(
                    {
                        "target": target,
                        "learned_from": name,
                        "regressor": settings.search.regressor.title,
                        "n_proxies": size,
                        "n_held_out": len(held_out),
                        "mae_nats": float(np.abs(predicted - true).mean()),
                        "constant_mae_nats": float(np.abs(losses[part].mean() - true).mean()),
                        "spearman": spearman(predicted, true),
                    }
                )
    return pl.DataFrame(rows, schema=REGRESSORS_SCHEMA)


def _with_inputs(settings: Settings, inputs: str) -> Settings:
    search = settings.search.model_copy(update={"regressor_inputs": inputs})
    return settings.model_copy(update={"search": search})
