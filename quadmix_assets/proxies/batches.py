"""Thetas on disk, and the batches in which they are trained."""

import json
from dataclasses import dataclass

import numpy as np
import polars as pl

from quadmix_assets.outputs import PARAMETER_SETS, PROXY_METRICS, PROXY_POOL, TARGET_SETS
from quadmix_assets.sampling import Parameters, Theta, feature_names, sample_parameters
from quadmix_assets.seeds import derive_seed
from quadmix_assets.settings import Settings
from quadmix_assets.store import MissingOutputError, Store


def write_parameter_sets(store: Store, settings: Settings) -> Parameters:
    """Draw all thetas by Algorithm 1 and store them: theta, proxy_batch, one column an entry."""
    parameters = sample_parameters(
        settings.parameters.n,
        len(settings.criterion_names),
        len(settings.domain_names),
        seed=derive_seed(settings.seed, PARAMETER_SETS),
        omega_max=settings.parameters.omega_max,
        lambda_prior=settings.parameters.lambda_prior,
    )
    table = _as_table(parameters, settings).with_columns(
        theta=pl.int_range(settings.parameters.n, dtype=pl.Int32, eager=True)
    )
    size = settings.proxies.batch_size
    batch = pl.format("batch-{}", (pl.col("theta") // size).cast(pl.String).str.zfill(5))
    store.write_table(
        store.table_path(PARAMETER_SETS),
        table.select("theta", batch.alias("proxy_batch"), pl.exclude("theta")),
    )
    return parameters


def read_parameter_sets(store: Store, settings: Settings) -> tuple[pl.DataFrame, Parameters]:
    """The stored table (theta, proxy_batch, ...) and the thetas in its order.

    Raises:
        MissingOutputError: there is none, or it was drawn for other criteria or domains.
    """
    table = store.read_table(store.table_path(PARAMETER_SETS))
    names = feature_names(settings.criterion_names, settings.domain_names)
    if table.columns[2:] != names:
        raise MissingOutputError(
            "parameter_sets was drawn for other criteria or domains than the settings name now: "
            "materialise the asset 'parameter_sets' and the proxies again"
        )
    parameters = Parameters.from_features(
        table.select(names).to_numpy(), len(settings.criterion_names), len(settings.domain_names)
    )
    return table.select("theta", "proxy_batch"), parameters


def read_batch(store: Store, settings: Settings, batch: str) -> dict[int, Theta]:
    """The thetas of one batch by number, in order.

    Raises:
        MissingOutputError: there are no thetas, or none in this batch.
    """
    table, parameters = read_parameter_sets(store, settings)
    thetas = {
        number: parameters[row]
        for row, (number, name) in enumerate(table.iter_rows())
        if name == batch
    }
    if not thetas:
        raise MissingOutputError(
            f"parameter_sets holds no thetas of the proxy batch {batch!r}: materialise the asset "
            "'parameter_sets' again, which also names the batches anew"
        )
    return thetas


@dataclass(frozen=True)
class Evidence:
    """What the proxies showed: everything that a regressor may learn from.

    Attributes:
        metrics: one row per theta and target, ordered by theta; all of one version.
        numbers: (n,) the thetas that were trained, in order.
        features: (n, F) their entries.
        n_failed: thetas that failed, and are left out of `numbers`.
        n_stale: thetas that were trained on other thetas, pools, targets or recipes than those
            that are there now, and are left out of everything.
    """

    metrics: pl.DataFrame
    numbers: np.ndarray
    features: np.ndarray
    n_failed: int
    n_stale: int

    def losses(self, target: str) -> np.ndarray:
        """Loss in nats per token (n,) on one target set."""
        rows = self.metrics.filter(
            (pl.col("target") == target) & pl.col("theta").is_in(self.numbers.tolist())
        )
        return rows["loss_nats"].to_numpy()


def pool_version(store: Store) -> dict[str, str]:
    """Which thetas and which proxy pool are there now.

    Raises:
        MissingOutputError: one of them has not been made.
    """
    return {
        PARAMETER_SETS: store.fingerprint(store.root / PARAMETER_SETS),
        PROXY_POOL: store.fingerprint(store.root / PROXY_POOL),
    }


def read_current(store: Store, asset: str, batch: str) -> pl.DataFrame:
    """The table of a batch, if it belongs to the thetas and the proxy pool of now.

    Raises:
        MissingOutputError: it is not there, or was made from others.
    """
    path = store.table_path(asset, batch)
    if store.summary(path).get("version") != pool_version(store):
        raise MissingOutputError(
            f"{path} was made from other thetas or another proxy pool than are there now: "
            f"materialise the asset {asset!r}, partition {batch!r}, again"
        )
    return store.read_table(path)


def evidence_version(store: Store, settings: Settings) -> dict[str, str]:
    """What a measured loss belongs to: a loss of another version is no evidence.

    Raises:
        MissingOutputError: one of the inputs has not been made.
    """
    training = json.dumps(settings.proxies.training.model_dump(mode="json"), sort_keys=True)
    return {
        **pool_version(store),
        TARGET_SETS: store.fingerprint(store.root / TARGET_SETS),
        "training": training,
    }


def read_evidence(store: Store, settings: Settings) -> Evidence:
    """Everything that the trained batches showed about the pool, thetas and targets of today.

    Raises:
        MissingOutputError: no batch has been trained on them.
    """
    table, parameters = read_parameter_sets(store, settings)
    version = evidence_version(store, settings)
    frames, n_stale = [], 0
    for batch in sorted(set(table["proxy_batch"])):
        path = store.table_path(PROXY_METRICS, batch)
        if not path.exists():
            continue
        metrics = store.read_table(path)
        if store.summary(path).get("version") == version:
            frames.append(metrics)
        else:
            n_stale += metrics["theta"].n_unique()
    if not frames:
        raise MissingOutputError(
            "no proxy has been trained on the proxy pool, thetas and target sets that are there "
            f"now ({n_stale} were on older ones): materialise the partitions of 'merged_ranks', "
            "'sampled_subset' and 'proxy_metrics'"
        )
    metrics = pl.concat(frames).sort("theta", "target")
    failed = set(metrics.filter(pl.col("status") == "failed")["theta"])
    numbers = np.array(sorted(set(metrics["theta"]) - failed), dtype=np.int64)
    if not len(numbers):
        raise MissingOutputError(
            f"all {len(failed)} proxies failed, the first because: "
            f"{metrics['reason'].drop_nulls()[0]}"
        )
    return Evidence(metrics, numbers, parameters.as_features()[numbers], len(failed), n_stale)


def _as_table(parameters: Parameters, settings: Settings) -> pl.DataFrame:
    names = feature_names(settings.criterion_names, settings.domain_names)
    return pl.DataFrame(parameters.as_features(), schema=names, orient="row")
