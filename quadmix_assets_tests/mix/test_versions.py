import shutil
from pathlib import Path

import numpy as np
import pytest
from upath import UPath

from quadmix_assets.mix.selections import read_mix, read_named
from quadmix_assets.mix.versions import (
    find_version,
    keep_version,
    kept_table,
    list_versions,
    mixes_with_versions,
    present_version,
    remove_version,
)
from quadmix_assets.outputs import FINAL_MIX, MIX_VERSIONS, mix_output
from quadmix_assets.store import (
    MissingOutputError,
    Store,
    delete_damaged,
    output_names,
    verify_lake,
)
from quadmix_assets_tests.finished_mixes import Row, put_documents, put_mix, rows_of
from quadmix_assets_tests.lakes import damage

RNG = np.random.default_rng(0)
A, B, OTHER_B = rows_of("a", RNG), rows_of("b", RNG), rows_of("b", RNG)
MIX = "chosen"


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(UPath(tmp_path / "lake"))


def rows_in(store: Store, version: str, shard: str) -> list[Row]:
    table = read_mix(store, MIX, version).rows(shard, list(Row._fields))
    return [Row(*row) for row in table.iter_rows()]


def local(path: UPath) -> Path:
    return Path(str(path))


def tables(store: Store) -> set[str]:
    names = output_names(store.root / mix_output(MIX, MIX_VERSIONS))
    return {name for name in names if name.startswith("tables/")}


def test_yesterdays_mix_is_read_after_todays_was_made(store: Store) -> None:
    first = put_mix(store, MIX, {"a": A, "b": B})
    second = put_mix(store, MIX, {"a": A, "b": OTHER_B})
    assert first != second
    assert present_version(store, MIX) == second
    assert rows_in(store, first, "b") == B
    assert rows_in(store, second, "b") == OTHER_B
    assert rows_in(store, first, "a") == rows_in(store, second, "a") == A
    assert [each.version for each in list_versions(store, MIX) if each.is_present] == [second]


def test_a_version_outlives_its_shards(store: Store) -> None:
    first = put_mix(store, MIX, {"a": A, "b": B})
    put_mix(store, MIX, {"a": A})
    store.delete(store.table_path(mix_output(MIX, FINAL_MIX), "b"))
    assert read_mix(store, MIX, first).shards == ("a", "b")
    assert rows_in(store, first, "b") == B


def test_equal_mixes_are_one_version_and_share_tables(store: Store) -> None:
    first = put_mix(store, MIX, {"a": A, "b": B})
    kept_at = list_versions(store, MIX)[0].kept_at
    assert put_mix(store, MIX, {"a": A, "b": B}) == first
    (version,) = list_versions(store, MIX)
    assert version.kept_at == kept_at
    put_mix(store, MIX, {"a": A, "b": OTHER_B})
    assert len(tables(store)) == 3


def test_a_kept_table_takes_no_space_while_the_mix_has_it(store: Store) -> None:
    put_mix(store, MIX, {"a": A})
    documents = local(store.table_path(mix_output(MIX, FINAL_MIX), "a"))
    checksum = store.seal(UPath(documents))
    assert documents.samefile(local(kept_table(store, MIX, checksum)))


def test_tables_are_copied_where_there_are_no_links(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_links(*_: object) -> None:
        raise OSError(1, "Operation not permitted")

    monkeypatch.setattr("os.link", no_links)
    version = put_mix(store, MIX, {"a": A})
    checksum = store.seal(store.table_path(mix_output(MIX, FINAL_MIX), "a"))
    assert local(kept_table(store, MIX, checksum)).stat().st_nlink == 1
    assert rows_in(store, version, "a") == A


def test_versions_say_what_they_hold(store: Store) -> None:
    put_mix(store, MIX, {"a": A, "b": B})
    (version,) = list_versions(store, MIX)
    rows = [*A, *B]
    assert version.mix == MIX
    assert version.method == "quadmix"
    assert version.n_shards == 2
    assert version.totals["n_documents_out"] == len(rows)
    assert version.totals["n_tokens_out"] == sum(row.n_tokens * row.copies for row in rows)


def test_removing_frees_what_no_other_version_needs(store: Store) -> None:
    first = put_mix(store, MIX, {"a": A, "b": B})
    lost = kept_table(store, MIX, read_mix(store, MIX).checksum("b") or "")
    second = put_mix(store, MIX, {"a": A, "b": OTHER_B})
    n_bytes = local(lost).stat().st_size
    sizes = {each.version: each.n_bytes_own for each in list_versions(store, MIX)}
    assert sizes == {first: n_bytes, second: 0}
    assert remove_version(store, MIX, first) == n_bytes
    assert not lost.exists()
    assert [each.version for each in list_versions(store, MIX)] == [second]
    assert rows_in(store, second, "a") == A
    assert rows_in(store, second, "b") == OTHER_B
    assert len(tables(store)) == 2


def test_what_the_mix_is_now_stays(store: Store) -> None:
    version = put_mix(store, MIX, {"a": A})
    with pytest.raises(ValueError, match=f"{version} is what the mix 'chosen' is now"):
        remove_version(store, MIX, version)
    assert rows_in(store, version, "a") == A


def test_what_an_interrupted_removal_left_goes_with_the_next(store: Store) -> None:
    first = put_mix(store, MIX, {"a": A})
    second = put_mix(store, MIX, {"a": B})
    put_mix(store, MIX, {"a": OTHER_B})
    store.delete(store.path(mix_output(MIX, MIX_VERSIONS), f"{first}.json"))
    assert len(tables(store)) == 3
    remove_version(store, MIX, second)
    assert len(tables(store)) == 1


def test_a_mix_that_is_no_longer_what_its_manifest_says_is_not_kept(store: Store) -> None:
    put_mix(store, MIX, {"a": A})
    shutil.rmtree(str(store.root / mix_output(MIX, MIX_VERSIONS)))
    put_documents(store, MIX, "a", B)
    with pytest.raises(MissingOutputError, match=r"a\.parquet was replaced or deleted .* again"):
        keep_version(store, MIX)
    assert list_versions(store, MIX) == []


def test_a_damaged_kept_table_is_found_by_verify_and_kept_anew(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_links(*_: object) -> None:
        raise OSError(1, "Operation not permitted")

    monkeypatch.setattr("os.link", no_links)
    version = put_mix(store, MIX, {"a": A})
    kept = kept_table(store, MIX, read_mix(store, MIX).checksum("a") or "")
    damage(kept)
    assert keep_version(store, MIX) == version, "without a look at the rows"
    report = verify_lake(store.root, lambda *_: None)
    delete_damaged(store.root, report)
    assert not kept.exists()
    assert keep_version(store, MIX) == version
    assert rows_in(store, version, "a") == A


def test_a_kept_table_that_was_cut_is_kept_anew(store: Store) -> None:
    version = put_mix(store, MIX, {"a": A})
    kept = local(kept_table(store, MIX, read_mix(store, MIX).checksum("a") or ""))
    content = kept.read_bytes()
    kept.unlink()
    kept.write_bytes(content[: len(content) // 2])
    assert keep_version(store, MIX) == version
    assert rows_in(store, version, "a") == A


def test_rows_that_are_gone_are_named_with_the_remedy(store: Store) -> None:
    version = put_mix(store, MIX, {"a": A})
    rows = read_mix(store, MIX)
    kept_table(store, MIX, rows.checksum("a") or "").unlink()
    with pytest.raises(
        MissingOutputError, match=f"shard 'a' of the version {version} .* materialise"
    ):
        rows.rows("a")


def test_versions_are_found_by_their_first_digits(store: Store) -> None:
    first = put_mix(store, MIX, {"a": A})
    second = put_mix(store, MIX, {"a": B})
    assert find_version(store, MIX, first[:8]) == first
    assert find_version(store, MIX) == second
    with pytest.raises(MissingOutputError, match=f"no kept version 'zzz'; there are: .*{first}"):
        find_version(store, MIX, "zzz")
    with pytest.raises(MissingOutputError, match="stands for several versions"):
        find_version(store, MIX, "")


def test_mixes_are_named_with_or_without_a_version(store: Store) -> None:
    first = put_mix(store, MIX, {"a": A})
    second = put_mix(store, MIX, {"a": B})
    assert str(read_named(store, MIX)) == f"{MIX}@{second}"
    assert str(read_named(store, f"{MIX}@{first[:6]}")) == f"{MIX}@{first}"
    assert mixes_with_versions(store) == [MIX]
    with pytest.raises(MissingOutputError, match="no finished mix 'other'; there are: chosen"):
        read_named(store, "other")


def test_a_lake_without_mixes_has_no_versions(store: Store) -> None:
    assert mixes_with_versions(store) == []
    assert list_versions(store, MIX) == []
    with pytest.raises(MissingOutputError, match="no finished mix 'chosen'; there are: none"):
        read_named(store, MIX)


def test_kept_versions_are_verified_with_the_lake(store: Store) -> None:
    put_mix(store, MIX, {"a": A})
    put_mix(store, MIX, {"a": B})
    assert verify_lake(store.root, lambda *_: None).is_sound
    first = next(each for each in list_versions(store, MIX) if not each.is_present)
    checksum = read_mix(store, MIX, first.version).checksum("a")
    damage(kept_table(store, MIX, checksum or ""))
    report = verify_lake(store.root, lambda *_: None)
    assert list(report.damaged) == [f"mixes/{MIX}/versions/tables/{checksum}.parquet"]
