"""The tokenised sub-pool on which proxies are trained, with sigma and domains."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl
import pyarrow.parquet as pq
from tokenizers import Tokenizer

from quadmix_assets.corpus.text_sample import in_sample
from quadmix_assets.features.normalizers import Normalizer
from quadmix_assets.features.pool import read_scored
from quadmix_assets.outputs import PROXY_POOL, SCORED_SHARDS
from quadmix_assets.proxies.ranks import ProxyDocuments
from quadmix_assets.proxies.token_pool import TokenPoolWriter
from quadmix_assets.proxies.tokenise import append_tokens
from quadmix_assets.settings import Settings
from quadmix_assets.store import Store, atomic_folder

_TOKENS = "tokens"
_DOCUMENTS = "documents.parquet"


@dataclass(frozen=True)
class ProxyPoolSummary:
    """What is in the proxy pool, and which share of the pool's tokens it was to be."""

    n_documents: int
    n_tokens: int
    share: float


def build_proxy_pool(
    store: Store,
    shards: Sequence[str],
    settings: Settings,
    normalizers: Sequence[Normalizer],
    tokenizer: Tokenizer,
    log: Callable[[str], None],
) -> ProxyPoolSummary:
    """Sample the pool down to about `proxies.pool_tokens` tokens and tokenise the sample.

    A document is in by its id and the seed alone, whatever its domain and scores.

    Raises:
        MissingOutputError: raw shards, scores or labels are missing.
        ValueError: scores and labels of a shard do not belong together, or the sample is empty.
    """
    total = 0
    for shard in shards:
        scored = store.read_table(store.table_path(SCORED_SHARDS, shard), ["n_tokens"])
        total += int(scored["n_tokens"].sum())
    share = min(1.0, settings.proxies.pool_tokens / max(total, 1))
    frames = []
    with atomic_folder(store.root / PROXY_POOL) as folder:
        with TokenPoolWriter(folder / _TOKENS, vocab_size=tokenizer.get_vocab_size()) as writer:
            for number, shard in enumerate(shards, start=1):
                documents = read_scored(
                    store, [shard], settings.criterion_names, settings.domain_names
                )
                chosen = in_sample(
                    documents.ids.to_list(), share, purpose=PROXY_POOL, seed=settings.seed
                )
                if chosen.any():
                    append_tokens(store, shard, chosen, tokenizer, writer)
                    sigma = documents.sigma(normalizers)[chosen]
                    frames.append(
                        pl.DataFrame(
                            {
                                "id": documents.ids.filter(pl.Series(chosen)),
                                "id_hash": documents.id_hashes[chosen],
                                "shard": pl.repeat(shard, int(chosen.sum()), eager=True),
                                "domain": documents.domains[chosen],
                                "n_tokens": documents.n_tokens[chosen],
                                **{
                                    f"sigma_{name}": sigma[:, n]
                                    for n, name in enumerate(settings.criterion_names)
                                },
                            }
                        )
                    )
                log(f"{shard}: {int(chosen.sum())} documents, shard {number} of {len(shards)}")
        if not frames:
            raise ValueError(
                f"no document of the pool is among the sample of {settings.proxies.pool_tokens} "
                f"of its {total} tokens: raise proxies.pool_tokens"
            )
        table = pl.concat(frames)
        pq.write_table(table.to_arrow(), folder / _DOCUMENTS, compression="zstd")
    return ProxyPoolSummary(table.height, int(table["n_tokens"].sum()), share)


def read_proxy_documents(folder: Path, criteria: Sequence[str]) -> ProxyDocuments:
    """Sigma, domains and tokens of the documents of a proxy pool in a local folder."""
    table = pl.read_parquet(folder / _DOCUMENTS)
    return ProxyDocuments(
        id_hashes=table["id_hash"].to_numpy(),
        n_tokens=table["n_tokens"].to_numpy(),
        domains=table["domain"].to_numpy(),
        sigma=table.select(f"sigma_{name}" for name in criteria).to_numpy(),
    )


def token_folder(folder: Path) -> Path:
    """Where the tokens of a proxy pool in a local folder lie."""
    return folder / _TOKENS
