from collections import Counter
from itertools import chain
from typing import Any, NamedTuple

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quadmix_assets.training.token_file import TokenFile
from quadmix_assets.training.window_stream import WindowStream, order_keys, piece_hashes
from quadmix_assets_tests.corpus.reading import CORPUS, needs_corpus

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
    stream: WindowStream


def pack(
    token_file: TokenFile,
    documents: np.ndarray,
    copies: np.ndarray,
    *,
    n_windows: int,
    context: int = 7,
    seed: int = 3,
    piece_share: float = 1.0,
    max_pieces: int | None = None,
) -> PackedSample:
    stream = WindowStream(
        token_file,
        documents,
        copies,
        hashes_of(documents),
        seed=seed,
        context=context,
        separator_id=SEPARATOR,
        piece_share=piece_share,
        max_pieces=max_pieces,
    )
    return PackedSample(stream.read(n_windows), stream)


class Expected(NamedTuple):
    """The stream written out one piece at a time.

    `epochs` holds the passes, as pairs (document, token); the separator's token is SEPARATOR.
    """

    epochs: list[list[tuple[int, int]]]


def expected_epochs(
    token_file: TokenFile,
    documents: np.ndarray,
    copies: np.ndarray,
    *,
    context: int,
    seed: int,
    piece_share: float,
    max_pieces: int | None,
    n_epochs: int,
) -> Expected:
    def key(document: int, piece: int, copy: int, epoch: int) -> int:
        hashes = piece_hashes(hashes_of(np.array([document])), np.array([piece]))
        return int(order_keys(hashes, np.array([copy]), epoch=epoch, seed=seed)[0])

    pieces = {}
    for document, times in zip(documents.tolist(), copies.tolist(), strict=True):
        tokens = token_file[document].tolist()
        for piece in range(-(-len(tokens) // context) if times else 0):
            pieces[document, piece] = tokens[piece * context : (piece + 1) * context]
    choice = {(d, p): key(d, p, 0, -1) for d, p in pieces}
    kept = {one for one in pieces if piece_share == 1 or choice[one] < piece_share * 2**64}
    if pieces and not kept:
        kept = {min(choice, key=choice.__getitem__)}
    for document in documents.tolist():
        mine = sorted((choice[one], one) for one in kept if one[0] == document)
        kept -= {one for _, one in mine[max_pieces or len(mine) :]}
    times = dict(zip(documents.tolist(), copies.tolist(), strict=True))
    epochs = []
    for epoch in range(n_epochs):
        order = sorted((key(d, p, c, epoch), d, p) for d, p in kept for c in range(times[d]))
        epochs.append([(d, t) for _, d, p in order for t in (SEPARATOR, *pieces[d, p])])
    return Expected(epochs)


@settings(deadline=None, max_examples=80)
@given(st.data())
def test_windows_are_the_ordered_pieces_cut_end_to_end(data: st.DataObject) -> None:
    lengths = data.draw(st.lists(st.integers(0, 25), min_size=1, max_size=8))
    token_file = make_token_file(lengths)
    documents = np.array(data.draw(st.permutations(range(len(lengths)))))
    copies = np.array(
        data.draw(st.lists(st.integers(0, 3), min_size=len(lengths), max_size=len(lengths)))
    )
    context, seed = data.draw(st.integers(1, 9)), data.draw(st.integers(0, 99))
    piece_share = data.draw(st.sampled_from([1.0, 0.5, 0.1]))
    max_pieces = data.draw(st.sampled_from([None, 1, 2]))
    options: dict[str, Any] = {"piece_share": piece_share, "max_pieces": max_pieces}
    (epochs,) = expected_epochs(
        token_file, documents, copies, context=context, seed=seed, n_epochs=10, **options
    )
    size = len(epochs[0])
    options |= {"context": context, "seed": seed}
    if not size:
        with pytest.raises(ValueError, match="holds no tokens"):
            pack(token_file, documents, copies, n_windows=1, **options)
        return
    n_windows = data.draw(st.integers(1, max(1, 10 * size // (context + 1))))
    windows, stream = pack(token_file, documents, copies, n_windows=n_windows, **options)
    assert windows.shape == (n_windows, context + 1)
    assert stream.n_tokens_sample == (np.array(lengths)[documents] * copies).sum()
    assert stream.n_tokens_epoch == size
    assert stream.epochs == windows.size / size
    if windows.size > 10 * size:
        return
    expected = list(chain(*epochs))[: windows.size]
    assert windows.ravel().tolist() == [token for _, token in expected]
    of_document = Counter(document for document, token in expected if token != SEPARATOR)
    reads = stream.tokens_read()
    of_hash = {int(hashes_of(np.array([d]))[0]): n for d, n in of_document.items()}
    assert dict(zip(reads.id_hashes.tolist(), reads.n_tokens.tolist(), strict=True)) == of_hash
    assert reads.id_hashes.tolist() == sorted(of_hash)
    sought = WindowStream(
        token_file, documents, copies, hashes_of(documents), separator_id=SEPARATOR, **options
    )
    sought.seek(windows.size)
    assert sought.tokens_read() == reads
    np.testing.assert_array_equal(sought.read(3), stream.read(3))


def test_copies_and_epochs_repeat_the_text_that_was_chosen() -> None:
    rng = np.random.default_rng(2)
    token_file = make_token_file(rng.integers(1, 60, 300).tolist())
    documents, copies = np.arange(300), rng.integers(1, 4, 300)
    once = pack(token_file, documents, copies, n_windows=1, piece_share=0.2).stream
    n_windows = -(-4 * once.n_tokens_epoch // 8)
    windows = pack(
        token_file, documents, copies, n_windows=n_windows, piece_share=0.2
    ).windows.ravel()[: 4 * once.n_tokens_epoch]
    document_of = np.repeat(np.arange(300), token_file.n_tokens)
    seen = Counter(windows.tolist())
    n_separators = seen.pop(SEPARATOR)
    for token, n in seen.items():
        assert n == 4 * copies[document_of[token - 1]]
    share = (windows.size - n_separators) / 4 / (token_file.n_tokens * copies).sum()
    assert 0.15 < share < 0.25


def test_a_long_document_gives_as_many_pieces_as_it_may() -> None:
    token_file = make_token_file([1_000, *[6] * 200])
    documents, copies = np.arange(201), np.ones(201, np.int64)
    stream = pack(token_file, documents, copies, n_windows=190, max_pieces=5).stream
    reads = stream.tokens_read()
    long = int(np.searchsorted(reads.id_hashes, hashes_of(np.array([0]))[0]))
    assert reads.n_tokens[long] <= 5 * 7
    assert stream.n_tokens_epoch == 200 * 7 + 5 * 8
    other = pack(token_file, documents, copies, n_windows=190, max_pieces=5, seed=4).windows
    assert set(other.ravel().tolist()) != set(
        pack(token_file, documents, copies, n_windows=190, max_pieces=5).windows.ravel().tolist()
    ), "another seed, other pieces"


def test_one_pass_holds_every_document_as_often_as_its_copies_say() -> None:
    rng = np.random.default_rng(0)
    token_file = make_token_file(rng.integers(1, 30, 200).tolist())
    documents = np.arange(200)
    copies = rng.integers(0, 4, 200)
    n_pieces = -(-token_file.n_tokens // 7)
    n_tokens = int(((token_file.n_tokens + n_pieces) * copies).sum())
    windows = pack(token_file, documents, copies, n_windows=-(-n_tokens // 8)).windows
    seen = Counter(windows.ravel()[:n_tokens].tolist())
    assert seen.pop(SEPARATOR) == (n_pieces * copies).sum()
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


@pytest.mark.parametrize("n_read", [0, 1, 5, 8, 9, 10, 18, 19, 40])
def test_seeking_leads_where_reading_leads(n_read: int) -> None:
    """Ends of passes and of windows included: a pass has 18 tokens, two in each window."""
    token_file = make_token_file([3, 4, 2, 0])
    documents, copies = np.arange(4), np.array([1, 1, 1, 2])

    def stream() -> WindowStream:
        hashes = hashes_of(documents)
        return WindowStream(
            token_file, documents, copies, hashes, seed=3, context=1, separator_id=SEPARATOR
        )

    read, sought = stream(), stream()
    assert read.n_tokens_epoch == 18
    if n_read:
        read.read(n_read)
    sought.seek(2 * n_read)
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


@needs_corpus
def test_a_short_training_reads_from_nearly_as_many_documents_as_windows() -> None:
    """Real documents, of which the longest would fill a fifth of such a training in one go."""
    texts = pl.concat(
        pl.read_parquet(CORPUS / "docs" / f"shard-{shard:05d}.parquet", columns=["text"])
        for shard in range(4)
    )["text"]
    lengths = (texts.str.len_bytes() // 4).to_list()
    documents = np.arange(len(lengths))
    context, n_tokens = 128, 200_000
    read_by = []
    for seed in range(3):
        stream = WindowStream(
            make_token_file(lengths),
            documents,
            np.ones_like(documents),
            hashes_of(documents),
            seed=seed,
            context=context,
            separator_id=0,
            piece_share=n_tokens / sum(lengths),
            max_pieces=max(2, round(0.005 * n_tokens / context)),
        )
        stream.read(n_tokens // context)
        reads = stream.tokens_read()
        assert len(reads.id_hashes) > 1_000
        assert reads.n_tokens.max() <= 0.01 * n_tokens
        read_by.append(set(reads.id_hashes.tolist()))
    # Other thetas read other documents: the first one's are a small part of the second one's.
    assert len(read_by[0] & read_by[1]) < 0.2 * len(read_by[0])
