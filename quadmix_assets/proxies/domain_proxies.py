"""Trains proxies on random documents by the weights of their domains alone, for RegMix and CLIMB.

They are trained as those of the swarm are, but for their samples: scores of documents play no part.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from upath import UPath

from quadmix_assets.outputs import DOMAIN_PROXIES, PROXY_POOL, TARGET_SETS
from quadmix_assets.proxies.domain_weights import draw_weights, theta_of_weights
from quadmix_assets.proxies.evidence import recipe_version
from quadmix_assets.proxies.measure import with_measure
from quadmix_assets.proxies.piece_share import share_for
from quadmix_assets.proxies.proxy_pool import open_index, read_documents, token_folder, token_source
from quadmix_assets.sampling import PoolDraw
from quadmix_assets.sampling.validation import FloatArray, IntArray
from quadmix_assets.seeds import derive_seed
from quadmix_assets.settings import Settings
from quadmix_assets.store import MissingOutputError, Store
from quadmix_assets.training.progress import BatchProgress
from quadmix_assets.training.selection import Selection
from quadmix_assets.training.train_samples import METRICS_SCHEMA, train_samples

_LOSSES = [name for name in METRICS_SCHEMA if name != "sample_id"]


@dataclass(frozen=True, eq=False)
class DomainEvidence:
    """The losses of n trained proxies, and the weights of domains that they belong to.

    Attributes:
        mixture_ids: (n,) ascending.
        weights: (n, M), each row summing to 1.
        metrics: one row per mixture and target set, those of failed proxies included, with the
            columns mixture_id, target, status, loss_nats, bits_per_byte among others. loss_nats is
            what the settings measure the target by (see `with_measure`).
        n_failed: proxies whose training failed; they are in `metrics` only.
    """

    mixture_ids: IntArray
    weights: FloatArray
    metrics: pl.DataFrame
    n_failed: int


def weight_columns(domains: Sequence[str]) -> list[str]:
    """The columns of the weights in the tables of these proxies: "weight[law]", ..."""
    return [f"weight[{domain}]" for domain in domains]


def domain_tokens(store: Store, settings: Settings) -> FloatArray:
    """(M,) tokens of each domain in the proxy pool.

    Raises:
        MissingOutputError: the proxy pool is not there, or is of other criteria or domains.
    """
    with store.local_folder(store.root / PROXY_POOL) as folder:
        return np.asarray(open_index(folder, settings).n_tokens, np.float64)


def train_domain_proxies(
    store: Store, settings: Settings, on_progress: Callable[[BatchProgress], None]
) -> pl.DataFrame:
    """Train one proxy for each of `proxies.domain_weights.n` weightings, and store their losses.

    A run that was killed goes on where it was.

    Returns:
        One row per mixture and target set: mixture_id, the weights, and the columns of
        METRICS_SCHEMA.

    Raises:
        MissingOutputError: proxy pool, target sets or tokenizer are not there.
        ValueError: a target set holds no tokens, or the pool cannot give samples so large.
        RuntimeError: a worker process died, or a single proxy does not fit in memory.
    """
    options = settings.proxies.domain_weights
    tokens = domain_tokens(store, settings)
    weights = draw_weights(
        options.n,
        tokens,
        options,
        size=options.pool_share * float(tokens.sum()),
        seed=derive_seed(settings.seed, f"{DOMAIN_PROXIES}:weights"),
    )
    unfinished_folder = store.root / f"{DOMAIN_PROXIES}_unfinished"
    table = train_weights(
        store,
        settings,
        weights,
        first_id=0,
        unfinished_folder=unfinished_folder,
        on_progress=on_progress,
    )
    version = domain_proxies_version(store, settings)
    store.write_table(store.table_path(DOMAIN_PROXIES), table, {"version": version})
    store.remove_folder(unfinished_folder)
    return table


def train_weights(
    store: Store,
    settings: Settings,
    weights: FloatArray,
    *,
    first_id: int,
    unfinished_folder: UPath,
    on_progress: Callable[[BatchProgress], None],
) -> pl.DataFrame:
    """Train one proxy for each of n weightings (n, M); nothing is stored but what resumes a run.

    All proxies have the same initial weights; each has a draw and an order of its own.

    Args:
        store, settings: of the project.
        weights: (n, M), each row summing to 1.
        first_id: mixture_id of the first; the others follow.
        unfinished_folder: for stacks that are done or in training.
        on_progress: called with the progress.

    Returns:
        As `train_domain_proxies`.

    Raises:
        MissingOutputError, ValueError, RuntimeError: as in `train_domain_proxies`.
    """
    options, training = settings.proxies.domain_weights, settings.proxies.training
    version = domain_proxies_version(store, settings)
    with store.local_folder(store.root / PROXY_POOL) as folder:
        id_hashes = read_documents(folder, ["id_hash"])["id_hash"]
        index = open_index(folder, settings)
        tokens = np.asarray(index.n_tokens, np.float64)
        size = options.pool_share * float(tokens.sum())
        thetas = [
            theta_of_weights(row, tokens, size=size, n_criteria=len(settings.criterion_names))
            for row in weights
        ]
        draw = PoolDraw(
            index,
            id_hashes,
            settings.seed,
            max_epsilon=max(float(theta.epsilon.max()) for theta in thetas),
        )
        shared = derive_seed(settings.seed, DOMAIN_PROXIES)
        samples = []
        for mixture_id, theta in enumerate(thetas, start=first_id):
            own = derive_seed(settings.seed, f"{DOMAIN_PROXIES}:{mixture_id}")
            taken = Selection(f"mixture {mixture_id}", *draw.with_seed(own).copies(theta))
            samples.append(taken.sample(mixture_id, seed=shared, order_seed=own))
        epochs, n_tokens = settings.proxies.target_epochs, training.n_tokens_per_proxy
        result = train_samples(
            store,
            settings,
            token_folder(folder),
            id_hashes,
            samples,
            n_tokens_per_proxy=n_tokens,
            piece_share=1.0 if epochs is None else share_for(n_tokens, epochs, size),
            on_progress=on_progress,
            unfinished_folder=unfinished_folder,
            token_source=token_source(store),
            inputs_version=version,
        )
    columns = weight_columns(settings.domain_names)
    table = pl.DataFrame(
        {
            "mixture_id": np.arange(first_id, first_id + len(weights), dtype=np.int32),
            **dict(zip(columns, weights.T, strict=True)),
        }
    )
    losses = result.metrics.rename({"sample_id": "mixture_id"})
    return (
        table.join(losses, on="mixture_id")
        .select("mixture_id", *columns, *_LOSSES)
        .sort("mixture_id", "target")
    )


def read_domain_proxies(store: Store, settings: Settings) -> DomainEvidence:
    """The losses of `domain_proxies`, if they were measured on the present inputs.

    Raises:
        MissingOutputError: they have not been trained, or on other inputs than the present ones,
            or all of them failed.
    """
    path = store.table_path(DOMAIN_PROXIES)
    if store.summary(path).get("version") != domain_proxies_version(store, settings):
        raise MissingOutputError(
            f"{path} was made with another proxy pool, other target sets or another recipe than "
            f"the present ones: materialise the asset {DOMAIN_PROXIES!r} again"
        )
    return domain_evidence(store.read_table(path), settings)


def domain_evidence(table: pl.DataFrame, settings: Settings) -> DomainEvidence:
    """The evidence of a table of `train_weights`, or of several together.

    Raises:
        MissingOutputError: all proxies failed, or a target set that is measured by its choices has
            none.
    """
    columns = weight_columns(settings.domain_names)
    metrics = with_measure(table.drop(columns), settings)
    failed = set(metrics.filter(pl.col("status") == "failed")["mixture_id"])
    trained = (
        table.filter(~pl.col("mixture_id").is_in(failed))
        .unique("mixture_id", keep="first")
        .sort("mixture_id")
    )
    if trained.is_empty():
        raise MissingOutputError(
            f"all {len(failed)} proxies of domain weights failed, the first because: "
            f"{metrics['reason'].drop_nulls()[0]}"
        )
    return DomainEvidence(
        trained["mixture_id"].to_numpy().astype(np.int64),
        trained.select(columns).to_numpy(),
        metrics,
        len(failed),
    )


def domain_proxies_version(store: Store, settings: Settings) -> dict[str, str]:
    """All inputs that the losses of these proxies depend on.

    Raises:
        MissingOutputError: one of the inputs has not been made.
    """
    options = settings.proxies.domain_weights.model_dump(mode="json", exclude={"n"})
    return {name: store.fingerprint(store.root / name) for name in (PROXY_POOL, TARGET_SETS)} | {
        **recipe_version(settings, DOMAIN_PROXIES),
        "max_target_tokens": str(settings.proxies.max_target_tokens),
        "domain_weights": json.dumps(options, sort_keys=True),
        "domains": json.dumps(list(settings.domain_names)),
    }
