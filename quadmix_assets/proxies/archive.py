"""Keeps the losses of proxies whose thetas are no more, for as long as they were measured alike.

With a criterion or a domain more or less, all thetas are drawn anew and all proxies trained again.
The old ones say as much as before about what they read: where recipe, initial weights, tokenizer
and target sets are the same, `search/reuse.py` computes present regressor inputs for them.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import polars as pl
from upath import UPath

from quadmix_assets.hashing import hash_bytes
from quadmix_assets.outputs import (
    ARCHIVED_METRICS,
    ARCHIVED_READS,
    PARAMETER_SETS,
    PROXY_EVALUATION,
    PROXY_METRICS,
    PROXY_POOL,
    PROXY_READS,
)
from quadmix_assets.proxies.evidence import evidence_version
from quadmix_assets.proxies.measure import with_measure
from quadmix_assets.proxies.parameter_sets import round_of
from quadmix_assets.proxies.swarm_progress import batches_of_swarm
from quadmix_assets.settings import Settings
from quadmix_assets.store import Store, output_names

# What may have changed: how a proxy was chosen, not how its loss was measured.
_CHOICE = frozenset({PARAMETER_SETS, PROXY_POOL})


@dataclass(frozen=True, eq=False)
class OldBatch:
    """Proxies of other thetas or another proxy pool, measured like the present ones.

    Attributes:
        metrics: as in `Evidence`.
        reads: theta_id, id_hash, n_tokens; None where no record is left.
    """

    metrics: pl.DataFrame
    reads: pl.DataFrame | None


def archive_batch(store: Store, settings: Settings, batch: str) -> bool:
    """Keep the losses of a batch that is about to be replaced, if they can be of use.

    Returns:
        Whether they were kept: not if there are none, none that were measured as the present ones
        would be, or the same thetas are trained again.

    Raises:
        MissingOutputError: an input of the proxies is not there.
    """
    now = evidence_version(store, settings, batch)
    for path in _places(store, batch):
        version = _version_of(store, path)
        reads = _reads_of(store, store.table_path(PROXY_READS, batch), version)
        if reads is not None and _is_of_other_thetas(version, now):
            key = hash_bytes(json.dumps([version, batch], sort_keys=True).encode())
            # The losses come last: where they are, the record of what was read is.
            summary = {"version": _choice_of(version)}
            store.write_table(store.table_path(ARCHIVED_READS, key), reads, summary)
            metrics = store.read_table(path)
            summary = {"version": version}
            store.write_table(store.table_path(ARCHIVED_METRICS, key), metrics, summary)
            return True
    return False


def old_batches(store: Store, settings: Settings) -> Iterator[OldBatch]:
    """All that was measured like the present proxies, for other thetas or another proxy pool.

    Kept ones in the order of their keys, then batches of the swarm that are still to be trained
    again.

    Raises:
        MissingOutputError: an input of the proxies is not there.
    """
    swarm = batches_of_swarm(store, settings)
    kept = output_names(store.root / ARCHIVED_METRICS)
    places = [
        *((store.path(ARCHIVED_METRICS, name), store.path(ARCHIVED_READS, name)) for name in kept),
        *(
            (path, store.table_path(PROXY_READS, batch))
            for batch in swarm
            for path in _places(store, batch)
        ),
    ]
    first_of_rounds = {round_of(batch): batch for batch in reversed(swarm)}
    now = [evidence_version(store, settings, batch) for batch in first_of_rounds.values()]
    for path, reads in places:
        version = _version_of(store, path)
        if version not in now and _is_of_other_thetas(version, now[0]):
            metrics = with_measure(store.read_table(path), settings)
            yield OldBatch(metrics, _reads_of(store, reads, version))


def _places(store: Store, batch: str) -> list[UPath]:
    """Where losses of a batch may be: measured after its training, or on kept weights since."""
    return [store.table_path(asset, batch) for asset in (PROXY_METRICS, PROXY_EVALUATION)]


def _version_of(store: Store, path: UPath) -> dict[str, str]:
    """The version of the losses in a table; empty where there is none."""
    version = store.summary(path).get("version") if path.exists() else None
    return version if isinstance(version, dict) else {}


def _reads_of(store: Store, path: UPath, version: Mapping[str, str]) -> pl.DataFrame | None:
    """What the proxies of losses of that version read; None where that is not recorded."""
    # Of an interrupted batch the new record may lie beside the old losses.
    if not path.exists() or store.summary(path).get("version") != _choice_of(version):
        return None
    return store.read_table(path)


def _is_of_other_thetas(version: Mapping[str, str], now: Mapping[str, str]) -> bool:
    """Whether losses of a version were measured as now, for other thetas or another pool."""
    if set(version) != set(now):
        return False
    changed = {key for key, value in now.items() if version[key] != value}
    return bool(changed) and changed <= _CHOICE


def _choice_of(version: Mapping[str, str]) -> dict[str, str]:
    """The part of a version that says how proxies were chosen, which their records have."""
    return {key: value for key, value in version.items() if key in _CHOICE}
