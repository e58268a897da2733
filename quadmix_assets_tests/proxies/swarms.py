"""Small pools, streams and shapes that the tests of the proxies share."""

from pathlib import Path

import numpy as np

from quadmix_assets.proxies.packing import WindowStream
from quadmix_assets.proxies.shapes import ProxyShape
from quadmix_assets.proxies.token_pool import TokenPool, TokenPoolWriter

VOCAB = 64
SEPARATOR = 0
SHAPE = ProxyShape("test", n_layers=2, width=32, n_heads=2, mlp_width=48, context=16)


def chain_documents(rng: np.random.Generator, n: int, *, language: int) -> list[np.ndarray]:
    """Documents of a language of two: the next token is one of two that its own table names."""
    tables = np.random.default_rng(language).integers(1, VOCAB, (VOCAB, 2))
    documents = []
    for _ in range(n):
        length = int(rng.integers(5, 60))
        document = np.empty(length, np.int64)
        token = int(rng.integers(1, VOCAB))
        for place in range(length):
            document[place] = token
            token = int(tables[token, rng.integers(2)])
        documents.append(document)
    return documents


def write_pool(folder: Path, documents: list[np.ndarray]) -> TokenPool:
    with TokenPoolWriter(folder, VOCAB) as writer:
        writer.append(documents)
    return TokenPool.open(folder)


def stream_of(
    pool: TokenPool, documents: np.ndarray, copies: int = 1, *, seed: int = 1
) -> WindowStream:
    hashes = np.asarray(documents, np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    return WindowStream(
        pool,
        documents,
        np.full(len(documents), copies),
        hashes,
        seed=seed,
        context=SHAPE.context,
        separator_id=SEPARATOR,
    )
