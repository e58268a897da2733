"""Builds and opens the proxy pool: a tokenised sample of the pool, on which proxies are trained.

A folder of the lake: `documents.parquet` (one row per document, with domain and sigma), `tokens/`
(a token file, in the same order), `index/` (a `PoolIndex` of the documents), `axes.json` (the names
of the criteria and domains, in the order of the index) and `whole_pool.json` (the tokens of every
domain of the whole pool, of which this is a sample).
"""

import json
import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
from tokenizers import Tokenizer
from upath import UPath

from quadmix_assets.corpus.text_sample import in_sample
from quadmix_assets.corpus.token_encoder import TokenEncoder
from quadmix_assets.features.normalizers import Normalizer
from quadmix_assets.features.scored_documents import read_scored
from quadmix_assets.outputs import PROXY_POOL, SCORED_SHARDS
from quadmix_assets.sampling import PoolIndex
from quadmix_assets.settings import Settings
from quadmix_assets.store import MissingOutputError, Store, atomic_folder
from quadmix_assets.training.progress import duration
from quadmix_assets.training.shard_tokens import append_tokens
from quadmix_assets.training.token_file import TokenFileWriter
from quadmix_assets.training.token_source import TokenSource

_LOGGER = logging.getLogger(__name__)

_TOKENS = "tokens"
_DOCUMENTS = "documents.parquet"
_INDEX = "index"
_AXES = "axes.json"
_WHOLE_POOL = "whole_pool.json"


@dataclass(frozen=True)
class ProxyPoolSummary:
    """Size of the proxy pool, and the share of the pool's tokens that was to be sampled."""

    n_documents: int
    n_tokens: int
    share: float


def build_proxy_pool(
    store: Store,
    shards: Sequence[str],
    settings: Settings,
    normalizers: Sequence[Normalizer],
    tokenizer: Tokenizer,
) -> ProxyPoolSummary:
    """Sample the pool down to about `proxies.pool_tokens` tokens and tokenise the sample.

    Whether a document is in the sample depends on its id and the seed alone, not on domain or
    scores.

    Raises:
        MissingOutputError: raw shards, scores or labels are missing.
        ValueError: scores and labels of a shard do not belong together, or the sample is empty.
    """
    n_tokens_pool = 0
    for shard in shards:
        scored = store.read_table(store.table_path(SCORED_SHARDS, shard), ["n_tokens"])
        n_tokens_pool += int(scored["n_tokens"].sum())
    share = min(1.0, settings.proxies.pool_tokens / max(n_tokens_pool, 1))
    encoder = TokenEncoder(tokenizer)
    domain_tokens = np.zeros(len(settings.domain_names), np.int64)
    frames = []
    start = time.monotonic()
    with atomic_folder(store.root / PROXY_POOL) as folder:
        with TokenFileWriter(folder / _TOKENS, vocab_size=encoder.vocab_size) as writer:
            for number, shard in enumerate(shards, start=1):
                documents = read_scored(
                    store, [shard], settings.criterion_names, settings.domain_names
                )
                np.add.at(domain_tokens, documents.domains, documents.n_tokens)
                chosen = in_sample(
                    documents.ids.to_list(), share, purpose=PROXY_POOL, seed=settings.seed
                )
                if chosen.any():
                    append_tokens(store, shard, chosen, encoder, writer)
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
                n_done = int(domain_tokens.sum())
                per_second = n_done / max(time.monotonic() - start, 1e-6)
                _LOGGER.info(
                    "%s: %d documents, shard %d of %d, %s tokens of the pool a second, ETA %s",
                    shard,
                    chosen.sum(),
                    number,
                    len(shards),
                    f"{per_second:,.0f}",
                    duration((n_tokens_pool - n_done) / max(per_second, 1.0)),
                )
        if not frames:
            raise ValueError(
                f"no document of the pool is in the sample of {settings.proxies.pool_tokens} of "
                f"its {n_tokens_pool} tokens: raise proxies.pool_tokens"
            )
        table = pl.concat(frames)
        del frames
        store.write_table(UPath(folder) / _DOCUMENTS, table)
        _LOGGER.info("indexing %d documents for ranking", table.height)
        PoolIndex.build(
            table.select(f"sigma_{name}" for name in settings.criterion_names).to_numpy(),
            table["domain"].to_numpy(),
            table["n_tokens"].to_numpy(),
            len(settings.domain_names),
        ).save(folder / _INDEX)
        (folder / _AXES).write_text(json.dumps(_axes(settings)))
        (folder / _WHOLE_POOL).write_text(json.dumps({"n_tokens": domain_tokens.tolist()}))
    return ProxyPoolSummary(table.height, int(table["n_tokens"].sum()), share)


def open_index(folder: Path, settings: Settings) -> PoolIndex:
    """The `PoolIndex` of a proxy pool in a local folder.

    Raises:
        MissingOutputError: the proxy pool was made for other criteria or domains.
    """
    path = folder / _AXES
    if not path.is_file() or json.loads(path.read_text()) != _axes(settings):
        raise MissingOutputError(
            "proxy_pool was made for other criteria or domains than the settings name now: "
            "materialise the asset 'proxy_pool' again, then its proxies"
        )
    return PoolIndex.open(folder / _INDEX)


def tokens_of_whole_pool(folder: Path) -> np.ndarray:
    """Tokens (M,) of every domain of the whole pool, as stored with a proxy pool in a local folder.

    The final mix is selected from the whole pool. So these numbers, not those of the proxy pool,
    tell how many epochs of a domain it needs.
    """
    return np.asarray(json.loads((folder / _WHOLE_POOL).read_text())["n_tokens"], np.float64)


def _axes(settings: Settings) -> dict[str, list[str]]:
    return {"criteria": list(settings.criterion_names), "domains": list(settings.domain_names)}


def read_documents(folder: Path, columns: Sequence[str]) -> dict[str, np.ndarray]:
    """Columns (D,) of the documents of a proxy pool in a local folder, such as id_hash."""
    store = Store(UPath(folder))
    table = store.read_table(store.root / _DOCUMENTS, list(columns))
    return {name: table[name].to_numpy() for name in columns}


def token_folder(folder: Path) -> Path:
    """Path of the token file of a proxy pool in a local folder."""
    return folder / _TOKENS


def token_source(store: Store) -> TokenSource:
    """Where machines that have no local folder of the proxy pool find its token file."""
    return TokenSource(store.root, PROXY_POOL, _TOKENS)
