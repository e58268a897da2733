"""Documents explained in kept versions of mixes, by the rule and the scores of then."""

from pathlib import Path

import polars as pl
import pytest

from quadmix_assets.cli import main
from quadmix_assets.mix.explain import explain
from quadmix_assets.mix.explain_page import explanation_blocks
from quadmix_assets.mix.explanation import ExplainedDocument, InMix, UnknownDocument
from quadmix_assets.mix.selections import MixRows, read_mix
from quadmix_assets.mix.versions import kept_table
from quadmix_assets.outputs import DOMAIN_LABELS, SCORED_SHARDS
from quadmix_assets.report.blocks import blocks_text
from quadmix_assets.settings import Settings
from quadmix_assets.store import MissingOutputError, Store
from quadmix_assets_tests.lakes import put_raw
from quadmix_assets_tests.mix.explained import (
    DOMAIN_MIX,
    THETA_MIX,
    filled_store,
    finish,
    mix_all,
    put_rule,
    settings_of,
    theta_of,
    theta_rule,
)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return settings_of(tmp_path)


@pytest.fixture
def store(settings: Settings) -> Store:
    return filled_store(settings, THETA_MIX, DOMAIN_MIX)


def one(store: Store, settings: Settings, document_id: str, mix: str) -> InMix:
    found = explain(store, settings, document_id, mix)
    assert isinstance(found, ExplainedDocument)
    (answer,) = found.in_mixes
    return answer


def taken(rows: MixRows) -> dict[str, int]:
    return {name: n for _, table in rows for name, n in table.select("id", "copies").iter_rows()}


def left_out(rows: MixRows) -> str:
    return next(name for name in (f"a-{i:03}" for i in range(300)) if name not in taken(rows))


def make_empty(store: Store, settings: Settings) -> None:
    """Make the mix again by a rule that takes nothing."""
    theta = theta_of(settings)
    nothing = theta._replace(omega=0 * theta.omega, epsilon=0 * theta.epsilon)
    put_rule(store, settings, THETA_MIX, theta_rule(store, settings, nothing))
    mix_all(store, settings, THETA_MIX)
    finish(store, settings, THETA_MIX)


def change_scores(store: Store, document_id: str) -> None:
    """Give a document other scores, which leaves its normalizers and rules as they are."""
    path = store.table_path(SCORED_SHARDS, "a")
    table = store.read_table(path)
    is_it = pl.col("id") == document_id
    changed = [
        pl.when(is_it).then(pl.col(name) - 100).otherwise(pl.col(name)).alias(name)
        for name in ("importance", "heuristics")
    ]
    store.write_table(path, table.with_columns(changed), store.summary(path))


@pytest.mark.parametrize("mix", [THETA_MIX, DOMAIN_MIX])
def test_the_present_version_says_what_the_mix_says(
    store: Store, settings: Settings, mix: str
) -> None:
    rows = read_mix(store, mix)
    for document_id in (*(f"a-{i:03}" for i in range(0, 300, 37)), "b-000"):
        of_mix = one(store, settings, document_id, mix)
        of_version = one(store, settings, document_id, str(rows))
        assert of_version.why is not None and of_mix.why is not None
        assert of_version.why.because == of_mix.why.because
        assert of_version.copies == of_mix.copies == taken(rows).get(document_id, 0)
        assert of_version.rank == of_mix.rank
        assert not of_version.is_behind


def test_an_earlier_version_is_explained_by_its_own_rule_and_scores(
    store: Store, settings: Settings
) -> None:
    """Although the mix has another rule since, and the document other scores."""
    first = read_mix(store, THETA_MIX)
    document_id = next(name for name in taken(first) if name.startswith("a"))
    before = one(store, settings, document_id, THETA_MIX)
    change_scores(store, document_id)
    make_empty(store, settings)
    assert one(store, settings, document_id, THETA_MIX).copies == 0
    then = one(store, settings, document_id, f"{THETA_MIX}@{first.version[:6]}")
    assert then.copies == then.stored_copies == before.copies
    assert then.why is not None and before.why is not None
    assert then.why.because == before.why.because
    text = blocks_text(explanation_blocks(explain(store, settings, document_id, str(first))))
    assert f"mix {first} (quadmix)" in text
    assert "scores and the domain that the version keeps" in text
    assert "materialise" not in text


def test_of_a_document_that_it_left_out_only_present_scores_are_there(
    store: Store, settings: Settings
) -> None:
    rows = read_mix(store, THETA_MIX)
    document_id = left_out(rows)
    make_empty(store, settings)
    text = blocks_text(explanation_blocks(explain(store, settings, document_id, str(rows))))
    assert "keeps no scores of documents that it leaves out" in text
    assert one(store, settings, document_id, str(rows)).stored_copies == 0


def test_a_document_that_left_the_pool_is_explained_by_what_the_version_keeps(
    store: Store, settings: Settings
) -> None:
    rows = read_mix(store, THETA_MIX)
    document_id = next(name for name in taken(rows) if name.startswith("b"))
    copies = one(store, settings, document_id, THETA_MIX).copies
    put_raw(store, "b", [{"id": "other", "text": "another document"}])
    found = explain(store, settings, document_id, str(rows))
    assert isinstance(found, UnknownDocument)
    assert found.in_version is not None
    assert found.in_version.copies == copies == taken(rows)[document_id]
    text = blocks_text(explanation_blocks(found))
    assert "its text is gone" in text
    nobody = explain(store, settings, "nobody", str(rows))
    assert isinstance(nobody, UnknownDocument)
    assert nobody.in_version is None


def test_what_came_after_the_version_is_said(store: Store, settings: Settings) -> None:
    """A shard that it was made without, and a label that nobody has made yet."""
    rows = read_mix(store, THETA_MIX)
    answer = one(store, settings, "new-0", str(rows))
    assert answer.copies is None
    assert "it is not scored and labelled now" in answer.problem
    assert "the version was made without its shard" in answer.notes
    document_id = left_out(rows)
    store.delete(store.table_path(DOMAIN_LABELS, "a"))
    assert "not scored and labelled" in one(store, settings, document_id, str(rows)).problem


def test_a_table_that_is_gone_is_said_with_the_copies_that_are_known(
    store: Store, settings: Settings
) -> None:
    rows = read_mix(store, THETA_MIX)
    document_id = next(name for name, copies in taken(rows).items() if copies == 1)
    for name, checksum in rows.manifest["tables"].items():
        if name.endswith(".parquet"):
            kept_table(store, THETA_MIX, checksum).unlink(missing_ok=True)
    text = blocks_text(explanation_blocks(explain(store, settings, document_id, str(rows))))
    assert "it cannot be decided" in text
    assert "is gone, a table of the rule of" in text
    assert "the version has it once" in text


def test_the_command_takes_versions_and_names_those_that_there_are(
    store: Store, settings: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = read_mix(store, THETA_MIX)
    command = ["--profile", str(tmp_path / "explained.yaml"), "explain", "a-011", "--mix"]
    assert main([*command, str(rows)]) == 0
    assert f"mix {rows} (quadmix)" in capsys.readouterr().out
    assert main([*command, f"{THETA_MIX}@0000000"]) == 2
    assert rows.version in capsys.readouterr().err
    with pytest.raises(MissingOutputError, match="no finished mix 'mine'"):
        explain(store, settings, "a-011", "mine@1")
