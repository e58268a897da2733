import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal
from tokenizers import Tokenizer
from xxhash import xxh3_64_intdigest

from quadmix_assets.corpus.target_tables import write_target_tokens
from quadmix_assets.corpus.tokenizer import encode, tokenizer_path, train_tokenizer
from quadmix_assets.outputs import TOKENIZER
from quadmix_assets.settings import Settings, load_settings
from quadmix_assets.store import MissingOutputError, Store, carded_file
from quadmix_assets.training.progress import BatchProgress
from quadmix_assets.training.stacks import Sample
from quadmix_assets.training.token_file import TokenFileWriter
from quadmix_assets.training.train_samples import (
    METRICS_SCHEMA,
    BatchResult,
    train_samples,
)
from quadmix_assets_tests.conftest import write_profile

RNG = np.random.default_rng(0)
WORDS = ["river", "stone", "cloud", "ember", "willow", "copper"]
TEXTS = [" ".join(RNG.choice(WORDS, RNG.integers(3, 60))) for _ in range(80)]
HELD_OUT = {
    "planted": [" ".join(RNG.choice(WORDS[:3], 20)) for _ in range(8)],
    "other": [" ".join(RNG.choice(WORDS[3:], 20)) for _ in range(8)],
}
HASHES = np.array([xxh3_64_intdigest(f"d{n}".encode()) for n in range(80)], dtype=np.uint64)


def make_settings(folder: Path, **proxies: Any) -> Settings:
    training = {"n_tokens_per_proxy": 1_024, "batch_windows": 2, "warmup_steps": 0}
    changes = {"training": training, "max_target_tokens": 300, "device": "cpu", **proxies}
    targets = [{"name": "planted"}, {"name": "other"}]
    return load_settings(write_profile(folder, targets=targets, proxies=changes))


def put_tokenizer(store: Store, tokenizer: Tokenizer) -> None:
    with carded_file(tokenizer_path(store)) as file:
        file.write(tokenizer.to_str().encode())


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A lake with tokenizer and target sets, and a token token_file beside it."""
    folder = tmp_path_factory.mktemp("stack")
    settings = make_settings(folder)
    store = Store(settings.resolve(settings.lake))
    tokenizer = train_tokenizer(TEXTS, vocab_size=300)
    put_tokenizer(store, tokenizer)
    for name, texts in HELD_OUT.items():
        frame = pl.DataFrame({"id": [f"{name}-{n}" for n in range(8)], "text": texts})
        write_target_tokens(store, name, frame, tokenizer, part="search")
        write_target_tokens(store, name, frame.tail(4), tokenizer, part="proof")
    with TokenFileWriter(folder / "tokens", vocab_size=300) as writer:
        writer.append(encode(tokenizer, TEXTS))
    return folder


def sample(number: int, documents: np.ndarray, copies: int = 1) -> Sample:
    return Sample(number, documents, np.full(len(documents), copies), seed=5, order_seed=5)


def train(
    folder: Path,
    samples: list[Sample],
    *,
    heard: list[BatchProgress] | None = None,
    parts: Sequence[str] = ("search",),
    **proxies: Any,
) -> BatchResult:
    settings = make_settings(folder, **{"stack_size": 2, **proxies})
    return train_samples(
        Store(settings.resolve(settings.lake)),
        settings,
        folder / "tokens",
        HASHES,
        samples,
        n_tokens_per_proxy=settings.proxies.training.n_tokens_per_proxy,
        on_progress=(heard if heard is not None else []).append,
        parts=parts,
    )


SAMPLES = [
    sample(3, np.arange(0, 30)),
    sample(4, np.arange(30, 80), copies=2),
    sample(5, np.array([], dtype=np.int64)),
    sample(8, np.arange(10, 70)),
]


@pytest.fixture(scope="module")
def result(folder: Path) -> BatchResult:
    return train(folder, SAMPLES, n_workers=1)


def test_one_row_per_proxy_and_target(result: BatchResult) -> None:
    metrics = result.metrics
    assert dict(metrics.schema) == METRICS_SCHEMA
    expected = [(n, target) for n in (3, 4, 5, 8) for target in ("other", "planted")]
    assert metrics.select("sample_id", "target").rows() == expected
    assert metrics["sample_id"].to_list()[::2] == [3, 4, 5, 8]
    assert [training.status for training in result.trainings] == [
        "trained", "trained", "failed", "trained",
    ]  # fmt: skip
    assert result.tokens_per_second > 0


def test_each_part_has_a_row_of_its_own(folder: Path, result: BatchResult) -> None:
    both = train(folder, SAMPLES[:2], n_workers=1, parts=("search", "proof")).metrics
    columns = ["sample_id", "target", "part"]
    expected = [(n, target, part) for n in (3, 4) for target in ("other", "planted") for part in
                ("proof", "search")]  # fmt: skip
    assert both.select(columns).rows() == expected
    search = both.filter(pl.col("part") == "search")
    assert_frame_equal(search, result.metrics.filter(pl.col("sample_id") < 5))
    proof = both.filter(pl.col("part") == "proof")
    assert not set(proof["loss_nats"]) & set(search["loss_nats"])


def test_empty_sample_fails_with_a_reason_and_without_a_loss(result: BatchResult) -> None:
    rows = result.metrics.filter(pl.col("sample_id") == 5)
    assert rows["status"].to_list() == ["failed"] * 2
    assert rows["reason"].to_list() == ["its sample holds no tokens"] * 2
    assert rows["loss_nats"].to_list() == rows["bits_per_byte"].to_list() == [None, None]
    assert rows["n_tokens_sample"].to_list() == [0, 0]
    others = result.metrics.filter(pl.col("sample_id") != 5)
    assert others["status"].unique().to_list() == ["trained"]
    assert others["reason"].null_count() == others.height
    assert others["loss_nats"].is_between(0.1, np.log(300)).all()
    assert set(others["n_tokens"]) == {1_024}


def test_a_failed_proxy_touches_no_other(folder: Path, result: BatchResult) -> None:
    alone = train(folder, [SAMPLES[3]], n_workers=1).metrics
    together = result.metrics.filter(pl.col("sample_id") == 8)
    assert_frame_equal(alone, together, rel_tol=1e-5)


def test_processes_change_no_loss(folder: Path, result: BatchResult) -> None:
    assert train(folder, SAMPLES, n_workers=2).metrics.equals(result.metrics)


def test_order_of_listing_changes_no_loss(folder: Path) -> None:
    """The same documents, listed in another order, and given in several rows."""
    order = np.random.default_rng(1).permutation(60)
    documents, copies = np.arange(10, 70), np.arange(60) % 3 + 1
    first = Sample(0, documents, copies, seed=5, order_seed=5)
    second = Sample(1, documents[order], copies[order], seed=5, order_seed=5)
    metrics = train(folder, [first, second], n_workers=1).metrics
    losses = metrics.pivot("sample_id", index="target", values="loss_nats")
    assert losses["0"].to_list() == losses["1"].to_list()
    for seeds in ((6, 5), (5, 6)):
        other_seed = Sample(0, documents, copies, seed=seeds[0], order_seed=seeds[1])
        changed = train(folder, [other_seed], n_workers=1).metrics
        assert changed["loss_nats"].to_list() != losses["0"].to_list()


def test_missing_tokenizer_is_named(tmp_path: Path) -> None:
    with pytest.raises(MissingOutputError, match=TOKENIZER):
        train(tmp_path, SAMPLES, n_workers=1)


def test_targets_of_another_tokenizer_are_refused(folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder / "data", tmp_path / "data")
    settings = make_settings(tmp_path)
    store = Store(settings.resolve(settings.lake))
    other = train_tokenizer(TEXTS[:10], vocab_size=280)
    put_tokenizer(store, other)
    with pytest.raises(MissingOutputError, match="another tokenizer.*asset 'target_sets' again"):
        train(tmp_path, SAMPLES, n_workers=1)
