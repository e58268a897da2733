from pathlib import Path
from typing import Any

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


def question(number: int) -> dict[str, Any]:
    choices = [f"stone {number}", "cloud", f"ember of {number}"]
    return {"question": f"Which of {number}?", "choices": choices, "answer": number % 3}


# Every word is one token, with the space before it.
WORDS = train_tokenizer(
    [
        f"Question: {q['question']}\nAnswer: {' '.join(q['choices'])}"
        for q in map(question, range(60))
    ],
    vocab_size=600,
)


def write_questions(folder: Path, **options: Any) -> Store:
    path = write_lines(folder / "q.jsonl", [question(n) for n in range(60)])
    target = {"name": "planted", "path": str(path), "format": "mmlu", **options}
    settings = load_settings(write_profile(folder, targets=[target]))
    store = Store(settings.resolve(settings.lake))
    write_target_tables(store, settings, WORDS)
    return store


def test_words_of_the_template_do_not_count(tmp_path: Path) -> None:
    store = write_questions(tmp_path)
    documents = store.read_table(part_path(store, "planted", "proof"))
    tokens = read_target_tokens(store, "planted", WORDS, part="proof")
    for n, (id_, text) in enumerate(documents.rows()):
        number = int(id_.split(":")[1]) - 1
        row = question(number)
        answer = row["choices"][number % 3]
        assert text == f"Question: {row['question']}\nAnswer: {answer}"
        counted = tokens.documents[n][tokens.counted[n]].tolist()
        # The space before a word is a part of the word's first token.
        assert WORDS.decode(counted) == f" {row['question']} {answer}"
        assert tokens.n_bytes[n] == len(f"{row['question']}{answer}")
    whole = read_target_tokens(
        write_questions(tmp_path / "whole", mask_template=False), "planted", WORDS, part="proof"
    )
    assert all(counted.all() for counted in whole.counted)


def test_choices_are_stored_with_what_stands_before_them(tmp_path: Path) -> None:
    store = write_questions(tmp_path)
    documents = store.read_table(part_path(store, "planted", "search"))
    choices = read_target_tokens(store, "planted", WORDS, part="search").choices
    assert choices["id"].unique(maintain_order=True).to_list() == documents["id"].to_list()
    rights = choices.filter("is_right")
    assert rights["id"].to_list() == documents["id"].to_list()
    assert [WORDS.decode(tokens) for tokens in rights["tokens"]] == documents["text"].to_list()
    for id_, _, n_context, tokens in choices.rows():
        number = int(id_.split(":")[1]) - 1
        assert WORDS.decode(tokens[:n_context]) == f"Question: Which of {number}?\nAnswer:"
        assert WORDS.decode(tokens[n_context:])[1:] in question(number)["choices"]
