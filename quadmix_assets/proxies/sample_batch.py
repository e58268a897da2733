"""Ranks the proxy pool for the thetas of one batch and samples it, and stores both tables."""

from typing import NamedTuple

import polars as pl

from quadmix_assets.outputs import MERGED_RANKS, PROXY_POOL, SAMPLED_SUBSET
from quadmix_assets.proxies.evidence import pool_version, read_current
from quadmix_assets.proxies.parameter_sets import read_batch
from quadmix_assets.proxies.proxy_pool import open_index, read_documents
from quadmix_assets.proxies.ranks import rank_thetas
from quadmix_assets.proxies.samples import select_documents, tokens_per_theta
from quadmix_assets.sampling import PoolDraw
from quadmix_assets.sampling.validation import IntArray
from quadmix_assets.seeds import derive_seed
from quadmix_assets.settings import Settings
from quadmix_assets.store import Store


class BatchSample(NamedTuple):
    """The samples of a batch.

    Attributes:
        table: theta_id, document, copies, as it is stored.
        n_tokens: (T,) tokens of the sample of each theta, copies counted.
    """

    table: pl.DataFrame
    n_tokens: IntArray


def rank_batch(store: Store, settings: Settings, batch: str) -> pl.DataFrame:
    """Rank the proxy pool for every theta of a batch, and store the table of `rank_thetas`.

    Raises:
        MissingOutputError: the thetas or the proxy pool are not there, or are of other criteria or
            domains than the settings name.
    """
    with store.local_folder(store.root / PROXY_POOL) as folder:
        thetas = read_batch(store, settings, batch)
        table = rank_thetas(
            open_index(folder, settings), thetas, n_threads=settings.proxies.n_workers
        )
    path = store.table_path(MERGED_RANKS, batch)
    store.write_table(path, table, {"version": pool_version(store, batch)})
    return table


def sample_batch(store: Store, settings: Settings, batch: str) -> BatchSample:
    """Select the documents of every theta of a batch, and store the table of `select_documents`.

    Every theta has a draw of its own: with one for all, every proxy would read documents whose
    random numbers are low, and 40 proxies together hardly more than one.

    Raises:
        MissingOutputError: an input is not there, or the ranks were made from other thetas or
            another proxy pool.
    """
    with store.local_folder(store.root / PROXY_POOL) as folder:
        thetas = read_batch(store, settings, batch)
        ranks = read_current(store, MERGED_RANKS, batch)
        documents = read_documents(folder, ["id_hash", "n_tokens"])
        draw = PoolDraw(
            open_index(folder, settings),
            documents["id_hash"],
            settings.seed,
            max_epsilon=max(float(theta.epsilon.max()) for theta in thetas.values()),
        )
        seeds = {
            theta_id: derive_seed(settings.seed, f"{SAMPLED_SUBSET}:{theta_id}")
            for theta_id in thetas
        }
        table = select_documents(draw, thetas, ranks, seeds, n_threads=settings.proxies.n_workers)
    path = store.table_path(SAMPLED_SUBSET, batch)
    store.write_table(path, table, {"version": pool_version(store, batch)})
    return BatchSample(table, tokens_per_theta(table, list(thetas), documents["n_tokens"]))
