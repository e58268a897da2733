"""The same model trained on the final mix and on random mixes of the same size."""

import logging
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import polars as pl

from quadmix_assets.comparison.losses import FINAL, RANDOM
from quadmix_assets.corpus.target_sets import PROOF
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

_LOG = logging.getLogger(__name__)
# A mix is thinned to this many times the training tokens before it is tokenised: enough that
# thinning at random does not leave so few that the training repeats them.
_MARGIN = 1.2


class _Mix(NamedTuple):
    name: str
    seed: int
    # (D,) copies of each document of the pool.
    copies: np.ndarray


def compare_with_random(store: Store, shards: Sequence[str], settings: Settings) -> pl.DataFrame:
    """Train models on the final mix and on random mixes, and measure their losses.

    Every seed has a random mix of its own, with as many tokens as the final mix, whose documents
    are drawn uniformly from the pool. The seed also initialises both models and orders their data.
    All models see the same number of training tokens.

    Returns:
        One row per model and target set, measured on its part for proof: mix, seed, target, part,
        loss_nats, bits_per_byte, epochs, ...

    Raises:
        MissingOutputError: a shard has no scores or no final mix.
    """
    pool = _pool_with_copies(store, shards)
    n_tokens = settings.comparison.n_tokens or settings.proxies.training.n_tokens_per_proxy
    mixes = _mixes(pool, settings, n_tokens)
    used = np.any([mix.copies > 0 for mix in mixes], axis=0)
    position = np.cumsum(used) - 1
    tokenizer = project_tokenizer(store)
    with tempfile.TemporaryDirectory() as folder:
        with TokenFileWriter(Path(folder), vocab_size=tokenizer.get_vocab_size()) as writer:
            for shard in shards:
                chosen = used[(pool["shard"] == shard).to_numpy()]
                append_tokens(store, shard, chosen, tokenizer, writer)
        _LOG.info("%d documents tokenised, training %d models", used.sum(), len(mixes))
        seeds = [
            derive_seed(settings.seed, f"{RANDOM_COMPARISON}:model:{k}")
            for k in range(settings.comparison.n_seeds)
        ]
        samples = [
            Sample(
                number,
                position[mix.copies > 0],
                mix.copies[mix.copies > 0],
                seed=seeds[mix.seed],
                order_seed=seeds[mix.seed],
            )
            for number, mix in enumerate(mixes)
        ]
        result = train_samples(
            store,
            settings,
            Path(folder),
            hash_ids(pool.filter(pl.Series(used))["id"].to_list()),
            samples,
            n_tokens_per_proxy=n_tokens,
            one_by_one=True,
            parts=(PROOF,),
        )
    names = pl.DataFrame(
        {
            "sample_id": range(len(mixes)),
            "mix": [mix.name for mix in mixes],
            "seed": [mix.seed for mix in mixes],
        },
        schema_overrides={"sample_id": pl.Int32},
    )
    return names.join(result.metrics, on="sample_id", maintain_order="left_right").drop("sample_id")


def _mixes(pool: pl.DataFrame, settings: Settings, n_tokens: int) -> list[_Mix]:
    """For every seed the final mix and a random mix, thinned to what `n_tokens` of training need.

    Args:
        pool: the documents (D rows): id, n_tokens, copies in the final mix.
        settings: of the profile.
        n_tokens: training tokens of each model.
    """
    ids = pool["id"].to_list()
    id_hashes = hash_ids(ids)
    n_tokens_per_document, final = pool["n_tokens"].to_numpy(), pool["copies"].to_numpy()
    n_tokens_mix = int((n_tokens_per_document * final).sum())
    share = min(1.0, _MARGIN * n_tokens / max(n_tokens_mix, 1))
    mixes = []
    for seed in range(settings.comparison.n_seeds):
        stream = derive_seed(settings.seed, f"{RANDOM_COMPARISON}:{seed}")
        thinned = in_sample(ids, share, purpose=f"{RANDOM_COMPARISON}:thin", seed=stream)
        drawn = random_copies(id_hashes, n_tokens_per_document, n_tokens_mix, seed=stream)
        for name, copies in ((FINAL, final), (RANDOM, drawn)):
            mixes.append(_Mix(name, seed, np.where(thinned, copies, 0)))
    return mixes


def random_copies(
    id_hashes: np.ndarray, n_tokens_per_document: np.ndarray, n_tokens_total: int, *, seed: int
) -> np.ndarray:
    """Copies (D,) of a random mix: documents in random order until it has its tokens.

    Where the mix is larger than the pool, every document is first taken as many times as the whole
    pool fits into the mix.

    Args:
        id_hashes: (D,) hashes of the documents' ids.
        n_tokens_per_document: (D,) their tokens.
        n_tokens_total: tokens of the mix; it gets fewer by less than one document.
        seed: of the order.
    """
    n_tokens_pool = int(n_tokens_per_document.sum())
    if n_tokens_pool == 0:
        return np.zeros(len(n_tokens_per_document), dtype=np.int64)
    whole, rest = divmod(n_tokens_total, n_tokens_pool)
    order = np.argsort(uniform_of_ids(id_hashes, seed), kind="stable")
    taken = np.zeros(len(n_tokens_per_document), dtype=np.int64)
    taken[order] = np.cumsum(n_tokens_per_document[order]) <= rest
    return whole + taken


def _pool_with_copies(store: Store, shards: Sequence[str]) -> pl.DataFrame:
    """The documents of the pool: id, n_tokens, copies in the final mix, shard."""
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
