from collections import Counter
from itertools import chain
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quadmix_assets.training.token_file import TokenFile
from quadmix_assets.training.window_stream import WindowStream, order_keys

SEPARATOR = 0


def make_token_file(lengths: list[int]) -> TokenFile:
    """Every token of the file is different, and none is the separator."""
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    return TokenFile(np.arange(1, offsets[-1] + 1, dtype=np.uint32), offsets)


def hashes_of(documents: np.ndarray) -> np.ndarray:
    return (np.asarray(documents).astype(np.uint64) + np.uint64(5)) * np.uint64(0x2545F4914F6CDD1D)


class PackedSample(NamedTuple):
    """The first windows of a stream, and what it says of itself after them."""

    windows: np.ndarray
    epochs: float
    n_tokens_sample: int


def pack(
    token_file: TokenFile,
    documents: np.ndarray,
    copies: np.ndarray,
    *,
    n_windows: int,
    context: int = 7,
    seed: int = 3,
) -> PackedSample:
    stream = WindowStream(
        token_file,
        documents,
        copies,
        hashes_of(documents),
        seed=seed,
        context=context,
        separator_id=SEPARATOR,
    )
    windows = stream.read(n_windows)
    return PackedSample(windows, stream.epochs, stream.n_tokens_sample)


def expected_epoch(
    token_file: TokenFile, documents: np.ndarray, copies: np.ndarray, epoch: int, seed: int
) -> list[int]:
    """One pass written out one document at a time."""
    rows = []
    for document, times in zip(documents, copies, strict=True):
        for copy in range(times):
            key = order_keys(
                hashes_of(np.array([document])), np.array([copy]), epoch=epoch, seed=seed
            )[0]
            if len(token_file[document]):
                rows.append((int(key), document))
    return [token for _, d in sorted(rows) for token in (SEPARATOR, *token_file[d].tolist())]


@settings(deadline=None, max_examples=60)
@given(st.data())
def test_windows_are_the_ordered_stream_cut_end_to_end(data: st.DataObject) -> None:
    lengths = data.draw(st.lists(st.integers(0, 12), min_size=1, max_size=8))
    token_file = make_token_file(lengths)
    documents = np.array(data.draw(st.permutations(range(len(lengths)))))
    copies = np.array(
        data.draw(st.lists(st.integers(0, 3), min_size=len(lengths), max_size=len(lengths)))
    )
    context, seed = data.draw(st.integers(1, 9)), data.draw(st.integers(0, 99))
    passes = [expected_epoch(token_file, documents, copies, e, seed) for e in range(40)]
    if not passes[0]:
        with pytest.raises(ValueError, match="holds no tokens"):
            pack(token_file, documents, copies, n_windows=1, seed=seed)
        return
    n_windows = data.draw(st.integers(1, max(1, 40 * len(passes[0]) // (context + 1))))
    sample = pack(token_file, documents, copies, n_windows=n_windows, context=context, seed=seed)
    assert sample.windows.shape == (n_windows, context + 1)
    n_read = sample.windows.size
    if n_read <= 40 * len(passes[0]):
        assert sample.windows.ravel().tolist() == list(chain(*passes))[:n_read]
    assert sample.n_tokens_sample == len(passes[0])
    assert sample.epochs == n_read / len(passes[0])


def test_one_pass_holds_every_document_as_often_as_its_copies_say() -> None:
    rng = np.random.default_rng(0)
    token_file = make_token_file(rng.integers(1, 30, 200).tolist())
    documents = np.arange(200)
    copies = rng.integers(0, 4, 200)
    n_tokens = int(((token_file.n_tokens + 1) * copies).sum())
    windows = pack(token_file, documents, copies, n_windows=-(-n_tokens // 8)).windows
    seen = Counter(windows.ravel()[:n_tokens].tolist())
    assert seen.pop(SEPARATOR) == copies.sum()
    assert seen == Counter(
        {int(t): int(c) for d, c in enumerate(copies) if c for t in token_file[d].tolist()}
    )


def test_listing_order_and_batch_sizes_change_nothing() -> None:
    rng = np.random.default_rng(1)
    token_file = make_token_file(rng.integers(1, 30, 100).tolist())
    documents, copies = np.arange(100), rng.integers(0, 3, 100)
    once = pack(token_file, documents, copies, n_windows=300).windows
    shuffled = rng.permutation(100)
    np.testing.assert_array_equal(
        once, pack(token_file, documents[shuffled], copies[shuffled], n_windows=300).windows
    )
    stream = WindowStream(
        token_file,
        documents,
        copies,
        hashes_of(documents),
        seed=3,
        context=7,
        separator_id=SEPARATOR,
    )
    parts = [stream.read(n) for n in (1, 2, 97, 200)]
    np.testing.assert_array_equal(once, np.concatenate(parts))


@pytest.mark.parametrize("n_read", [0, 1, 8, 11, 12, 13, 24, 25, 40])
def test_seeking_leads_where_reading_leads(n_read: int) -> None:
    """Ends of passes and of windows included: the sample has 12 tokens with its separators."""
    token_file = make_token_file([3, 4, 2, 0])
    documents, copies = np.arange(4), np.array([1, 1, 1, 2])

    def stream() -> WindowStream:
        hashes = hashes_of(documents)
        return WindowStream(
            token_file, documents, copies, hashes, seed=3, context=0, separator_id=SEPARATOR
        )

    read, sought = stream(), stream()
    assert read.n_tokens_sample == 12
    if n_read:
        read.read(n_read)
    sought.seek(n_read)
    assert sought.epochs == read.epochs
    np.testing.assert_array_equal(sought.read(30), read.read(30))


def test_equal_keys_of_unequal_copies_keep_one_order(monkeypatch: pytest.MonkeyPatch) -> None:
    token_file = make_token_file([3, 4, 5])
    monkeypatch.setattr(
        "quadmix_assets.training.window_stream.order_keys",
        lambda hashes, copies, *, epoch, seed: np.zeros(len(hashes), np.uint64),
    )
    documents, copies = np.arange(3), np.array([2, 1, 1])
    once = pack(token_file, documents, copies, n_windows=4).windows
    again = pack(token_file, documents[::-1], copies[::-1], n_windows=4).windows
    np.testing.assert_array_equal(once, again)


def test_seed_epoch_and_copy_each_change_the_order() -> None:
    hashes = hashes_of(np.arange(1000))
    zeros = np.zeros(1000, np.int64)
    base = np.argsort(order_keys(hashes, zeros, epoch=0, seed=0))
    for other in (
        order_keys(hashes, zeros, epoch=0, seed=1),
        order_keys(hashes, zeros, epoch=1, seed=0),
        order_keys(hashes, zeros + 1, epoch=0, seed=0),
    ):
        rank_correlation = np.corrcoef(np.argsort(base), np.argsort(np.argsort(other)))[0, 1]
        assert abs(rank_correlation) < 0.15


def test_arrays_that_do_not_match_are_refused() -> None:
    token_file = make_token_file([3, 4])
    with pytest.raises(ValueError, match="one length"):
        pack(token_file, np.arange(2), np.array([1]), n_windows=1)
    with pytest.raises(ValueError, match="negative"):
        pack(token_file, np.arange(2), np.array([1, -1]), n_windows=1)
