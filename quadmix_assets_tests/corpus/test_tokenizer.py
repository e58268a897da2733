import gzip
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer, models

from quadmix_assets.corpus.tokenizer import (
    END_OF_TEXT,
    count_tokens,
    encode,
    encode_with_places,
    load_tokenizer,
    separator_id,
    text_pieces,
    tokenizer_fingerprint,
    train_tokenizer,
)
from quadmix_assets_tests.corpus.reading import AWKWARD, needs_corpus

TEXTS = [
    "The quick brown fox jumps over the lazy dog, and the dog doesn't mind at all.",
    "the dogs and the foxes, the quickest of them all: 1,234 of them!",
    "Übergrößenträger äßen Öl.\n\n\tIndented   and   spaced.\n",
] * 3
TOKENIZER = train_tokenizer(TEXTS, vocab_size=320)


def test_trained_vocabulary() -> None:
    assert TOKENIZER.get_vocab_size() == 320
    assert TOKENIZER.token_to_id(END_OF_TEXT) == 0
    assert train_tokenizer([], vocab_size=1000).get_vocab_size() == 257
    with pytest.raises(ValueError, match=r"tokenizer\.vocab_size is 256, expected at least 257"):
        train_tokenizer(TEXTS, vocab_size=256)


@given(st.text())
def test_any_text_is_encoded_and_comes_back(text: str) -> None:
    (ids,) = encode(TOKENIZER, [text])
    assert TOKENIZER.decode(ids.tolist(), skip_special_tokens=False) == text
    assert 0 not in ids


def test_spelling_of_a_special_token_is_text() -> None:
    (ids,) = encode(TOKENIZER, [f"a{END_OF_TEXT}b"])
    assert 0 not in ids and TOKENIZER.decode(ids.tolist()) == f"a{END_OF_TEXT}b"


def test_counts_are_lengths_of_encodings() -> None:
    texts = ["", *TEXTS, "x" * 100_000]
    counts, ids = count_tokens(TOKENIZER, texts), encode(TOKENIZER, texts)
    assert counts.dtype == np.int64 and all(array.dtype == np.int32 for array in ids)
    assert counts.tolist() == [len(array) for array in ids]
    assert counts[0] == 0
    assert count_tokens(TOKENIZER, []).shape == (0,) and encode(TOKENIZER, []) == []


def test_training_depends_neither_on_order_nor_on_threads() -> None:
    expected = tokenizer_fingerprint(TOKENIZER)
    assert tokenizer_fingerprint(train_tokenizer(TEXTS[::-1], vocab_size=320)) == expected
    program = (
        "from quadmix_assets_tests.corpus.test_tokenizer import TOKENIZER\n"
        "from quadmix_assets.corpus.tokenizer import tokenizer_fingerprint\n"
        "print(tokenizer_fingerprint(TOKENIZER))"
    )
    result = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "RAYON_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert result.stdout.strip() == expected
    assert tokenizer_fingerprint(train_tokenizer(TEXTS, vocab_size=319)) != expected


words = st.sampled_from(["word ", "don't ", "x\n", "  ", "1,5 ", "...", "Ünï ", "\t", " -- "])


@given(st.lists(words, max_size=30))
@settings(deadline=None, max_examples=20)
def test_cuts_change_no_token(parts: list[str]) -> None:
    paragraph = "".join([*parts, "one (two) three"])
    text = paragraph * (150_000 // len(paragraph))
    whole = TOKENIZER.encode(text, add_special_tokens=False).ids
    (ids,) = encode(TOKENIZER, [text])
    assert len(list(text_pieces(text))) > 1
    assert ids.tolist() == whole


def test_pieces_are_short_and_whole() -> None:
    for text in ("a" * 200_000, "ab " * 100_000, "a,b" * 70_000, " " * 150_000, "", "短" * 70_000):
        pieces = list(text_pieces(text))
        assert "".join(pieces) == text
        assert max(map(len, pieces)) <= 1 << 16
        assert len(pieces) <= len(text) / (1 << 15) + 1


def test_loading_a_file_or_its_folder(tmp_path: Path) -> None:
    path = tmp_path / "tokenizer.json"
    path.write_text(TOKENIZER.to_str())
    for source in (str(path), str(tmp_path), f"file://{path}"):
        loaded = load_tokenizer(source)
        assert tokenizer_fingerprint(loaded) == tokenizer_fingerprint(TOKENIZER)
        test = f"a{END_OF_TEXT}b"
        assert encode(loaded, [test])[0].tolist() == encode(TOKENIZER, [test])[0].tolist()


def test_what_would_make_counts_wrong_is_switched_off(tmp_path: Path) -> None:
    crippled = Tokenizer.from_str(TOKENIZER.to_str())
    crippled.enable_truncation(3)
    crippled.enable_padding(length=50)
    crippled.model.dropout = 0.5
    path = tmp_path / "tokenizer.json"
    path.write_text(crippled.to_str())
    assert json.loads(path.read_text())["model"]["dropout"] == 0.5
    loaded = load_tokenizer(str(path))
    assert count_tokens(loaded, TEXTS).tolist() == count_tokens(TOKENIZER, TEXTS).tolist()
    assert tokenizer_fingerprint(loaded) == tokenizer_fingerprint(TOKENIZER)


def test_tokenizers_that_cannot_be_loaded(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"gpt-none is not there.*set tokenizer\.revision"):
        load_tokenizer("gpt-none")
    (tmp_path / "tokenizer.json").write_text("{}")
    with pytest.raises(ValueError, match=r"tokenizer\.json: expected a tokenizer\.json"):
        load_tokenizer(str(tmp_path))


def test_hub_id_with_revision(tmp_path: Path) -> None:
    commit = "0123456789012345678901234567890123456789"
    snapshot = tmp_path / "hub" / "models--someone--tokens" / "snapshots" / commit
    snapshot.mkdir(parents=True)
    (snapshot / "tokenizer.json").write_text(TOKENIZER.to_str())
    program = (
        "import sys\n"
        "from quadmix_assets.corpus.tokenizer import load_tokenizer, tokenizer_fingerprint\n"
        "print(tokenizer_fingerprint(load_tokenizer('someone/tokens', revision=sys.argv[1])))"
    )
    # The hub's client reads its settings when it is imported, and finds the file in its cache.
    results = [
        subprocess.run(
            [sys.executable, "-c", program, revision],
            env={
                **os.environ,
                "HF_HOME": str(tmp_path),
                "HF_HUB_OFFLINE": "1",
                "PYTHONPATH": os.pathsep.join(sys.path),
            },
            capture_output=True,
            text=True,
            check=False,
        )
        for revision in (commit, "other")
    ]
    assert results[0].stdout.strip() == tokenizer_fingerprint(TOKENIZER), results[0].stderr
    assert "ValueError: tokenizer.source: 'someone/tokens' is no file" in results[1].stderr


@needs_corpus
def test_long_documents_lose_nothing() -> None:
    with gzip.open(AWKWARD / "long_docs.jsonl.gz") as file:
        texts = [json.loads(line)["text"] for line in file]
    without_spaces = min(texts, key=len)
    assert len(without_spaces.split()) == 1
    (ids,) = encode(TOKENIZER, [without_spaces])
    assert TOKENIZER.decode(ids.tolist(), skip_special_tokens=False) == without_spaces
    assert ids.tolist() == TOKENIZER.encode(without_spaces, add_special_tokens=False).ids


def test_separator_is_one_that_the_tokenizer_has() -> None:
    assert separator_id(TOKENIZER) == TOKENIZER.token_to_id(END_OF_TEXT)
    vocabulary = {"a": 0, "[SEP]": 1, "</s>": 2}
    assert separator_id(Tokenizer(models.WordLevel(vocabulary, unk_token="a"))) == 2
    with pytest.raises(ValueError, match="no token to separate documents"):
        separator_id(Tokenizer(models.WordLevel({"a": 0}, unk_token="a")))


def test_tokens_know_where_in_the_text_they_stand(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("quadmix_assets.corpus.tokenizer._MAX_PIECE_CHARACTERS", 40)
    texts = ["", "Füße und 東京 🚁, twice: " * 9, "one short text\nof two lines"]
    tokenizer = train_tokenizer(texts, vocab_size=320)
    encoded = encode_with_places(tokenizer, texts)
    for text, expected, (ids, places) in zip(texts, encode(tokenizer, texts), encoded, strict=True):
        np.testing.assert_array_equal(ids, expected)
        assert places.shape == (len(ids), 2)
        covered = sorted({at for start, stop in places for at in range(start, stop)})
        assert covered == list(range(len(text)))
        assert (np.diff(places, axis=0) >= 0).all()
    ids, places = encoded[2]
    words = [tokenizer.decode([token]) for token in ids]
    assert words == [texts[2][start:stop] for start, stop in places]
