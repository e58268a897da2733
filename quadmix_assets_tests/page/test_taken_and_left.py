"""What is taken and left of a small pool, against its tables read in another way."""

from pathlib import Path

import polars as pl
import pytest

from quadmix_assets.mix.selections import MixRows, read_mix
from quadmix_assets.outputs import DOMAIN_LABELS, RAW_SHARDS, SCORED_SHARDS
from quadmix_assets.page.sections.documents import documents_html
from quadmix_assets.page.taken_and_left import Shown, Side, TakenAndLeft, taken_and_left
from quadmix_assets.settings import Settings
from quadmix_assets.store import Store
from quadmix_assets_tests.mix.explained import SHARDS, THETA_MIX, fill, settings_of
from quadmix_assets_tests.mix.test_version_rule import finish
from quadmix_assets_tests.page.reader import read_page

N = 5


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return settings_of(tmp_path_factory.mktemp("taken"))


@pytest.fixture(scope="module")
def store(settings: Settings) -> Store:
    store = Store(settings.resolve(settings.lake))
    fill(store, settings)
    finish(store, settings, THETA_MIX)
    return store


@pytest.fixture(scope="module")
def rows(store: Store) -> MixRows:
    return read_mix(store, THETA_MIX)


@pytest.fixture(scope="module")
def found(store: Store, rows: MixRows) -> list[TakenAndLeft]:
    return taken_and_left(store, rows, n=N, seed=1)


@pytest.fixture(scope="module")
def pool(store: Store, rows: MixRows) -> pl.DataFrame:
    """All documents with domain, tokens, text and copies."""
    tables = []
    for shard in SHARDS:
        scored = store.read_table(store.table_path(SCORED_SHARDS, shard), ["id", "n_tokens"])
        labels = store.read_table(store.table_path(DOMAIN_LABELS, shard), ["id", "domain"])
        texts = store.read_table(store.table_path(RAW_SHARDS, shard), ["id", "text"])
        taken = rows.rows(shard, ["id", "copies"])
        tables.append(
            scored.join(labels, on="id").join(texts, on="id").join(taken, on="id", how="left")
        )
    return pl.concat(tables)


def test_every_domain_is_counted(found: list[TakenAndLeft], pool: pl.DataFrame) -> None:
    assert sorted(each.domain for each in found) == sorted(pool["domain"].unique())
    tokens = [each.taken.n_tokens + each.left.n_tokens for each in found]
    assert tokens == sorted(tokens, reverse=True), "the largest first"
    for each in found:
        of_domain = pool.filter(domain=each.domain)
        for side, part in (
            (each.taken, of_domain.filter(pl.col("copies").is_not_null())),
            (each.left, of_domain.filter(pl.col("copies").is_null())),
        ):
            assert (side.n_documents, side.n_tokens) == (part.height, part["n_tokens"].sum())
            assert len(side.shown) == min(N, part.height)
            assert {one.document_id for one in side.shown} <= set(part["id"])


def test_documents_are_shown_as_they_are(found: list[TakenAndLeft], pool: pl.DataFrame) -> None:
    known = {row["id"]: row for row in pool.iter_rows(named=True)}
    shown = [one for each in found for side in (each.taken, each.left) for one in side.shown]
    assert len({one.document_id for one in shown}) == len(shown) > 20
    for one in shown:
        row = known[one.document_id]
        assert (one.excerpt, one.n_tokens) == (row["text"], row["n_tokens"])
        assert one.copies == (row["copies"] or 0)
        assert ("beyond omega" in one.why) or ("within omega" in one.why), one.why
        if "beyond omega" not in one.why:
            assert "rank" in one.why


def test_the_choice_depends_on_the_seed_alone(
    store: Store, rows: MixRows, found: list[TakenAndLeft]
) -> None:
    assert taken_and_left(store, rows, n=N, seed=1) == found
    others = taken_and_left(store, rows, n=N, seed=2)
    assert [each.taken.n_documents for each in others] == [each.taken.n_documents for each in found]
    assert others != found
    # More of them contain the fewer.
    more = taken_and_left(store, rows, n=N + 3, seed=1)
    for few, many in zip(found, more, strict=True):
        assert few.left.shown == many.left.shown[: len(few.left.shown)]


def test_shards_that_have_left_the_pool_are_passed_over(
    store: Store, rows: MixRows, found: list[TakenAndLeft], tmp_path: Path
) -> None:
    path = store.table_path(SCORED_SHARDS, "b")
    content = path.read_bytes()
    path.unlink()
    try:
        fewer = taken_and_left(store, rows, n=N, seed=1)
    finally:
        path.write_bytes(content)
    count = sum(each.taken.n_documents + each.left.n_documents for each in fewer)
    assert count == SHARDS["a"]
    assert all(one.document_id.startswith("a-") for each in fewer for one in each.taken.shown)


def test_hostile_documents_are_shown_as_text() -> None:
    hostile = '<img src="http://x.example/a.png" onerror="alert(1)"></blockquote><script>1</script>'
    shown = Shown(f'"{hostile}', 1, 1, hostile, hostile)
    side = Side(1, 1, (shown,))
    page = read_page(documents_html(hostile, [TakenAndLeft(hostile, side, side)]))
    assert page.problems == [] and page.loaded() == []
    assert [each.text for each in page.all("blockquote")] == [hostile] * 2
    assert hostile in page.all("summary")[0].text


def test_the_section_unfolds_by_domain(found: list[TakenAndLeft]) -> None:
    page = read_page(documents_html("quadmix", found))
    assert page.problems == [] and page.loaded() == []
    titles = [each.text for each in page.all("summary")]
    assert len(titles) == len(found)
    first = found[0]
    n_documents = first.taken.n_documents + first.left.n_documents
    assert titles[0].startswith(
        f"{first.domain}: {first.taken.n_documents} of {n_documents} documents are taken"
    )
    quoted = [each.text for each in page.all("blockquote")]
    assert quoted == [
        one.excerpt for each in found for side in (each.taken, each.left) for one in side.shown
    ]
    assert not page.all("strong"), "text of **a** is no Markdown either"
    assert documents_html("quadmix", []) == ""
