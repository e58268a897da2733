"""Some assets of each kind are made again while each operation of the system fails."""

from collections.abc import Iterator

import pytest

from quadmix_assets_tests.conftest import Project
from quadmix_assets_tests.fault_matrix import Matrix, table

# Texts, a pinned file, a pinned folder, a table of numbers, and the mix.
ASSETS = ("raw_shards", "tokenizer", "score_normalizers", "rank_calibration", "final_mix")


@pytest.fixture(scope="module")
def matrix(tiny: Project, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Matrix]:
    yield Matrix(tiny.copy(tmp_path_factory.mktemp("faults") / "project"))


@pytest.mark.slow
def test_every_fault_is_one_line_and_leaves_a_whole_lake(matrix: Matrix) -> None:
    outcomes = [matrix.attempt(case) for case in matrix.cases(ASSETS)]
    wrong = [outcome for outcome in outcomes if outcome.verdict.isupper()]
    assert not wrong, f"{table(outcomes)}\n{wrong[0]}"
    assert sum(outcome.verdict == "said" for outcome in outcomes) > len(outcomes) / 2
