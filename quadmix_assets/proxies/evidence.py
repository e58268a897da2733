"""Reads the losses of the proxies that were trained on the current inputs.

The footer of a batch's table stores the version of its inputs: thetas, proxy pool, target sets and
recipe. Losses of another version are never mixed with those of the current one.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl
from upath import UPath

from quadmix_assets.outputs import (
    PARAMETER_SETS,
    PROXY_EVALUATION,
    PROXY_METRICS,
    PROXY_POOL,
    TARGET_SETS,
)
from quadmix_assets.proxies.measure import with_measure
from quadmix_assets.proxies.parameter_sets import read_parameter_sets, round_of, round_path
from quadmix_assets.sampling import Parameters
from quadmix_assets.sampling.validation import FloatArray
from quadmix_assets.seeds import derive_seed
from quadmix_assets.settings import Settings
from quadmix_assets.store import MissingOutputError, Store

# The rules by which a proxy reads its sample; raised when they change.
_READING = 2


@dataclass(frozen=True)
class Evidence:
    """The losses of the proxies and the thetas they belong to: the data that regressors learn from.

    Attributes:
        metrics: one row per theta and target, ordered by theta_id; all of one evidence version.
            loss_nats is what the settings measure the target by (see `with_measure`).
        theta_ids: (n,) the thetas that were trained, ascending.
        rounds: (n,) the round of each.
        parameters: the n thetas.
        n_failed: thetas whose proxies failed; they are in `metrics` only.
        n_stale: thetas whose losses have another evidence version than the current one, because
            thetas, proxy pool, target sets or recipe have changed; they are left out.
    """

    metrics: pl.DataFrame
    theta_ids: np.ndarray
    rounds: np.ndarray
    parameters: Parameters
    n_failed: int
    n_stale: int

    @property
    def samples(self) -> pl.DataFrame:
        """theta_id and n_tokens_sample, the tokens of its sample, of `theta_ids` in order."""
        trained = self.metrics.filter(pl.col("theta_id").is_in(self.theta_ids.tolist()))
        rows = trained.unique("theta_id", keep="first", maintain_order=True)
        return rows.select("theta_id", "n_tokens_sample")

    def losses(self, target: str) -> FloatArray:
        """Losses (n,) of `theta_ids` on one target set, in nats per token or question."""
        rows = self.metrics.filter(
            (pl.col("target") == target) & pl.col("theta_id").is_in(self.theta_ids.tolist())
        )
        return rows["loss_nats"].to_numpy()


def pool_version(store: Store, batch: str) -> dict[str, str]:
    """Fingerprints of the thetas and the proxy pool that a batch is computed from now.

    Raises:
        MissingOutputError: one of them has not been made.
    """
    return {
        PARAMETER_SETS: store.fingerprint(round_path(store, round_of(batch))),
        PROXY_POOL: store.fingerprint(store.root / PROXY_POOL),
    }


def read_current(store: Store, asset: str, batch: str) -> pl.DataFrame:
    """The table of a batch, if it was computed from the current thetas and proxy pool.

    Raises:
        MissingOutputError: it is not there, or was computed from other inputs.
    """
    path = store.table_path(asset, batch)
    if store.summary(path).get("version") != pool_version(store, batch):
        raise MissingOutputError(
            f"{path} was made from other thetas or another proxy pool than the current ones: "
            f"materialise the asset {asset!r}, partition {batch!r}, again"
        )
    return store.read_table(path)


def training_version(store: Store, settings: Settings, batch: str) -> dict[str, str]:
    """All inputs that the training of a batch's proxies depends on.

    Raises:
        MissingOutputError: one of the inputs has not been made.
    """
    return {**pool_version(store, batch), **recipe_version(settings, PROXY_METRICS)}


def recipe_version(settings: Settings, purpose: str) -> dict[str, str]:
    """How proxies are trained, what they read of their samples, and their initial weights.

    Compiling counts where it is asked for, since it changes the last digits. What `auto` makes of
    it does not: that follows from the kind of device, which belongs to no version, or else a
    machine without a GPU would take the losses of one with it for stale.

    Args:
        settings: of the profile.
        purpose: in the seed of the initial weights.
    """
    training = json.dumps(settings.proxies.training.model_dump(mode="json"), sort_keys=True)
    reading = {
        "rules": _READING,
        "target_epochs": settings.proxies.target_epochs,
        "max_document_share": settings.proxies.max_document_share,
    }
    compiled = {"compiled": "on"} if settings.proxies.compile == "on" else {}
    return {
        **compiled,
        "training": training,
        "initial_weights": str(derive_seed(settings.seed, purpose)),
        "reading": json.dumps(reading, sort_keys=True),
    }


def evidence_version(store: Store, settings: Settings, batch: str) -> dict[str, str]:
    """All inputs that the losses of a batch depend on; losses of another version are not used.

    Raises:
        MissingOutputError: one of the inputs has not been made.
    """
    return {
        **training_version(store, settings, batch),
        TARGET_SETS: store.fingerprint(store.root / TARGET_SETS),
        "max_target_tokens": str(settings.proxies.max_target_tokens),
    }


def current_losses(store: Store, batch: str, version: Mapping[str, str]) -> UPath | None:
    """The table of a batch's losses of that version; None if there is none.

    They were measured after the training, or on kept weights since.
    """
    for asset in (PROXY_METRICS, PROXY_EVALUATION):
        path = store.table_path(asset, batch)
        if store.exists(path) and store.summary(path).get("version") == version:
            return path
    return None


def is_trained(store: Store, settings: Settings, batch: str) -> bool:
    """Whether a batch has losses that were measured on the current inputs.

    Raises:
        MissingOutputError: it has losses, but one of the inputs is not there.
    """
    if not store.exists(store.table_path(PROXY_METRICS, batch)):
        return False
    return current_losses(store, batch, evidence_version(store, settings, batch)) is not None


def read_evidence(store: Store, settings: Settings) -> Evidence:
    """The losses of all batches trained on the current thetas, proxy pool, targets and recipe.

    Raises:
        MissingOutputError: no batch has been trained on them, all proxies failed, or metrics were
            written by an older version of this package.
    """
    table, parameters = read_parameter_sets(store, settings)
    frames, n_stale = [], 0
    versions: dict[int, dict[str, str]] = {}
    for batch in table["proxy_batch"].unique().sort():
        path = store.table_path(PROXY_METRICS, batch)
        if not store.exists(path):
            continue
        if round_of(batch) not in versions:
            versions[round_of(batch)] = evidence_version(store, settings, batch)
        current = current_losses(store, batch, versions[round_of(batch)])
        metrics = store.read_table(current or path)
        if "theta_id" not in metrics.columns:
            raise MissingOutputError(
                f"{path} has no column 'theta_id': it was written by an older version of this "
                f"package; materialise the asset 'proxy_metrics', partition {batch!r}, again"
            )
        if current is not None:
            frames.append(metrics)
        else:
            n_stale += metrics["theta_id"].n_unique()
    if not frames:
        raise MissingOutputError(
            "no proxy has been trained with the current thetas, proxy pool, target sets and "
            f"recipe ({n_stale} were on older ones): materialise the partitions of "
            "'merged_ranks', 'sampled_subset' and 'proxy_metrics'"
        )
    metrics = with_measure(pl.concat(frames).sort("theta_id", "target"), settings)
    failed = set(metrics.filter(pl.col("status") == "failed")["theta_id"])
    theta_ids = np.array(sorted(set(metrics["theta_id"]) - failed), dtype=np.int64)
    if not len(theta_ids):
        raise MissingOutputError(
            f"all {len(failed)} proxies failed, the first because: "
            f"{metrics['reason'].drop_nulls()[0]}"
        )
    batches = table["proxy_batch"].to_list()
    rounds = np.array([round_of(batches[theta_id]) for theta_id in theta_ids])
    return Evidence(metrics, theta_ids, rounds, parameters[theta_ids], len(failed), n_stale)
