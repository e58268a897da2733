"""Compares the losses of proxies trained in stacks with those of proxies trained one by one.

    python -m benchmarks.agreement --profile profiles/mine.yaml --thetas 64

Takes the first thetas of a lake in which `sampled_subset` is materialised, trains their proxies in
stacks and then one by one, with the same recipe, and prints per target set the rank correlation of
the losses, their largest difference, and the standard deviation over thetas.
"""

import argparse
from pathlib import Path

import numpy as np
import polars as pl
from scipy.stats import spearmanr

from quadmix_assets.outputs import PROXY_METRICS, PROXY_POOL, SAMPLED_SUBSET
from quadmix_assets.proxies.parameter_sets import read_parameter_sets
from quadmix_assets.proxies.piece_share import piece_share
from quadmix_assets.proxies.proxy_pool import read_documents, token_folder
from quadmix_assets.proxies.samples import samples_of_subset
from quadmix_assets.seeds import derive_seed
from quadmix_assets.settings import load_settings
from quadmix_assets.store import Store
from quadmix_assets.training.train_samples import train_samples


def main() -> None:
    """Train both ways and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--profile", required=True)
    parser.add_argument("--thetas", type=int, default=64)
    options = parser.parse_args()
    settings = load_settings(options.profile)
    store = Store(settings.resolve(settings.lake))
    table, _ = read_parameter_sets(store, settings)
    theta_ids = table["theta_id"].head(options.thetas).to_list()
    batches = table["proxy_batch"].head(options.thetas).unique().sort()
    subset = pl.concat(
        store.read_table(store.table_path(SAMPLED_SUBSET, batch)) for batch in batches
    )
    folder = Path(str(store.root / PROXY_POOL))
    losses = {}
    for one_by_one in (False, True):
        result = train_samples(
            store,
            settings,
            token_folder(folder),
            read_documents(folder, ["id_hash"])["id_hash"],
            samples_of_subset(
                subset,
                {k: derive_seed(settings.seed, f"{PROXY_METRICS}:{k}") for k in theta_ids},
                seed=derive_seed(settings.seed, PROXY_METRICS),
            ),
            n_tokens_per_proxy=settings.proxies.training.n_tokens_per_proxy,
            piece_share=piece_share(store, settings),
            one_by_one=one_by_one,
        )
        print(f"stacks of {result.stack_size}: {result.tokens_per_second:,.0f} tokens/s")
        losses[one_by_one] = result.metrics
    for target in settings.target_names:
        stack, alone = (
            losses[way].filter(pl.col("target") == target)["loss_nats"].to_numpy()
            for way in (False, True)
        )
        print(
            f"{target}: Spearman {spearmanr(stack, alone).statistic:.4f}, largest difference "
            f"{np.abs(stack - alone).max():.5f} nats, standard deviation over thetas "
            f"{alone.std():.4f} nats"
        )


if __name__ == "__main__":
    main()
