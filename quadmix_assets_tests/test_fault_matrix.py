"""Some assets of each kind are made again while each operation of the system fails."""

import pytest
import yaml

from quadmix_assets_tests.conftest import Project
from quadmix_assets_tests.fault_matrix import Matrix, table

# Texts, a pinned file, a pinned folder, tables of numbers, the mix, and a page.
ASSETS = (
    "raw_shards",
    "tokenizer",
    "score_normalizers",
    "duplicate_signatures",
    "near_duplicates",
    "mixes/quadmix/selection_rule",
    "mixes/quadmix/final_mix",
    "mixes/quadmix/mix_manifest",
    "report",
)


@pytest.fixture(scope="module")
def matrix(tiny: Project, tmp_path_factory: pytest.TempPathFactory) -> Matrix:
    """The finished project, in which near-duplicates have been looked for since."""
    project = tiny.copy(tmp_path_factory.mktemp("faults") / "project")
    profile = yaml.safe_load(project.profile.read_text())
    profile["features"]["near_duplicates"] = {"enabled": True}
    project.profile.write_text(yaml.safe_dump(profile))
    matrix = Matrix(project)
    matrix.make("duplicate_signatures", "near_duplicates")
    return matrix


@pytest.mark.slow
def test_every_fault_is_one_line_and_leaves_a_whole_lake(matrix: Matrix) -> None:
    outcomes = [matrix.attempt(case) for case in matrix.cases(ASSETS)]
    wrong = [outcome for outcome in outcomes if outcome.verdict.isupper()]
    assert not wrong, f"{table(outcomes)}\n{wrong[0]}"
    assert sum(outcome.verdict == "said" for outcome in outcomes) > len(outcomes) / 2
