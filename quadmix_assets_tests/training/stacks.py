"""Small pools, streams and architectures that the tests of the proxies share."""

from pathlib import Path
from typing import Any

import numpy as np

from quadmix_assets.settings import TrainingSettings
from quadmix_assets.training.architectures import Architecture
from quadmix_assets.training.progress import ProgressBoard
from quadmix_assets.training.stacks import Sample, Stack, StackJob
from quadmix_assets.training.targets import pack_target
from quadmix_assets.training.token_file import TokenFile, TokenFileWriter
from quadmix_assets.training.window_stream import WindowStream
from quadmix_assets_tests.seed import SEED

VOCAB = 64
SEPARATOR = 0
ARCHITECTURE = Architecture("test", n_layers=2, width=32, n_heads=2, mlp_width=48, context=16)


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


def some_documents(n: int = 40) -> list[np.ndarray]:
    """Documents of random tokens, some of them empty."""
    rng = np.random.default_rng(0)
    return [rng.integers(1, VOCAB, rng.integers(0, 60)) for _ in range(n)]


def write_token_file(folder: Path, documents: list[np.ndarray]) -> TokenFile:
    with TokenFileWriter(folder, VOCAB) as writer:
        writer.append(documents)
    return TokenFile.open(folder)


def stream_of(
    token_file: TokenFile, documents: np.ndarray, copies: int = 1, *, seed: int = 1
) -> WindowStream:
    hashes = np.asarray(documents, np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    return WindowStream(
        token_file,
        documents,
        np.full(len(documents), copies),
        hashes,
        seed=SEED + seed,
        context=ARCHITECTURE.context,
        separator_id=SEPARATOR,
    )


def make_recipe(**values: Any) -> TrainingSettings:
    """RegMix's recipe in float32, but for `values`."""
    return TrainingSettings(**{"architecture": "regmix-1m", "precision": "float32", **values})


def make_board() -> ProgressBoard:
    """One that tells nobody."""
    return ProgressBoard(1, 1, None, seconds=1e9)


def make_job(folder: Path, *, n_tokens: int) -> StackJob:
    """What all stacks of a batch share, with a token file of 60 documents in `folder`."""
    documents = chain_documents(np.random.default_rng(SEED), 70, language=1)
    write_token_file(folder, documents[:60])
    lengths = [len(document) for document in documents[60:]]
    target = pack_target(
        documents[60:],
        lengths,
        context=ARCHITECTURE.context,
        separator_id=SEPARATOR,
        max_tokens=None,
    )
    return StackJob(
        token_folder=folder,
        architecture=ARCHITECTURE,
        recipe=make_recipe(n_tokens_per_proxy=n_tokens, batch_windows=4, warmup_steps=0),
        vocab_size=VOCAB,
        separator_id=SEPARATOR,
        targets={"held_out": target},
        device="cpu",
    )


def stack_of(n: int) -> Stack:
    """One stack of n proxies."""
    return [proxy for stack in make_stacks(n) for proxy in stack]


def make_stacks(n: int) -> list[Stack]:
    """Stacks of one proxy each."""
    documents = np.arange(60)
    hashes = documents.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    return [
        [(Sample(k, documents, np.full(60, k + 1), seed=SEED + k, order_seed=SEED + k), hashes)]
        for k in range(n)
    ]
