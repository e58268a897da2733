"""One lake that is killed at eleven points in turn, and taken up each time as a user would."""

from pathlib import Path

import pytest

from quadmix_assets.outputs import (
    DOMAIN_LABELS,
    FINAL_MIX,
    MIX_VERSIONS,
    PROXY_METRICS,
    PROXY_POOL,
    RAW_SHARDS,
    SELECTION_RULE,
    VERIFICATION,
    mix_output,
)
from quadmix_assets_tests.conftest import Project
from quadmix_assets_tests.kills import differences, new_project, outputs_of

# In the order in which a run comes to them, so that each start goes further than the one before.
POINTS = (
    "event 3 before",
    f"rename 1 after {RAW_SHARDS}/",
    "event 12 after",
    # Inside a step that holds a slot of a pool.
    f"rename 2 before {DOMAIN_LABELS}/",
    f"rename 1 before {PROXY_POOL}",
    "report 1 before",
    f"rename 1 before {PROXY_METRICS}/",
    f"rename 1 after {VERIFICATION}/",
    # Made while optimum_check trains.
    f"rename 1 before {mix_output('quadmix', SELECTION_RULE)}/",
    f"rename 2 before {mix_output('quadmix', FINAL_MIX)}/",
    f"rename 1 before {mix_output('quadmix', MIX_VERSIONS)}/",
)


@pytest.mark.slow
def test_killed_runs_give_what_an_undisturbed_one_gives(tiny: Project, tmp_path: Path) -> None:
    project = new_project(tmp_path)
    for point in POINTS:
        start = project.start(f"kill {point}")
        assert start.status == -9, f"{point}:\n{start.log}"
    last = project.start(None)
    assert last.status == 0, last.log
    assert differences(outputs_of(Path(str(tiny.store.root))), project.outputs()) == []
    assert project.left_over() == []
