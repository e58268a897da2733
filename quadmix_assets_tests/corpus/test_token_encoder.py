import logging
import pickle

import numpy as np
import polars as pl
import pytest
from tokenizers import Tokenizer, models, pre_tokenizers

from quadmix_assets.corpus.awkward_texts import awkward_texts
from quadmix_assets.corpus.token_encoder import TokenEncoder
from quadmix_assets.corpus.tokenizer import count_tokens, encode, train_tokenizer
from quadmix_assets_tests.corpus.reading import CORPUS, needs_corpus

TEXTS = awkward_texts()
TOKENIZER = train_tokenizer(TEXTS, vocab_size=1_000)
WORDS = Tokenizer(models.WordLevel({"a": 0, "b": 1, "?": 2}, unk_token="?"))
WORDS.pre_tokenizer = pre_tokenizers.Whitespace()


def assert_same(encoder: TokenEncoder, tokenizer: Tokenizer, texts: list[str]) -> None:
    counts, ids = encoder.count(texts), encoder.encode(texts)
    assert counts.dtype == np.int64 and all(tokens.dtype == np.int32 for tokens in ids)
    np.testing.assert_array_equal(counts, count_tokens(tokenizer, texts))
    for tokens, expected in zip(ids, encode(tokenizer, texts), strict=True):
        np.testing.assert_array_equal(tokens, expected)


@pytest.mark.parametrize("tokenizer", [TOKENIZER, WORDS])
def test_tokens_are_those_of_tokenizers(
    tokenizer: Tokenizer, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        encoder = TokenEncoder(tokenizer)
    assert encoder.uses_tiktoken == (tokenizer is TOKENIZER)
    assert ("its model is WordLevel, not BPE" in caplog.text) == (tokenizer is WORDS)
    assert encoder.vocab_size == tokenizer.get_vocab_size()
    for texts in ([], [""], TEXTS, ["", *TEXTS, ""]):
        assert_same(encoder, tokenizer, texts)


def test_long_texts_and_many_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    encoder = TokenEncoder(TOKENIZER)
    texts = ["x" * 200_000, "two words " * 8_000, "", " " * 70_000, "短" * 70_000, *TEXTS]
    assert_same(encoder, TOKENIZER, texts)
    monkeypatch.setattr("quadmix_assets.corpus.token_encoder._CHARACTERS_AT_ONCE", 100)
    monkeypatch.setattr("os.cpu_count", lambda: 5)
    assert_same(encoder, TOKENIZER, texts)


def test_an_encoder_can_be_sent_to_another_process() -> None:
    assert_same(pickle.loads(pickle.dumps(TokenEncoder(TOKENIZER))), TOKENIZER, TEXTS)


@needs_corpus
def test_documents_of_the_real_corpus() -> None:
    paths = sorted((CORPUS / "docs").glob("*.parquet"))
    sample = pl.concat([pl.read_parquet(path, columns=["text"]).head(30) for path in paths])
    tokenizer = train_tokenizer(sample["text"].to_list(), vocab_size=8_192)
    encoder = TokenEncoder(tokenizer)
    assert encoder.uses_tiktoken
    for number, path in enumerate(paths):
        # One in 40; `python -m benchmarks.scale.scoring` compares the counts of all of a shard.
        texts = pl.read_parquet(path, columns=["text"])["text"].gather_every(40, number)
        assert_same(encoder, tokenizer, texts.to_list())
