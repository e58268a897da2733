"""The same model trained on the final mix and on random mixes of the same size."""

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import polars as pl

from quadmix_assets.corpus.text_sample import in_sample
from quadmix_assets.corpus.tokenizer import project_tokenizer
from quadmix_assets.outputs import FINAL_MIX, RANDOM_COMPARISON, SCORED_SHARDS
from quadmix_assets.sampling import hash_ids, uniform_of_ids
from quadmix_assets.seeds import derive_seed
from quadmix_assets.settings import Settings
from quadmix_assets.store import Store
from quadmix_assets.training.shard_tokens import append_tokens
from quadmix_assets.training.stacks import Sample
from quadmix_assets.training.token_file import TokenFileWriter
from quadmix_assets.training.train_samples import train_samples

FINAL, RANDOM = "final mix", "random mix"
# A sample is thinned to this many times the training tokens before it is tokenised: enough that
# luck in the thinning does not make it repeat.
_MARGIN = 1.2


def compare_with_random(
    store: Store, shards: Sequence[str], settings: Settings, log: Callable[[str], None]
) -> pl.DataFrame:
    """Losses on every target set (mix, seed, target, loss_nats, bits_per_byte, epochs, ...).

    For every seed there is a random mix of its own, as many tokens as the final mix, drawn from
    the pool by document; each seed also initialises both its models and orders their data. All
    models see the same number of training tokens.

    Raises:
        MissingOutputError: a shard has no scores or no final mix.
    """
    pool = _pool_with_copies(store, shards)
    n_tokens = settings.comparison.n_tokens or settings.proxies.training.n_tokens_per_proxy
    tokens = pool["n_tokens"].to_numpy()
    n_tokens_mix = int((tokens * pool["copies"].to_numpy()).sum())
    mixes: list[tuple[str, int, np.ndarray]] = []
    for seed in range(settings.comparison.n_seeds):
        stream = derive_seed(settings.seed, f"{RANDOM_COMPARISON}:{seed}")
        ids = pool["id"].to_list()
        for name, copies in (
            (FINAL, pool["copies"].to_numpy()),
            (RANDOM, random_copies(hash_ids(ids), tokens, n_tokens_mix, seed=stream)),
        ):
            share = min(1.0, _MARGIN * n_tokens / max(n_tokens_mix, 1))
            kept = in_sample(ids, share, purpose=f"{RANDOM_COMPARISON}:thin", seed=stream)
            mixes.append((name, seed, np.where(kept, copies, 0)))
    used = np.any([copies > 0 for _, _, copies in mixes], axis=0)
    position = np.cumsum(used) - 1
    tokenizer = project_tokenizer(store)
    with tempfile.TemporaryDirectory() as folder:
        with TokenFileWriter(Path(folder), vocab_size=tokenizer.get_vocab_size()) as writer:
            for shard in shards:
                chosen = used[(pool["shard"] == shard).to_numpy()]
                append_tokens(store, shard, chosen, tokenizer, writer)
        log(f"{int(used.sum())} documents tokenised, training {len(mixes)} models")
        samples = [
            Sample(
                number,
                position[copies > 0],
                copies[copies > 0],
                derive_seed(settings.seed, f"{RANDOM_COMPARISON}:model:{seed}"),
            )
            for number, (_, seed, copies) in enumerate(mixes)
        ]
        result = train_samples(
            store,
            settings,
            Path(folder),
            hash_ids(pool.filter(pl.Series(used))["id"].to_list()),
            samples,
            n_tokens_per_proxy=n_tokens,
            one_by_one=True,
        )
    names = pl.DataFrame(
        {
            "sample_id": range(len(mixes)),
            "mix": [name for name, _, _ in mixes],
            "seed": [seed for _, seed, _ in mixes],
        },
        schema_overrides={"sample_id": pl.Int32},
    )
    return names.join(result.metrics, on="sample_id", maintain_order="left_right").drop("sample_id")


def random_copies(
    id_hashes: np.ndarray, tokens: np.ndarray, n_tokens: int, *, seed: int
) -> np.ndarray:
    """Copies (D,) of a random mix of about `n_tokens` tokens: documents in random order until full.

    Where the mix is larger than the pool every document is first taken as often as fits.
    """
    total = int(tokens.sum())
    if total == 0:
        return np.zeros(len(tokens), dtype=np.int64)
    whole, rest = divmod(n_tokens, total)
    order = np.argsort(uniform_of_ids(id_hashes, seed), kind="stable")
    taken = np.zeros(len(tokens), dtype=np.int64)
    taken[order] = np.cumsum(tokens[order]) <= rest
    return whole + taken


def _pool_with_copies(store: Store, shards: Sequence[str]) -> pl.DataFrame:
    frames = []
    for shard in shards:
        scored = store.read_table(store.table_path(SCORED_SHARDS, shard), ["id", "n_tokens"])
        mix = store.read_table(store.table_path(FINAL_MIX, shard), ["id", "copies"])
        frames.append(
            scored.join(mix, on="id", how="left", maintain_order="left").with_columns(
                pl.col("copies").fill_null(0), pl.lit(shard).alias("shard")
            )
        )
    return pl.concat(frames)
