"""The shared fastText model: determinism, odd texts, and a softmax computed with numpy."""

from pathlib import Path

import fasttext
import numpy as np
import pytest

from quadmix_assets.features.fasttext_model import FasttextModel, one_line
from quadmix_assets_tests.features.texts import AWKWARD, TOPICS, prose


def _examples(n: int = 60) -> tuple[list[str], list[str]]:
    rng = np.random.default_rng(0)
    labels = [list(TOPICS)[i % len(TOPICS)] for i in range(n)]
    return [prose(rng, 3, topic) for topic in labels], labels


def _train(
    texts: list[str], labels: list[str], seed: int = 7, n_word_ngrams: int = 2
) -> FasttextModel:
    return FasttextModel.train(
        texts,
        labels,
        seed=seed,
        epochs=60,
        dimension=8,
        n_word_ngrams=n_word_ngrams,
        learning_rate=0.5,
        n_buckets=1_000,
    )


@pytest.fixture(scope="module")
def model() -> FasttextModel:
    return _train(*_examples())


def test_equal_input_gives_equal_bytes_in_any_order(model: FasttextModel) -> None:
    texts, labels = _examples()
    assert _train(texts[::-1], labels[::-1]).content == model.content
    assert _train(texts[::-1], labels[::-1]).fingerprint == model.fingerprint


def test_the_seed_matters(model: FasttextModel) -> None:
    assert _train(*_examples(), seed=8).content != model.content


def test_it_learns(model: FasttextModel) -> None:
    rng = np.random.default_rng(1)
    for column, topic in enumerate(model.labels):
        probabilities = model.probabilities([prose(rng, 3, topic) for _ in range(20)])
        assert (probabilities.argmax(axis=1) == column).all()


def test_probabilities_are_the_softmax_over_the_mean_of_word_vectors(tmp_path: Path) -> None:
    unigrams = _train(*_examples(), n_word_ngrams=1)
    path = tmp_path / "model.bin"
    path.write_bytes(unigrams.content)
    raw = fasttext.load_model(str(path))
    order = [raw.get_labels().index(f"__label__{label}") for label in unigrams.labels]
    words = {word: row for row, word in enumerate(raw.get_words())}
    texts = [
        "The oven\nand the orbit of court",
        "galaxy unseenword",
        prose(np.random.default_rng(3)),
    ]
    for text, row in zip(texts, unigrams.probabilities(texts), strict=True):
        known = [words[word] for word in [*text.split(), "</s>"] if word in words]
        hidden = raw.get_input_matrix()[known].astype(np.float64).mean(axis=0)
        logits = raw.get_output_matrix().astype(np.float64) @ hidden
        expected = np.exp(logits - logits.max())
        np.testing.assert_allclose(row, (expected / expected.sum())[order], atol=2e-6)


def test_a_row_does_not_depend_on_its_neighbours(model: FasttextModel) -> None:
    texts, _ = _examples()
    texts = [*texts, *AWKWARD.values(), "x " * 2_000_001, "y"]
    together = model.probabilities(texts)
    alone = np.concatenate([model.probabilities([text]) for text in texts])
    assert np.array_equal(together, alone)
    assert np.array_equal(model.probabilities(texts[::-1]), together[::-1])


def test_rows_are_probabilities_and_texts_without_words_are_zero(model: FasttextModel) -> None:
    result = model.probabilities(list(AWKWARD.values()))
    wordless = [name in {"empty", "blank"} for name in AWKWARD]
    assert np.array_equal(result.sum(axis=1) == 0.0, wordless)
    np.testing.assert_allclose(result.sum(axis=1)[~np.array(wordless)], 1.0)
    assert result.min() >= 0.0
    assert result.max() <= 1.0
    assert model.probabilities([]).shape == (0, 3)


def test_reserved_words_of_fasttext_neither_cut_a_text_nor_label_it() -> None:
    texts, labels = _examples()
    spiked = [f"__label__trap </s> {text}" for text in texts]
    model = _train(spiked, labels)
    assert model.labels == tuple(sorted(TOPICS))
    plain = _train(texts, labels).probabilities(texts)
    assert np.array_equal(model.probabilities(spiked).argmax(axis=1), plain.argmax(axis=1))
    tail = model.probabilities(["</s> oven butter flour sauce", "</s> orbit telescope galaxy"])
    assert not np.allclose(tail[0], tail[1])


def test_words_stay_apart_on_one_line() -> None:
    assert one_line("a\nb</s>c").split() == ["a", "b", "c"]
    assert one_line("Kept, as It is.") == "Kept, as It is."


def test_long_lines_are_read_to_their_end() -> None:
    rng = np.random.default_rng(5)
    filler = " ".join(["same"] * 3_000)
    labels = ["cooking", "law"] * 20
    texts = [f"{filler} {' '.join(rng.choice(TOPICS[label], 600))}" for label in labels]
    found = _train(texts, labels).probabilities(texts)
    assert (found.argmax(axis=1) == [0, 1] * 20).all()


def test_one_label_alone_is_refused() -> None:
    with pytest.raises(ValueError, match=r"at least two labels; 2 of 3 texts have words"):
        _train(["some words here", "more words here", " \n"], ["a", "a", "b"])
