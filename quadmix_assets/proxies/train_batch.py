"""Trains the proxies of one batch, and stores their losses with the version of their inputs."""

import dataclasses
from collections.abc import Callable

from quadmix_assets.outputs import (
    PROXY_METRICS,
    PROXY_POOL,
    PROXY_READS,
    SAMPLED_SUBSET,
    UNFINISHED_PROXIES,
)
from quadmix_assets.proxies.archive import archive_batch
from quadmix_assets.proxies.batch_weights import evaluate_batch, room_for_weights
from quadmix_assets.proxies.evidence import evidence_version, pool_version, read_current
from quadmix_assets.proxies.parameter_sets import read_batch
from quadmix_assets.proxies.piece_share import piece_share
from quadmix_assets.proxies.proxy_pool import read_documents, token_folder, token_source
from quadmix_assets.proxies.samples import samples_of_subset
from quadmix_assets.proxies.swarm_progress import record_seconds
from quadmix_assets.seeds import derive_seed
from quadmix_assets.settings import Settings
from quadmix_assets.store import Store
from quadmix_assets.training.progress import BatchProgress
from quadmix_assets.training.train_samples import BatchResult, train_samples


def train_batch(
    store: Store, settings: Settings, batch: str, on_progress: Callable[[BatchProgress], None]
) -> BatchResult:
    """Train one proxy per theta of the batch, on theta's sample, and store their losses.

    Proxies that were trained on these samples before, and whose weights were kept, are evaluated.

    Losses that are there of other thetas are kept where they can still be of use. What the proxies
    read and the seconds that it took are recorded beside the losses.

    Returns:
        The result; its metrics and reads are the stored tables, with theta_id for sample_id.

    Raises:
        MissingOutputError: an input is not there, or was made from other thetas or another proxy
            pool.
        ValueError: a target set holds no tokens, or TensorBoard files cannot be written.
        RuntimeError: a worker process died, or a single proxy does not fit in memory.
    """
    order_seeds = {
        theta_id: derive_seed(settings.seed, f"{PROXY_METRICS}:{theta_id}")
        for theta_id in read_batch(store, settings, batch)
    }
    version = evidence_version(store, settings, batch)
    unfinished_folder = store.root / UNFINISHED_PROXIES / batch
    result = evaluate_batch(store, settings, batch)
    if result is None:
        subset = read_current(store, SAMPLED_SUBSET, batch)
        with store.local_folder(store.root / PROXY_POOL) as folder:
            result = train_samples(
                store,
                settings,
                token_folder(folder),
                read_documents(folder, ["id_hash"])["id_hash"],
                samples_of_subset(
                    subset, order_seeds, seed=derive_seed(settings.seed, PROXY_METRICS)
                ),
                n_tokens_per_proxy=settings.proxies.training.n_tokens_per_proxy,
                piece_share=piece_share(store, settings),
                on_progress=on_progress,
                unfinished_folder=unfinished_folder,
                token_source=token_source(store),
                inputs_version=version,
                keep=room_for_weights(store, settings, batch),
            )
    metrics = result.metrics.rename({"sample_id": "theta_id"})
    reads = result.reads.rename({"sample_id": "theta_id"})
    archive_batch(store, settings, batch)
    # The losses come last: where they are, the rest is.
    store.write_table(
        store.table_path(PROXY_READS, batch), reads, {"version": pool_version(store, batch)}
    )
    store.write_table(store.table_path(PROXY_METRICS, batch), metrics, {"version": version})
    record_seconds(store, batch, result)
    store.remove_folder(unfinished_folder)
    return dataclasses.replace(result, metrics=metrics, reads=reads)
