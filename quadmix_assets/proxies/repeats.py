"""Trains some thetas of the first round again with other seeds, which shows the noise of losses.

A repeat is to the swarm what another swarm would be: all thetas of one repetition share initial
weights of its own, and each has a draw and an order of its own.
"""

from collections.abc import Callable

import numpy as np
import polars as pl

from quadmix_assets.outputs import PROXY_POOL, PROXY_REPEATS
from quadmix_assets.proxies.evidence import evidence_version, read_evidence
from quadmix_assets.proxies.measure import with_measure
from quadmix_assets.proxies.parameter_sets import batch_key
from quadmix_assets.proxies.piece_share import piece_share
from quadmix_assets.proxies.proxy_pool import open_index, read_documents, token_folder, token_source
from quadmix_assets.sampling import PoolDraw
from quadmix_assets.seeds import derive_seed
from quadmix_assets.settings import Settings
from quadmix_assets.store import Store
from quadmix_assets.training.progress import BatchProgress
from quadmix_assets.training.selection import Selection
from quadmix_assets.training.train_samples import METRICS_SCHEMA, train_samples

REPEATS_SCHEMA = {
    "theta_id": pl.Int32,
    "seed": pl.Int32,
    **{name: dtype for name, dtype in METRICS_SCHEMA.items() if name != "sample_id"},
}


def train_repeats(
    store: Store, settings: Settings, on_progress: Callable[[BatchProgress], None]
) -> pl.DataFrame:
    """Train the first `proxies.repeated_thetas` trained thetas of round 0 again, and store that.

    Each is trained `proxies.repeats` more times. A run that was killed goes on where it was.

    Returns:
        One row per theta, repetition and target set: columns of REPEATS_SCHEMA; without repeated
        thetas none.

    Raises:
        MissingOutputError: no proxy of the swarm has been trained, or another input is not there.
        ValueError: a target set holds no tokens.
        RuntimeError: a worker process died, or a single proxy does not fit in memory.
    """
    path = store.table_path(PROXY_REPEATS)
    version = repeats_version(store, settings)
    if not settings.proxies.repeated_thetas:
        table = pl.DataFrame(schema=REPEATS_SCHEMA)
        store.write_table(path, table, {"version": version})
        return table
    evidence = read_evidence(store, settings)
    rows = np.flatnonzero(evidence.rounds == 0)[: settings.proxies.repeated_thetas].tolist()
    thetas = {int(evidence.theta_ids[row]): evidence.parameters[row] for row in rows}
    pairs = [(k, repeat) for repeat in range(settings.proxies.repeats) for k in thetas]
    unfinished_folder = store.root / f"{PROXY_REPEATS}_unfinished"
    with store.local_folder(store.root / PROXY_POOL) as folder:
        documents = read_documents(folder, ["id_hash"])
        draw = PoolDraw(
            open_index(folder, settings),
            documents["id_hash"],
            settings.seed,
            max_epsilon=max(float(theta.epsilon.max()) for theta in thetas.values()),
        )
        samples = []
        for number, (theta_id, repeat) in enumerate(pairs):
            own = derive_seed(settings.seed, f"{PROXY_REPEATS}:{repeat}:{theta_id}")
            weights = derive_seed(settings.seed, f"{PROXY_REPEATS}:{repeat}")
            taken = Selection(f"theta {theta_id}", *draw.with_seed(own).copies(thetas[theta_id]))
            samples.append(taken.sample(number, seed=weights, order_seed=own))
        result = train_samples(
            store,
            settings,
            token_folder(folder),
            documents["id_hash"],
            samples,
            n_tokens_per_proxy=settings.proxies.training.n_tokens_per_proxy,
            piece_share=piece_share(store, settings),
            on_progress=on_progress,
            unfinished_folder=unfinished_folder,
            token_source=token_source(store),
            inputs_version=version,
        )
    names = pl.DataFrame(
        {
            "sample_id": range(len(pairs)),
            "theta_id": [theta_id for theta_id, _ in pairs],
            "seed": [repeat for _, repeat in pairs],
        },
        schema={"sample_id": pl.Int32, "theta_id": pl.Int32, "seed": pl.Int32},
    )
    table = (
        names.join(result.metrics, on="sample_id")
        .select(list(REPEATS_SCHEMA))
        .sort("theta_id", "seed", "target")
    )
    store.write_table(path, table, {"version": version})
    store.remove_folder(unfinished_folder)
    return table


def read_repeats(store: Store, settings: Settings) -> pl.DataFrame:
    """The repeats that were trained on the current inputs, as `train_repeats` gives them.

    loss_nats is what the settings measure each target by, as in `Evidence`.

    The table is empty where there are none, or none that were trained on these inputs.

    Raises:
        MissingOutputError: there are repeats, but an input of the proxies is not there.
    """
    path = store.table_path(PROXY_REPEATS)
    if not path.exists() or store.summary(path).get("version") != repeats_version(store, settings):
        return pl.DataFrame(schema=REPEATS_SCHEMA)
    return with_measure(store.read_table(path), settings)


def repeats_version(store: Store, settings: Settings) -> dict[str, str]:
    """All inputs that the losses of repeats depend on: those of the batches of round 0.

    Raises:
        MissingOutputError: one of the inputs has not been made.
    """
    return evidence_version(store, settings, batch_key(0, 0))
