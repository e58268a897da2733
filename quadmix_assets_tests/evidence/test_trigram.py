from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from quadmix_assets.corpus.target_choices import CHOICES_SCHEMA
from quadmix_assets.corpus.target_tables import TargetTokens
from quadmix_assets.evidence import trigram as module
from quadmix_assets.evidence.trigram import Trigram
from quadmix_assets.training.choices import pack_choices
from quadmix_assets.training.selection import Selection
from quadmix_assets.training.token_file import TokenFile, TokenFileWriter

V, SEPARATOR = 13, 0
NO_CHOICES = pl.DataFrame(schema=CHOICES_SCHEMA)


class PlainTrigram:
    """The same model by the book: dictionaries, one word at a time."""

    def __init__(self, documents: Sequence[tuple[Sequence[int], int]]) -> None:
        self.counts: list[dict[tuple[int, ...], Counter[int]]] = [
            defaultdict(Counter) for _ in range(3)
        ]
        for document, copies in documents:
            text = [SEPARATOR, SEPARATOR, *document]
            for place in range(2, len(text)):
                for order in range(3):
                    history = tuple(text[place - order : place])
                    self.counts[order][history][text[place]] += copies

    def probability(self, history: tuple[int, ...], word: int) -> float:
        shorter = self.probability(history[1:], word) if history else 1 / V
        followed = self.counts[len(history)].get(history)
        if not followed:
            return shorter
        return (followed[word] + len(followed) * shorter) / (followed.total() + len(followed))

    def nats(self, document: Sequence[int]) -> float:
        text = [SEPARATOR, SEPARATOR, *document]
        return -sum(
            float(np.log(self.probability((text[n - 2], text[n - 1]), text[n])))
            for n in range(2, len(text))
        )


def documents_of(seed: int, n: int = 40) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    lengths = rng.integers(0, 30, n)
    return [np.minimum(rng.geometric(0.3, length), V - 1) for length in lengths]


def token_file(folder: Path, documents: Sequence[np.ndarray], vocab_size: int = V) -> TokenFile:
    with TokenFileWriter(folder, vocab_size) as writer:
        writer.append(documents)
    return TokenFile.open(folder)


@pytest.fixture
def fitted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> tuple[Trigram, PlainTrigram, list[np.ndarray]]:
    monkeypatch.setattr(module, "_BLOCK_TOKENS", 50)  # several blocks
    documents = documents_of(0)
    copies = np.random.default_rng(1).integers(0, 4, len(documents))
    selection = Selection.of_copies("m", copies)
    model = Trigram.fit(
        token_file(tmp_path, documents), selection, vocab_size=V, separator_id=SEPARATOR
    )
    plain = PlainTrigram(
        [(d.tolist(), int(n)) for d, n in zip(documents, copies, strict=True) if n]
    )
    assert model.n_tokens == sum(len(d) * int(n) for d, n in zip(documents, copies, strict=True))
    return model, plain, documents


def test_probabilities_are_those_of_a_plain_implementation(
    fitted: tuple[Trigram, PlainTrigram, list[np.ndarray]],
) -> None:
    model, plain, _ = fitted
    every = np.array([(a, b, w) for a in range(V) for b in range(V) for w in range(V)])
    found = model.probabilities(every[:, 0], every[:, 1], every[:, 2])
    expected = [plain.probability((a, b), w) for a, b, w in every.tolist()]
    np.testing.assert_allclose(found, expected, rtol=1e-12)
    # After every context, seen or not, the probabilities of all words add up to 1.
    np.testing.assert_allclose(found.reshape(V * V, V).sum(1), 1.0, rtol=1e-12)
    assert (found > 0).all()


def test_losses_are_those_of_every_document_by_itself(
    fitted: tuple[Trigram, PlainTrigram, list[np.ndarray]],
) -> None:
    model, plain, _ = fitted
    unseen = [d for d in documents_of(5) if len(d)]
    counted = [np.arange(len(d)) % 3 > 0 for d in unseen]
    n_bytes = np.arange(1, len(unseen) + 1)
    tokens = TargetTokens(unseen, [np.ones(len(d), bool) for d in unseen], n_bytes, NO_CHOICES)
    found = model.set_losses(tokens, None, max_tokens=10**9)
    np.testing.assert_allclose(found.nats[:, 0], [plain.nats(d.tolist()) for d in unseen])
    assert found.n_tokens.tolist() == [len(d) for d in unseen]
    assert found.n_bytes.tolist() == n_bytes.tolist()
    assert found.choice_nats is None
    masked = model.set_losses(TargetTokens(unseen, counted, n_bytes, NO_CHOICES), None, 200)
    n = int((np.cumsum([len(d) for d in unseen]) <= 200).sum())
    assert len(masked.nats) == n < len(unseen)
    for number in range(n):
        text = [SEPARATOR, SEPARATOR, *unseen[number].tolist()]
        expected = -sum(
            np.log(plain.probability((text[place], text[place + 1]), text[place + 2]))
            for place in np.flatnonzero(counted[number])
        )
        assert masked.nats[number, 0] == pytest.approx(expected)
    assert masked.n_tokens.tolist() == [int(c.sum()) for c in counted[:n]]


def test_choices_are_weighed_against_each_other(
    fitted: tuple[Trigram, PlainTrigram, list[np.ndarray]],
) -> None:
    model, plain, _ = fitted
    rng = np.random.default_rng(3)
    rows, expected = [], []
    for number in range(9):
        context = rng.integers(1, V, number).tolist()
        nats = []
        for choice in range(2 + number % 2):
            words = rng.integers(1, V, rng.integers(1, 5)).tolist()
            rows.append((f"q{number}", choice == 0, len(context), context + words))
            nats.append(plain.nats(context + words) - plain.nats(context))
        expected.append(nats[0] + np.log(np.exp(-np.array(nats)).sum()))
    table = pl.DataFrame(rows, schema=CHOICES_SCHEMA, orient="row")
    packed = pack_choices(table, context=16, separator_id=SEPARATOR, max_tokens=10_000)
    tokens = TargetTokens([np.array([1, 2])], [np.ones(2, bool)], np.array([3]), table)
    found = model.set_losses(tokens, packed, 100)
    assert found.choice_nats is not None and found.n_choices is not None
    np.testing.assert_allclose(found.choice_nats[:, 0], expected)
    assert found.n_choices.tolist() == [2 + number % 2 for number in range(9)]


def test_copies_count_like_repeated_documents(tmp_path: Path) -> None:
    documents = documents_of(2, 12)
    copies = np.array([2] * 6 + [1] * 6)
    once = Trigram.fit(
        token_file(tmp_path / "a", documents),
        Selection.of_copies("m", copies),
        vocab_size=V,
        separator_id=SEPARATOR,
    )
    repeated = [d for d, n in zip(documents, copies, strict=True) for _ in range(n)][::-1]
    twice = Trigram.fit(
        token_file(tmp_path / "b", repeated),
        Selection.of_copies("m", np.ones(len(repeated), int)),
        vocab_size=V,
        separator_id=SEPARATOR,
    )
    np.testing.assert_array_equal(once.trigrams.keys, twice.trigrams.keys)
    np.testing.assert_array_equal(once.trigrams.counts, twice.trigrams.counts)
    np.testing.assert_array_equal(once.unigrams, twice.unigrams)


def test_a_selection_without_tokens_is_refused(tmp_path: Path) -> None:
    documents = token_file(tmp_path, [np.zeros(0, int), np.array([1])])
    nothing = Selection.of_copies("empty", np.array([1, 0]))
    with pytest.raises(ValueError, match="the mix 'empty' holds no tokens"):
        Trigram.fit(documents, nothing, vocab_size=V, separator_id=SEPARATOR)
    with pytest.raises(ValueError, match="vocabulary has 3,000,000 tokens"):
        Trigram.fit(documents, nothing, vocab_size=3_000_000, separator_id=SEPARATOR)


def test_millions_of_tokens_are_counted(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    words = np.minimum(rng.zipf(1.3, 3_000_000), 4_095)
    documents = token_file(tmp_path, np.split(words, 3_000), 4_096)
    every = Selection.of_copies("m", np.ones(3_000, int))
    model = Trigram.fit(documents, every, vocab_size=4_096, separator_id=SEPARATOR)
    assert model.n_tokens == 3_000_000
