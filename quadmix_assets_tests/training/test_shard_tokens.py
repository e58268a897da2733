from pathlib import Path

import numpy as np
import pytest
from upath import UPath

from quadmix_assets.corpus.token_encoder import TokenEncoder
from quadmix_assets.corpus.tokenizer import encode, train_tokenizer
from quadmix_assets.outputs import RAW_SHARDS
from quadmix_assets.store import MissingOutputError, Store
from quadmix_assets.training.shard_tokens import append_tokens
from quadmix_assets.training.token_file import TokenFile, TokenFileWriter
from quadmix_assets_tests.lakes import put_raw


def test_chosen_documents_are_appended_in_order_over_batches(tmp_path: Path) -> None:
    store = Store(UPath(tmp_path / "lake"))
    texts = [f"document number {n} {'again ' * (n % 5)}" for n in range(9_000)]
    put_raw(store, "s", [{"text": text} for text in texts])
    tokenizer = train_tokenizer(texts[:100], vocab_size=300)
    encoder = TokenEncoder(tokenizer)
    chosen = np.random.default_rng(0).random(len(texts)) < 0.02
    chosen[[0, 8_191, 8_192, 8_999]] = True
    with TokenFileWriter(tmp_path / "tokens", vocab_size=300) as writer:
        append_tokens(store, "s", np.zeros(len(texts), bool), encoder, writer)
        append_tokens(store, "s", chosen, encoder, writer)
    token_file = TokenFile.open(tmp_path / "tokens")
    expected = encode(tokenizer, [texts[n] for n in np.flatnonzero(chosen)])
    assert len(token_file) == len(expected)
    for number, tokens in enumerate(expected):
        np.testing.assert_array_equal(token_file[number], tokens)
    assert store.n_rows(store.table_path(RAW_SHARDS, "s")) == len(texts)


def test_shard_that_is_not_there(tmp_path: Path) -> None:
    store = Store(UPath(tmp_path / "lake"))
    encoder = TokenEncoder(train_tokenizer(["words"], vocab_size=300))
    with (
        TokenFileWriter(tmp_path / "tokens", vocab_size=300) as writer,
        pytest.raises(MissingOutputError, match="raw_shards"),
    ):
        append_tokens(store, "s", np.ones(1, bool), encoder, writer)
