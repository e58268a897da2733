from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from tokenizers import Tokenizer
from xxhash import xxh3_64_intdigest

from quadmix_assets.corpus.text_sample import in_sample
from quadmix_assets.corpus.tokenizer import count_tokens, encode, train_tokenizer
from quadmix_assets.features.normalizers import fit_normalizer
from quadmix_assets.features.scored_documents import read_scored
from quadmix_assets.outputs import PROXY_POOL
from quadmix_assets.proxies.proxy_pool import (
    ProxyPoolSummary,
    build_proxy_pool,
    open_index,
    read_documents,
    token_folder,
)
from quadmix_assets.settings import Settings, load_settings
from quadmix_assets.store import MissingOutputError, Store
from quadmix_assets.training.token_file import TokenFile
from quadmix_assets_tests.conftest import write_profile
from quadmix_assets_tests.lakes import put_raw, put_scored

CRITERIA = [{"kind": "heuristics"}, {"kind": "column", "name": "worth", "column": "worth"}]
RNG = np.random.default_rng(0)
TEXTS = {
    f"d{n}": " ".join(RNG.choice(["river", "stone", "über", "漢字"], RNG.integers(1, 40)))
    for n in range(400)
}
SCORES = {i: (RNG.normal(), RNG.integers(0, 5)) for i in TEXTS}
DOMAINS = {i: str(RNG.choice(["law", "food", "unknown"])) for i in TEXTS}


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return train_tokenizer(list(TEXTS.values())[:50], vocab_size=280)


def make_settings(folder: Path, pool_tokens: int, seed: int = 0) -> Settings:
    domains = {"kind": "column", "column": "topic", "names": ["law", "food"]}
    return load_settings(
        write_profile(
            folder,
            seed=seed,
            corpus={"carried_columns": {"worth": "float", "topic": "string"}},
            features={"criteria": CRITERIA, "domains": domains},
            proxies={"pool_tokens": pool_tokens},
        )
    )


def build(
    settings: Settings, tokenizer: Tokenizer, shards: Mapping[str, Sequence[str]]
) -> tuple[Store, ProxyPoolSummary]:
    store = Store(settings.resolve(settings.lake))
    for key, ids in shards.items():
        put_raw(store, key, [{"id": i, "text": TEXTS[i]} for i in ids])
        scores = np.array([SCORES[i] for i in ids]).reshape(len(ids), 2)
        n_tokens = count_tokens(tokenizer, [TEXTS[i] for i in ids])
        put_scored(
            store,
            key,
            dict(zip(settings.criterion_names, scores.T, strict=True)),
            [DOMAINS[i] for i in ids],
            n_tokens,
        )
    pool = read_scored(store, sorted(shards), settings.criterion_names, settings.domain_names)
    normalizers = [
        fit_normalizer("rank", pool.scores[:, n], pool.n_tokens, max_breakpoints=1_000)
        for n in range(2)
    ]
    summary = build_proxy_pool(store, sorted(shards), settings, normalizers, tokenizer)
    return store, summary


def table_of(store: Store) -> pl.DataFrame:
    return pl.read_parquet(str(store.path(PROXY_POOL, "documents.parquet")))


def test_sample_is_by_id_and_every_row_is_its_own_document(
    tmp_path: Path, tokenizer: Tokenizer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "quadmix_assets")
    ids = list(TEXTS)
    total = int(count_tokens(tokenizer, list(TEXTS.values())).sum())
    settings = make_settings(tmp_path, total // 3)
    store, summary = build(settings, tokenizer, {"a": ids[:250], "b": ids[250:], "empty": []})
    assert summary.share == (total // 3) / total
    chosen = in_sample(ids, summary.share, purpose="proxy_pool", seed=0)
    expected = [i for i, take in zip(ids, chosen, strict=True) if take]
    table = table_of(store)
    assert table["id"].to_list() == expected
    assert table["domain"].to_list() == [settings.domain_names.index(DOMAINS[i]) for i in expected]
    assert table["shard"].to_list() == ["a" if ids.index(i) < 250 else "b" for i in expected]
    folder = Path(str(store.root / PROXY_POOL))
    token_file = TokenFile.open(token_folder(folder))
    assert len(token_file) == len(expected) == summary.n_documents
    for number, i in enumerate(expected):
        np.testing.assert_array_equal(token_file[number], encode(tokenizer, [TEXTS[i]])[0])
    assert token_file.n_tokens.tolist() == table["n_tokens"].to_list()
    assert summary.n_tokens == len(token_file.tokens)
    assert abs(summary.n_tokens - total // 3) < 0.2 * total
    hashes = read_documents(folder, ["id_hash"])["id_hash"]
    assert hashes.tolist() == [xxh3_64_intdigest(i.encode()) for i in expected]
    worth = np.array([SCORES[i][1] for i in expected])
    weights = count_tokens(tokenizer, list(TEXTS.values()))
    everyone = np.array([SCORES[i][1] for i in ids])
    for row in (0, 7, len(expected) - 1):
        better = weights[everyone >= worth[row]].sum() / total
        assert table["sigma_worth"][row] == pytest.approx(better, abs=1e-15)
    assert len(caplog.messages) == 4
    assert "shard 3 of 3" in caplog.messages[-2]


def test_index_is_of_the_documents_and_of_the_criteria_and_domains_it_was_made_for(
    tmp_path: Path, tokenizer: Tokenizer
) -> None:
    settings = make_settings(tmp_path, 10**9)
    store, _ = build(settings, tokenizer, {"a": list(TEXTS)})
    folder = Path(str(store.root / PROXY_POOL))
    index = open_index(folder, settings)
    table = table_of(store)
    documents = index.documents[index.documents >= 0]
    assert sorted(documents) == list(range(table.height))
    tokens = index.tokens[index.documents >= 0]
    np.testing.assert_array_equal(tokens, table["n_tokens"].to_numpy()[documents])
    for n, name in enumerate(settings.criterion_names):
        scores = index.sigma[n].ravel()[index.documents >= 0]
        np.testing.assert_array_equal(scores, table[f"sigma_{name}"].to_numpy()[documents])
    other = write_profile(
        tmp_path / "other",
        corpus={"carried_columns": {"worth": "float", "topic": "string"}},
        features={"criteria": CRITERIA[::-1], "domains": settings.features.domains.model_dump()},
    )
    with pytest.raises(MissingOutputError, match="made for other criteria or domains"):
        open_index(folder, load_settings(other))


def test_layout_of_shards_changes_no_document(tmp_path: Path, tokenizer: Tokenizer) -> None:
    ids = list(TEXTS)
    settings = make_settings(tmp_path / "a", 2_000)
    first, _ = build(settings, tokenizer, {"s": ids})
    other = make_settings(tmp_path / "b", 2_000)
    second, _ = build(other, tokenizer, {f"s{n}": ids[n::3] for n in range(3)})
    columns = pl.exclude("shard")
    assert (
        table_of(first)
        .select(columns)
        .sort("id")
        .equals(table_of(second).select(columns).sort("id"))
    )


def test_seed_chooses_and_a_large_budget_takes_everything(
    tmp_path: Path, tokenizer: Tokenizer
) -> None:
    shards = {"s": list(TEXTS)}
    first, _ = build(make_settings(tmp_path / "a", 2_000), tokenizer, shards)
    second, _ = build(make_settings(tmp_path / "b", 2_000, seed=1), tokenizer, shards)
    assert table_of(first)["id"].to_list() != table_of(second)["id"].to_list()
    everything, summary = build(make_settings(tmp_path / "c", 10**9), tokenizer, shards)
    assert table_of(everything)["id"].to_list() == list(TEXTS)
    assert summary.share == 1.0


def test_budget_that_is_too_small_is_an_error_that_names_the_setting(
    tmp_path: Path, tokenizer: Tokenizer
) -> None:
    with pytest.raises(ValueError, match=r"sample of 1 of its \d+ tokens: raise proxies.pool_tok"):
        build(make_settings(tmp_path, 1), tokenizer, {"s": list(TEXTS)[20:40]})
