from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest
from upath import UPath

from quadmix_assets.comparison.mix_diff import CHANGES, MixDiff, diff_mixes
from quadmix_assets.mix.selections import read_mix
from quadmix_assets.store import Store
from quadmix_assets_tests.finished_mixes import SCORES, Row, put_mix, rows_of

Shards = Mapping[str, Sequence[Row]]


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(UPath(tmp_path / "lake"))


def other_copies(rows: Sequence[Row], seed: int) -> list[Row]:
    """The same documents with other copies, some of them not taken."""
    rng = np.random.default_rng(seed)
    drawn = [row._replace(copies=int(rng.integers(0, 3))) for row in rows]
    return [row for row in drawn if row.copies]


def shards(seed: int = 0) -> dict[str, list[Row]]:
    rng = np.random.default_rng(seed)
    return {shard: rows_of(shard, rng) for shard in ("a", "b", "c")}


def regrouped(found: Shards) -> dict[str, list[Row]]:
    """The same documents in other shards."""
    rows = [row for each in found.values() for row in each]
    return {"c": rows[::2], "d": rows[1::2]}


def change_of(before: int, after: int) -> str:
    if before == 0:
        return "gained"
    if after == 0:
        return "lost"
    return "more copies" if after > before else "fewer copies" if after < before else "same copies"


def by_id(found: Shards) -> dict[str, Row]:
    return {row.id: row for rows in found.values() for row in rows}


def plain_diff(before: Shards, after: Shards) -> dict[str, list[tuple[Row | None, Row | None]]]:
    """Per change the documents as they are in both, by a plain loop."""
    old, new = by_id(before), by_id(after)
    found: dict[str, list[tuple[Row | None, Row | None]]] = defaultdict(list)
    for name in sorted({*old, *new}):
        pair = old.get(name), new.get(name)
        found[change_of(*(row.copies if row else 0 for row in pair))].append(pair)
    return found


def row_of(pair: tuple[Row | None, Row | None]) -> Row:
    return next(row for row in pair[::-1] if row is not None)


def made(store: Store, before: Shards, after: Shards, **options: int) -> MixDiff:
    put_mix(store, "before", before)
    put_mix(store, "after", after)
    return diff_mixes(read_mix(store, "before"), read_mix(store, "after"), **options)


CASES: dict[str, tuple[Shards, Shards]] = {
    "other copies": (shards(), {key: other_copies(rows, 1) for key, rows in shards().items()}),
    "a shard more": ({key: shards()[key] for key in "ab"}, shards()),
    "a shard less": (shards(), {key: shards()[key] for key in "bc"}),
    "regrouped": (shards(), regrouped(shards())),
    "regrouped with other copies": (
        shards(),
        regrouped({key: other_copies(rows, 2) for key, rows in shards().items()}),
    ),
    "nothing in common": (
        shards(),
        {key: rows_of(f"x{key}", np.random.default_rng(3)) for key in "ab"},
    ),
    "equal": (shards(), shards()),
    "an empty one": (shards(), {"a": []}),
}


@pytest.mark.parametrize(("before", "after"), CASES.values(), ids=CASES.keys())
def test_counts_and_means_are_those_of_a_plain_loop(
    store: Store, before: Shards, after: Shards
) -> None:
    diff = made(store, before, after)
    expected = plain_diff(before, after)
    totals = {row["change"]: row for row in diff.totals.iter_rows(named=True)}
    assert list(totals) == list(CHANGES)
    for change, row in totals.items():
        pairs = expected[change]
        assert row["n_documents"] == len(pairs)
        for side, place in (("before", 0), ("after", 1)):
            tokens = sum(r.n_tokens * r.copies for pair in pairs if (r := pair[place]))
            assert row[f"n_tokens_{side}"] == tokens, (change, side)
    assert diff.is_empty == (not any(expected[change] for change in CHANGES[:-1]))
    for row in diff.domains.iter_rows(named=True):
        for change in CHANGES:
            domains = [row_of(pair).domain for pair in expected[change]]
            assert row[change] == domains.count(row["domain"])
    assert diff.domains["share_before"].sum() == pytest.approx(1.0)
    for row in diff.criteria.iter_rows(named=True):
        name = row["criterion"]
        for heading, place, changes in (
            ("before", 0, CHANGES),
            ("after", 1, CHANGES),
            ("gained", 1, ("gained",)),
            ("lost", 0, ("lost",)),
            ("more copies", 1, ("more copies",)),
        ):
            rows = [p[place] for change in changes for p in expected[change] if p[place]]
            weights = [r.n_tokens * r.copies for r in rows if r]
            values = [getattr(r, name) for r in rows]
            if weights:
                assert row[heading] == pytest.approx(np.average(values, weights=weights))
            else:
                assert row[heading] is None
    assert set(diff.criteria["criterion"]) == set(SCORES)


@pytest.mark.parametrize(("before", "after"), CASES.values(), ids=CASES.keys())
def test_examples_are_of_the_kind_that_they_are_named_for(
    store: Store, before: Shards, after: Shards
) -> None:
    diff = made(store, before, after, n_examples=4)
    expected, old, new = plain_diff(before, after), by_id(before), by_id(after)
    for row in diff.examples.iter_rows(named=True):
        copies = [side[row["id"]].copies if row["id"] in side else 0 for side in (old, new)]
        assert [row["copies_before"], row["copies_after"]] == copies
        assert row["change"] == change_of(*copies) != "same copies"
    for kinds in (("gained",), ("lost",), ("more copies", "fewer copies")):
        n_all = sum(len(expected[kind]) for kind in kinds)
        assert diff.examples["change"].is_in(kinds).sum() == min(4, n_all)


def test_examples_depend_on_ids_alone(store: Store) -> None:
    before, after = CASES["other copies"]
    examples = made(store, before, after).examples
    again = made(store, regrouped(before), regrouped(after)).examples
    columns = ["change", "id", "copies_before", "copies_after"]
    assert examples.select(columns).equals(again.select(columns))


def test_versions_of_one_mix_are_compared(store: Store) -> None:
    before, after = CASES["other copies"]
    first = put_mix(store, "mix", before)
    put_mix(store, "mix", after)
    diff = diff_mixes(read_mix(store, "mix", first), read_mix(store, "mix"))
    assert diff.before == f"mix@{first}"
    assert diff.totals.equals(made(store, before, after).totals)
