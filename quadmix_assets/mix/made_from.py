"""What theta* and the rank calibration of a mix were made from, recorded when they are frozen.

The record lies beside the calibration instead of in it: a proxy batch that is trained again with
the same losses has another fingerprint and leaves theta* as it is, and the mix with it.
"""

from typing import Any, cast

from quadmix_assets.mix.guards import Guards
from quadmix_assets.outputs import (
    CALIBRATED_FROM,
    OPTIMAL_PARAMS,
    OPTIMUM_CHECK,
    PARAMETER_SETS,
    PROXY_EVALUATION,
    PROXY_METRICS,
    PROXY_POOL,
    PROXY_REPEATS,
    RANK_CALIBRATION,
    REFERENCE_POOL,
    REFINEMENT,
    REGRESSOR,
    SCORED_REFERENCE_POOL,
    TARGET_SETS,
)
from quadmix_assets.proxies.parameter_sets import batch_names, n_rounds
from quadmix_assets.store import MissingOutputError, Store

_FILE = "made_from.json"
_ASSETS = (
    REFERENCE_POOL,
    SCORED_REFERENCE_POOL,
    TARGET_SETS,
    PROXY_POOL,
    PARAMETER_SETS,
    PROXY_EVALUATION,
    REFINEMENT,
    PROXY_REPEATS,
    REGRESSOR,
    OPTIMAL_PARAMS,
)


def upstream_fingerprints(store: Store) -> dict[str, Any]:
    """Fingerprints of what theta* depends on, as it is in the lake now.

    One for each of `target_sets`, `proxy_pool`, `parameter_sets`, `proxy_evaluation`,
    `proxy_repeats`, `refinement`, `regressor`, `optimal_params` and the reference pools that is
    there, and for `proxy_metrics` one per batch.
    """
    found: dict[str, Any] = {
        asset: store.fingerprint(store.root / asset)
        for asset in _ASSETS
        if (store.root / asset).exists()
    }
    batches = [
        (batch, store.table_path(PROXY_METRICS, batch))
        for number in range(n_rounds(store) + 1)
        for batch in batch_names(store, number)
    ]
    found[PROXY_METRICS] = {
        batch: store.fingerprint(path) for batch, path in batches if path.exists()
    }
    return found


def optimum_check_fingerprint(store: Store) -> str | None:
    """The fingerprint of theta*'s comparison with its baselines; None if it was not made."""
    path = store.table_path(OPTIMUM_CHECK)
    return store.fingerprint(path) if path.exists() else None


def write_made_from(store: Store, guards: Guards) -> None:
    """Record what the calibration was made from, and the guards that failed and were accepted."""
    store.write_json(
        store.path(CALIBRATED_FROM, _FILE),
        {
            "calibration": store.fingerprint(store.root / RANK_CALIBRATION),
            "fingerprints": upstream_fingerprints(store),
            "refinement_rounds": n_rounds(store),
            "guards": guards.to_json(),
        },
    )


def read_made_from(store: Store) -> dict[str, Any]:
    """The record: `fingerprints`, `refinement_rounds`, `guards`.

    Raises:
        MissingOutputError: there is none, or it is that of another calibration.
    """
    path = store.path(CALIBRATED_FROM, _FILE)
    again = "materialise the asset 'rank_calibration' again"
    if not path.exists():
        raise MissingOutputError(f"{path} is not there: {again}")
    stored = cast(dict[str, Any], store.read_json(path))
    if stored.pop("calibration") != store.fingerprint(store.root / RANK_CALIBRATION):
        raise MissingOutputError(f"{path} is the record of another calibration: {again}")
    return stored
