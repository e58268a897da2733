from pathlib import Path

import numpy as np
import polars as pl
import pytest
from tokenizers import Tokenizer
from xxhash import xxh3_64_intdigest

from quadmix_assets.corpus.target_sets import PARTS
from quadmix_assets.corpus.target_tables import part_path, read_target_tokens, write_target_tables
from quadmix_assets.corpus.tokenizer import encode, train_tokenizer
from quadmix_assets.settings import load_settings
from quadmix_assets.store import MissingOutputError, Store
from quadmix_assets_tests.conftest import write_profile
from quadmix_assets_tests.lakes import write_lines

TEXTS = [f"número {n} " * (n % 7 + 1) for n in range(60)]
TOKENIZER = train_tokenizer(TEXTS, vocab_size=300)


@pytest.fixture
def written(tmp_path: Path) -> tuple[Store, pl.DataFrame]:
    path = write_lines(
        tmp_path / "one.jsonl", [{"id": f"d{n}", "text": text} for n, text in enumerate(TEXTS)]
    )
    settings = load_settings(
        write_profile(
            tmp_path,
            targets=[{"name": "planted", "path": str(path)}],
            proxies={"max_target_tokens": 100},
        )
    )
    store = Store(settings.resolve(settings.lake))
    return store, write_target_tables(store, settings, TOKENIZER)


def test_the_evaluated_parts_are_stored_as_text_and_tokens_in_the_order_of_evaluation(
    written: tuple[Store, pl.DataFrame],
) -> None:
    store, summary = written
    parts = {part: store.read_table(part_path(store, "planted", part)) for part in PARTS}
    assert sorted(text for part in parts.values() for text in part["text"]) == sorted(TEXTS)
    assert summary["part"].to_list() == ["fit", "search", "proof"]
    assert summary["n_documents"].to_list() == [part.height for part in parts.values()]
    assert summary["n_tokens_evaluated"][0] == 0
    for row, part in ((1, "search"), (2, "proof")):
        keys = [xxh3_64_intdigest(id_.encode()) for id_ in parts[part]["id"]]
        assert keys == sorted(keys)
        tokens = read_target_tokens(store, "planted", TOKENIZER, part=part)
        expected = encode(TOKENIZER, parts[part]["text"].to_list())
        assert [t.tolist() for t in tokens.documents] == [t.tolist() for t in expected]
        assert tokens.n_bytes.tolist() == [len(text.encode()) for text in parts[part]["text"]]
        n_tokens = np.cumsum([len(t) for t in expected])
        assert summary["n_tokens"][row] == n_tokens[-1]
        assert summary["n_tokens_evaluated"][row] == n_tokens[n_tokens <= 100][-1]


def test_tokens_of_another_tokenizer_are_refused(written: tuple[Store, pl.DataFrame]) -> None:
    store, _ = written
    other: Tokenizer = train_tokenizer(TEXTS, vocab_size=290)
    with pytest.raises(MissingOutputError, match="another tokenizer.*asset 'target_sets' again"):
        read_target_tokens(store, "planted", other, part="search")
    with pytest.raises(MissingOutputError, match="materialise the asset 'target_sets'"):
        read_target_tokens(store, "unknown", TOKENIZER, part="search")
