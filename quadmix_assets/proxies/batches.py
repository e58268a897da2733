"""Thetas on disk, the batches in which they are trained, and what their proxies showed.

Round 0 are the thetas of Algorithm 1 (`parameter_sets`); a refinement adds rounds of further ones.
Thetas are numbered through all rounds, and every round is a file of its own, so that a new round
does not touch what the earlier ones showed.
"""

import json
from dataclasses import dataclass

import numpy as np
import polars as pl
from upath import UPath

from quadmix_assets.outputs import (
    PARAMETER_SETS,
    PROXY_METRICS,
    PROXY_POOL,
    REFINEMENT,
    TARGET_SETS,
)
from quadmix_assets.sampling import Parameters, Theta, feature_names, sample_parameters
from quadmix_assets.sampling.validation import FloatArray
from quadmix_assets.seeds import derive_seed
from quadmix_assets.settings import Settings
from quadmix_assets.store import MissingOutputError, Store


def write_parameter_sets(store: Store, settings: Settings) -> Parameters:
    """Draw all thetas by Algorithm 1 and store them: theta, proxy_batch, one column an entry.

    Rounds that refined earlier thetas are removed.
    """
    parameters = sample_parameters(
        settings.parameters.n,
        len(settings.criterion_names),
        len(settings.domain_names),
        seed=derive_seed(settings.seed, PARAMETER_SETS),
        omega_max=settings.parameters.omega_max,
        lambda_prior=settings.parameters.lambda_prior,
        scale_max=settings.parameters.scale_max,
    )
    store.remove_folder(store.root / REFINEMENT)
    _write_round(store, settings, 0, parameters, first=0)
    return parameters


def write_round(store: Store, settings: Settings, number: int, parameters: Parameters) -> list[str]:
    """Store the thetas of a further round, in place of any that has that number.

    Returns:
        The names of its batches.
    """
    earlier = sum(store.n_rows(_round_path(store, before)) for before in range(number))
    return _write_round(store, settings, number, parameters, first=earlier)


def n_rounds(store: Store) -> int:
    """How many rounds there are beyond the first."""
    return len(list((store.root / REFINEMENT).glob("*.parquet"))) if _refined(store) else 0


def batch_names(store: Store, round_number: int) -> list[str]:
    """The batches of a round, in order.

    Raises:
        MissingOutputError: there is no such round.
    """
    table = store.read_table(_round_path(store, round_number), ["proxy_batch"])
    return table["proxy_batch"].unique().sort().to_list()


def batch_key(round_number: int, index: int) -> str:
    """The name of a proxy batch: its round, unless that is the first, and its number in it."""
    batch = f"batch-{index:05d}"
    return batch if round_number == 0 else f"round-{round_number}-{batch}"


def round_of(batch: str) -> int:
    """The round that a batch belongs to, from its name."""
    return int(batch.split("-")[1]) if batch.startswith("round-") else 0


def read_parameter_sets(store: Store, settings: Settings) -> tuple[pl.DataFrame, Parameters]:
    """The stored table (theta, proxy_batch) of all rounds and the thetas in its order.

    Raises:
        MissingOutputError: there is none, or it was drawn for other criteria or domains.
    """
    rounds = [store.read_table(_round_path(store, number)) for number in range(n_rounds(store) + 1)]
    names = _names(settings)
    if any(table.columns[2:] != names for table in rounds):
        raise MissingOutputError(
            "parameter_sets was drawn for other criteria or domains than the settings name now: "
            "materialise the asset 'parameter_sets' and the proxies again"
        )
    table = pl.concat(rounds)
    parameters = Parameters.from_features(
        table.select(names).to_numpy(), len(settings.criterion_names), len(settings.domain_names)
    )
    return table.select("theta_id", "proxy_batch"), parameters


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
        rounds: (n,) the round of each.
        parameters: the n thetas.
        n_failed: thetas that failed, and are left out of `numbers`.
        n_stale: thetas that were trained on other thetas, pools, targets or recipes than those
            that are there now, and are left out of everything.
    """

    metrics: pl.DataFrame
    numbers: np.ndarray
    rounds: np.ndarray
    parameters: Parameters
    n_failed: int
    n_stale: int

    def losses(self, target: str) -> FloatArray:
        """Loss in nats per token (n,) on one target set."""
        rows = self.metrics.filter(
            (pl.col("target") == target) & pl.col("theta_id").is_in(self.numbers.tolist())
        )
        return rows["loss_nats"].to_numpy()


def pool_version(store: Store, batch: str) -> dict[str, str]:
    """Which thetas and which proxy pool a batch is made of now.

    Raises:
        MissingOutputError: one of them has not been made.
    """
    return {
        PARAMETER_SETS: store.fingerprint(_round_path(store, round_of(batch))),
        PROXY_POOL: store.fingerprint(store.root / PROXY_POOL),
    }


def read_current(store: Store, asset: str, batch: str) -> pl.DataFrame:
    """The table of a batch, if it belongs to the thetas and the proxy pool of now.

    Raises:
        MissingOutputError: it is not there, or was made from others.
    """
    path = store.table_path(asset, batch)
    if store.summary(path).get("version") != pool_version(store, batch):
        raise MissingOutputError(
            f"{path} was made from other thetas or another proxy pool than are there now: "
            f"materialise the asset {asset!r}, partition {batch!r}, again"
        )
    return store.read_table(path)


def evidence_version(store: Store, settings: Settings, batch: str) -> dict[str, str]:
    """What the losses of a batch belong to: a loss of another version is no evidence.

    Raises:
        MissingOutputError: one of the inputs has not been made.
    """
    training = json.dumps(settings.proxies.training.model_dump(mode="json"), sort_keys=True)
    return {
        **pool_version(store, batch),
        TARGET_SETS: store.fingerprint(store.root / TARGET_SETS),
        "training": training,
    }


def read_evidence(store: Store, settings: Settings) -> Evidence:
    """Everything that the trained batches showed about the pool, thetas and targets of today.

    Raises:
        MissingOutputError: no batch has been trained on them.
    """
    table, parameters = read_parameter_sets(store, settings)
    frames, n_stale = [], 0
    versions: dict[int, dict[str, str]] = {}
    for batch in table["proxy_batch"].unique().sort():
        path = store.table_path(PROXY_METRICS, batch)
        if not path.exists():
            continue
        if round_of(batch) not in versions:
            versions[round_of(batch)] = evidence_version(store, settings, batch)
        metrics = store.read_table(path)
        if store.summary(path).get("version") == versions[round_of(batch)]:
            frames.append(metrics)
        else:
            n_stale += metrics["theta_id"].n_unique()
    if not frames:
        raise MissingOutputError(
            "no proxy has been trained on the proxy pool, thetas and target sets that are there "
            f"now ({n_stale} were on older ones): materialise the partitions of 'merged_ranks', "
            "'sampled_subset' and 'proxy_metrics'"
        )
    metrics = pl.concat(frames).sort("theta_id", "target")
    failed = set(metrics.filter(pl.col("status") == "failed")["theta_id"])
    numbers = np.array(sorted(set(metrics["theta_id"]) - failed), dtype=np.int64)
    if not len(numbers):
        raise MissingOutputError(
            f"all {len(failed)} proxies failed, the first because: "
            f"{metrics['reason'].drop_nulls()[0]}"
        )
    batches = table["proxy_batch"].to_list()
    rounds = np.array([round_of(batches[number]) for number in numbers])
    return Evidence(metrics, numbers, rounds, parameters[numbers], len(failed), n_stale)


def _write_round(
    store: Store, settings: Settings, number: int, parameters: Parameters, *, first: int
) -> list[str]:
    size = settings.proxies.batch_size
    batches = [batch_key(number, index // size) for index in range(len(parameters))]
    entries = parameters.as_features(scaled=_scaled(settings))
    numbers = pl.int_range(first, first + len(parameters), dtype=pl.Int32, eager=True)
    table = pl.DataFrame(entries, schema=_names(settings), orient="row").select(
        numbers.alias("theta_id"), pl.Series("proxy_batch", batches), pl.col("*")
    )
    store.write_table(_round_path(store, number), table)
    return sorted(set(batches))


def _round_path(store: Store, number: int) -> UPath:
    if number == 0:
        return store.table_path(PARAMETER_SETS)
    return store.table_path(REFINEMENT, f"round-{number}")


def _refined(store: Store) -> bool:
    return (store.root / REFINEMENT).exists()


def _names(settings: Settings) -> list[str]:
    return feature_names(settings.criterion_names, settings.domain_names, scaled=_scaled(settings))


def _scaled(settings: Settings) -> bool:
    return settings.parameters.scale_max > 1
