import numpy as np
import pytest

from quadmix_assets.evidence.results import RESULTS_SCHEMA, mean_of, ratio_of, results_frame


def test_a_mean_has_the_error_of_the_textbook() -> None:
    values = np.array([1.0, 2.0, 4.0, 9.0])
    found = mean_of(values)
    assert found.value == 4.0
    assert found.standard_error == pytest.approx(np.sqrt((9 + 4 + 0 + 25) / 3) / 2)
    assert mean_of(np.array([3.0])) == (3.0, None)


def test_the_error_of_a_ratio_is_its_spread_over_resampled_documents() -> None:
    rng = np.random.default_rng(0)
    sizes = rng.integers(5, 200, 400)
    sums = sizes * rng.normal(3.0, 0.4, 400)
    found = ratio_of(sums, sizes)
    assert found.value == pytest.approx(sums.sum() / sizes.sum())
    drawn = rng.integers(0, 400, (4_000, 400))
    bootstrapped = np.std(sums[drawn].sum(1) / sizes[drawn].sum(1))
    assert found.standard_error == pytest.approx(bootstrapped, rel=0.1)
    # Of documents of one length it is the error of a mean.
    plain = ratio_of(sums / sizes, np.ones(400))
    assert plain == pytest.approx(mean_of(sums / sizes))
    assert ratio_of(sums[:1], sizes[:1]).standard_error is None


def test_rows_lack_what_they_do_not_name() -> None:
    table = results_frame([{"mix": "m", "value": 1.0}])
    assert dict(table.schema) == {name: kind() for name, kind in RESULTS_SCHEMA.items()}
    assert table.row(0, named=True)["chance"] is None
    assert results_frame([]).height == 0
