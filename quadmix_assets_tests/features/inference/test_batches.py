import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from quadmix_assets.features.inference.batches import length_sorted_batches


@given(st.lists(st.integers(0, 600), max_size=200), st.integers(1, 5_000))
def test_every_row_once_within_the_budget_longest_first(lengths: list[int], budget: int) -> None:
    batches = list(length_sorted_batches(lengths, budget))
    rows = np.concatenate(batches) if batches else np.empty(0, dtype=int)
    assert sorted(rows.tolist()) == list(range(len(lengths)))
    ordered = [lengths[row] for row in rows]
    assert ordered == sorted(lengths, reverse=True)
    for batch in batches:
        longest = max(lengths[row] for row in batch)
        assert len(batch) == 1 or len(batch) * longest <= budget


def test_batches_are_as_large_as_the_budget_allows() -> None:
    sizes = [len(batch) for batch in length_sorted_batches([10] * 25, 100)]
    assert sizes == [10, 10, 5]


def test_equal_lengths_keep_their_order() -> None:
    (batch,) = length_sorted_batches([3, 5, 3, 5], 1_000)
    assert batch.tolist() == [1, 3, 0, 2]
