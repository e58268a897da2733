import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quadmix_assets.mix.documents import Documents
from quadmix_assets.mix.methods.column import ColumnRule
from quadmix_assets.mix.rule import StoredRule
from quadmix_assets.sampling import uniform_of_ids
from quadmix_assets_tests.mix.methods.pools import SEED, pool_of, tokens_of

rows = st.lists(st.tuples(st.integers(1, 30), st.integers(0, 4)), min_size=1, max_size=20)


def test_copies_are_those_of_the_column() -> None:
    pool = pool_of([1, 2, 3], [0, 0, 0], {"mine": [0, 3, 1]})
    rule = ColumnRule.fit(pool, "mine", "copies", tokens=None, seed=SEED)
    assert rule.decide(pool).copies.tolist() == [0, 3, 1]
    assert "mine says copies 3" in rule.why(pool.where(np.array([1]))).because


def test_probabilities_are_drawn() -> None:
    n = 20_000
    pool = pool_of([1] * n, [0] * n, {"mine": [0.3] * n})
    rule = ColumnRule.fit(pool, "mine", "probability", tokens=None, seed=SEED)
    assert rule.decide(pool).copies.mean() == pytest.approx(0.3, abs=0.01)
    np.testing.assert_array_equal(
        rule.decide(pool).copies, uniform_of_ids(pool.id_hashes, SEED) < 0.3
    )


def events(pool: Documents, most: int | None) -> list[tuple[float, int]]:
    """For each document and copy the factor from which on it is taken, in order."""
    draws = uniform_of_ids(pool.id_hashes, SEED)
    return sorted(
        ((copy + float(draws[d])) / float(number), d)
        for d, number in enumerate(pool.score("mine"))
        for copy in range(most or 200)
        if number > 0
    )


@given(rows, st.integers(1, 300), st.sampled_from(["copies", "probability"]))
def test_tokens_are_met_by_one_factor(
    given_rows: list[tuple[int, int]], percent: int, read_as: str
) -> None:
    is_copies = read_as == "copies"
    numbers = [row[1] if is_copies else row[1] / 4 for row in given_rows]
    pool = pool_of([row[0] for row in given_rows], [0] * len(numbers), {"mine": numbers})
    n_all = int(pool.n_tokens[np.array(numbers) > 0].sum())
    tokens = n_all * (percent if is_copies else percent // 3) // 100
    if not n_all:
        return
    expected, total = [0] * len(pool), 0
    for _, d in events(pool, None if is_copies else 1):
        if total + pool.n_tokens[d] > tokens:
            break
        total += int(pool.n_tokens[d])
        expected[d] += 1
    rule = ColumnRule.fit(
        pool, "mine", "copies" if is_copies else "probability", tokens=tokens, seed=SEED
    )
    assert rule.decide(pool).copies.tolist() == expected
    back = ColumnRule.restored(StoredRule(json.loads(json.dumps(rule.stored().values))))
    assert back.decide(pool).copies.tolist() == expected


def test_tokens_out_of_reach_are_told() -> None:
    pool = pool_of([10, 20], [0, 0], {"mine": [0.5, 0.0]})
    with pytest.raises(ValueError, match=r"with a probability above 0 by mine give at most 10"):
        ColumnRule.fit(pool, "mine", "probability", tokens=25, seed=SEED)


@pytest.mark.parametrize(
    ("number", "read_as", "wanted"),
    [
        (1.5, "copies", "a whole number"),
        (-1.0, "copies", "a whole"),
        (2.0, "probability", "0 to 1"),
    ],
)
def test_a_number_that_is_neither_names_its_document(
    number: float, read_as: str, wanted: str
) -> None:
    pool = pool_of([10, 20], [0, 0], {"mine": [1.0, number]})
    with pytest.raises(ValueError, match=rf"for the document 'd1' \(1 such\): expected .*{wanted}"):
        ColumnRule.fit(
            pool,
            "mine",
            "copies" if read_as == "copies" else "probability",
            tokens=None,
            seed=SEED,
        )


def test_shards_change_nothing() -> None:
    rng = np.random.default_rng(0)
    pool = pool_of(rng.integers(1, 50, 900), [0] * 900, {"mine": rng.random(900)})
    rule = ColumnRule.fit(pool, "mine", "probability", tokens=6_000, seed=SEED)
    assert 6_000 - 50 < tokens_of(rule, pool) <= 6_000
    copies = rule.decide(pool).copies
    np.testing.assert_array_equal(rule.decide(pool.where(np.arange(300))).copies, copies[:300])
