from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from tokenizers import Tokenizer
from upath import UPath

from quadmix_assets.corpus.token_encoder import TokenEncoder
from quadmix_assets.corpus.tokenizer import encode, train_tokenizer
from quadmix_assets.features import resumable_windows as windows
from quadmix_assets.features.criteria.base import Criterion
from quadmix_assets.features.criteria.column import ColumnCriterion, ColumnCriterionSettings
from quadmix_assets.features.criteria.heuristics import HeuristicsSettings
from quadmix_assets.features.domains.column import ColumnDomains, ColumnDomainsSettings
from quadmix_assets.features.score import label_shard, score_shard
from quadmix_assets.outputs import DOMAIN_LABELS, RAW_SHARDS, SCORED_SHARDS
from quadmix_assets.store import MissingOutputError, Store
from quadmix_assets_tests.features.texts import AWKWARD
from quadmix_assets_tests.lakes import put_raw

PINNED = {"fitted_models": "models-1"}
CARRIED = {"loss": "float", "topic": "string"}


class Vowels(Criterion[HeuristicsSettings]):
    """A score that is known: the vowels of a text; `bad` documents get what is no number."""

    code_version = "1"
    bad: tuple[str, ...] = ()

    def score(self, documents: pl.DataFrame) -> np.ndarray:
        return np.array(
            [
                np.inf if document in self.bad else sum(text.count(vowel) for vowel in "aeiou")
                for document, text in documents.select("id", "text").iter_rows()
            ],
            dtype=np.float64,
        )


VOWELS = Vowels(HeuristicsSettings(kind="heuristics", name="vowels"))
LOSS = ColumnCriterion(
    ColumnCriterionSettings(kind="column", name="quality", column="loss", larger_is_better=False)
)
TOPICS = ColumnDomains(
    ColumnDomainsSettings(kind="column", column="topic", names=("a", "b"), mapping={"B!": "b"})
)


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return train_tokenizer([f"some words {n} and vowels" for n in range(50)], vocab_size=300)


@pytest.fixture(scope="module")
def encoder(tokenizer: Tokenizer) -> TokenEncoder:
    return TokenEncoder(tokenizer)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    store = Store(UPath(tmp_path / "lake"))
    rng = np.random.default_rng(0)
    texts = [text for text in AWKWARD.values() if text.strip()]
    texts += [" ".join(rng.choice(["tree", "moon", "xyz"], 5)) for _ in range(60)]
    rows = [
        {"id": f"d{n}", "text": text, "loss": n / 7, "topic": ("a", "B!", "c", None)[n % 4]}
        for n, text in enumerate(texts)
    ]
    put_raw(store, "s", rows, carried_columns=CARRIED)
    put_raw(store, "empty", [], carried_columns=CARRIED)
    return store


def test_every_row_has_its_own_documents_scores(
    store: Store, tokenizer: Tokenizer, encoder: TokenEncoder
) -> None:
    score_shard(store, "s", [VOWELS, LOSS], encoder, PINNED)
    raw = store.read_table(store.table_path(RAW_SHARDS, "s"))
    scored = store.read_table(store.table_path(SCORED_SHARDS, "s"))
    assert scored.columns == ["id", "n_tokens", "vowels", "quality"]
    for row, document in zip(scored.to_dicts(), raw.to_dicts(), strict=True):
        text = document["text"]
        assert row == {
            "id": document["id"],
            "n_tokens": len(encode(tokenizer, [text])[0]),
            "vowels": float(len([letter for letter in text if letter in "aeiou"])),
            "quality": -document["loss"],
        }


def test_batches_change_nothing(
    store: Store, encoder: TokenEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    tables = []
    for batch_rows in (2_048, 7):
        monkeypatch.setattr(windows, "BATCH_ROWS", batch_rows)
        score_shard(store, "s", [VOWELS, LOSS], encoder, PINNED)
        counts = label_shard(store, "s", TOPICS, PINNED)
        scored = store.read_table(store.table_path(SCORED_SHARDS, "s"))
        labels = store.read_table(store.table_path(DOMAIN_LABELS, "s"))
        tables.append((scored, labels, counts))
    assert tables[0][0].height > 7
    for first, second in zip(*tables, strict=True):
        assert first.equals(second)


def test_labels_stand_beside_their_documents_and_are_counted(store: Store) -> None:
    counts = label_shard(store, "s", TOPICS, PINNED)
    raw = store.read_table(store.table_path(RAW_SHARDS, "s"))
    labels = store.read_table(store.table_path(DOMAIN_LABELS, "s"))
    assert labels["id"].equals(raw["id"])
    expected = [{"a": "a", "B!": "b"}.get(topic, "unknown") for topic in raw["topic"]]
    assert labels["domain"].to_list() == expected
    assert labels["confidence"].to_list() == [float(name != "unknown") for name in expected]
    assert dict(counts.rows()) == {name: expected.count(name) for name in set(expected)}


def test_shard_without_documents(store: Store, encoder: TokenEncoder) -> None:
    score_shard(store, "empty", [VOWELS, LOSS], encoder, PINNED)
    counts = label_shard(store, "empty", TOPICS, PINNED)
    scored = store.read_table(store.table_path(SCORED_SHARDS, "empty"))
    score_shard(store, "s", [VOWELS, LOSS], encoder, PINNED)
    assert scored.height == 0
    assert scored.schema == store.read_table(store.table_path(SCORED_SHARDS, "s")).schema
    assert store.read_table(store.table_path(DOMAIN_LABELS, "empty")).height == 0
    assert counts.height == 0


def test_tables_say_what_they_were_made_from(
    store: Store, tokenizer: Tokenizer, encoder: TokenEncoder
) -> None:
    score_shard(store, "s", [VOWELS], encoder, {**PINNED, "tokenizer": "t"})
    label_shard(store, "s", TOPICS, PINNED)
    checksum = store.summary(store.table_path(RAW_SHARDS, "s"))["input"]["checksum"]
    scored, labels = (store.table_path(a, "s") for a in (SCORED_SHARDS, DOMAIN_LABELS))
    assert store.summary(labels)["inputs"] == {**PINNED, "raw_shard": checksum}
    expected = {**PINNED, "tokenizer": "t", "raw_shard": checksum}
    assert store.summary(scored)["inputs"] == expected


def test_score_that_is_no_number_names_the_document(
    store: Store, encoder: TokenEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(windows, "BATCH_ROWS", 10)
    criterion = Vowels(HeuristicsSettings(kind="heuristics", name="vowels"))
    criterion.bad = ("d17", "d18", "d40")
    score_shard(store, "s", [VOWELS], encoder, PINNED)
    before = store.fingerprint(store.root / SCORED_SHARDS)
    message = "'vowels' gives inf for the document 'd17' of the shard 's' .2 such"
    with pytest.raises(ValueError, match=message):
        score_shard(store, "s", [criterion], encoder, PINNED)
    assert store.fingerprint(store.root / SCORED_SHARDS) == before, "the old table stays"


def test_document_without_the_columns_score(store: Store, encoder: TokenEncoder) -> None:
    rows: list[dict[str, Any]] = [
        {"id": "x", "text": "words", "loss": 1.0},
        {"id": "y", "text": "words"},
    ]
    put_raw(store, "gaps", rows, carried_columns=CARRIED)
    with pytest.raises(ValueError, match=r"column 'loss' has no usable score in 1 of 2.*'y'"):
        score_shard(store, "gaps", [LOSS], encoder, PINNED)


def test_shard_that_is_not_there(store: Store, encoder: TokenEncoder) -> None:
    with pytest.raises(MissingOutputError, match="raw_shards"):
        score_shard(store, "nowhere", [VOWELS], encoder, PINNED)
    with pytest.raises(MissingOutputError, match="raw_shards"):
        label_shard(store, "nowhere", TOPICS, PINNED)
