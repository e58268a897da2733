import json

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from quadmix_assets.sampling.cut import Cut

documents = st.lists(
    st.tuples(st.integers(-3, 3), st.integers(0, 2**64 - 1), st.integers(0, 9)),
    max_size=30,
    unique_by=lambda row: row[1],
)


def arrays(rows: list[tuple[int, int, int]]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return (
        np.array([row[0] for row in rows], dtype=np.float64),
        np.array([row[1] for row in rows], dtype=np.uint64),
        np.array([row[2] for row in rows], dtype=np.int64),
    )


@given(documents, st.integers(0, 200))
def test_it_takes_the_longest_part_of_the_order(
    rows: list[tuple[int, int, int]], tokens: int
) -> None:
    taken, total = set(), 0
    for row in sorted(rows):
        total += row[2]
        if total > tokens:
            break
        taken.add(row)
    values, bits, n_tokens = arrays(rows)
    cut = Cut.fit(values, bits, n_tokens, tokens)
    assert {rows[i] for i in np.flatnonzero(cut.takes(values, bits))} == taken
    again = Cut.from_json(json.loads(json.dumps(cut.to_json())))
    assert again == cut
