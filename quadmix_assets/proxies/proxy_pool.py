"""The tokenised sub-pool on which proxies are trained, with sigma and domains.

A folder of the lake: `documents.parquet` (one row a document), `tokens/` (a token pool, in the same
order), `index/` (the documents laid out for ranking under many thetas), `axes.json` (the names of
the criteria and domains, in the order of the index) and `whole_pool.json` (the tokens of every
domain of the pool that this is a sample of).
"""

import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow.parquet as pq
from tokenizers import Tokenizer

from quadmix_assets.corpus.text_sample import in_sample
from quadmix_assets.features.normalizers import Normalizer
from quadmix_assets.features.scored_documents import read_scored
from quadmix_assets.outputs import PROXY_POOL, SCORED_SHARDS
from quadmix_assets.sampling import PoolIndex
from quadmix_assets.settings import Settings
from quadmix_assets.store import MissingOutputError, Store, atomic_folder
from quadmix_assets.training.shard_tokens import append_tokens
from quadmix_assets.training.token_file import TokenFileWriter

_LOGGER = logging.getLogger(__name__)

_TOKENS = "tokens"
_DOCUMENTS = "documents.parquet"
_INDEX = "index"
_AXES = "axes.json"
_WHOLE_POOL = "whole_pool.json"


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
    per_domain = np.zeros(len(settings.domain_names), np.int64)
    frames = []
    with atomic_folder(store.root / PROXY_POOL) as folder:
        with TokenFileWriter(folder / _TOKENS, vocab_size=tokenizer.get_vocab_size()) as writer:
            for number, shard in enumerate(shards, start=1):
                documents = read_scored(
                    store, [shard], settings.criterion_names, settings.domain_names
                )
                np.add.at(per_domain, documents.domains, documents.n_tokens)
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
                _LOGGER.info(
                    "%s: %d documents, shard %d of %d", shard, chosen.sum(), number, len(shards)
                )
        if not frames:
            raise ValueError(
                f"no document of the pool is among the sample of {settings.proxies.pool_tokens} "
                f"of its {total} tokens: raise proxies.pool_tokens"
            )
        table = pl.concat(frames)
        del frames
        pq.write_table(table.to_arrow(), folder / _DOCUMENTS, compression="zstd")
        _LOGGER.info("indexing %d documents for ranking", table.height)
        PoolIndex.build(
            table.select(f"sigma_{name}" for name in settings.criterion_names).to_numpy(),
            table["domain"].to_numpy(),
            table["n_tokens"].to_numpy(),
            len(settings.domain_names),
        ).save(folder / _INDEX)
        (folder / _AXES).write_text(json.dumps(_axes(settings)))
        (folder / _WHOLE_POOL).write_text(json.dumps({"n_tokens": per_domain.tolist()}))
    return ProxyPoolSummary(table.height, int(table["n_tokens"].sum()), share)


def open_index(folder: Path, settings: Settings) -> PoolIndex:
    """The documents of a proxy pool in a local folder, laid out for ranking.

    Raises:
        MissingOutputError: the pool was made for other criteria or domains.
    """
    path = folder / _AXES
    if not path.is_file() or json.loads(path.read_text()) != _axes(settings):
        raise MissingOutputError(
            "proxy_pool was made for other criteria or domains than the settings name now: "
            "materialise the asset 'proxy_pool' again, then its proxies"
        )
    return PoolIndex.open(folder / _INDEX)


def tokens_of_whole_pool(folder: Path) -> np.ndarray:
    """Tokens (M,) of every domain of the pool of which a proxy pool in a local folder is a sample.

    A mix is made of that pool: how often it must repeat a domain follows from these, not from the
    sample that proxies train on.
    """
    return np.asarray(json.loads((folder / _WHOLE_POOL).read_text())["n_tokens"], np.float64)


def _axes(settings: Settings) -> dict[str, list[str]]:
    return {"criteria": list(settings.criterion_names), "domains": list(settings.domain_names)}


def read_documents(folder: Path, columns: Sequence[str]) -> dict[str, np.ndarray]:
    """Columns (D,) of the documents of a proxy pool in a local folder, such as id_hash."""
    table = pl.read_parquet(folder / _DOCUMENTS, columns=list(columns))
    return {name: table[name].to_numpy() for name in columns}


def token_folder(folder: Path) -> Path:
    """Where the tokens of a proxy pool in a local folder lie."""
    return folder / _TOKENS
