import pytest

from quadmix_assets.outputs import OPTIMAL_PARAMS, PLANTED_CORPUS, REFINEMENT
from quadmix_assets.stages import Stage, Stages, cut_into_stages, descendants

# A graph of two kinds of partitions, with everything that the rules speak of.
PARTITIONS: dict[str, str | None] = {
    PLANTED_CORPUS: None,
    "raw": "shard",
    "models": None,
    "scores": "shard",
    "labels": "shard",
    "pool": None,
    "report": None,
    "draws": None,
    "losses": "proxy_batch",
    REFINEMENT: None,
    OPTIMAL_PARAMS: None,
    "check": None,
    "mix": "shard",
}
PARENTS: dict[str, set[str]] = {
    PLANTED_CORPUS: set(),
    "raw": set(),
    "models": {"raw", PLANTED_CORPUS},
    "scores": {"raw", "models"},
    "labels": {"raw", "scores"},
    "pool": {"scores", "labels"},
    "report": {"raw"},
    "draws": set(),
    "losses": {"pool", "draws"},
    REFINEMENT: {"losses", "pool"},
    OPTIMAL_PARAMS: {"losses", REFINEMENT, "pool"},
    "check": {OPTIMAL_PARAMS, "pool"},
    "mix": {OPTIMAL_PARAMS, "scores"},
}


@pytest.fixture
def stages() -> Stages:
    return cut_into_stages(PARENTS, PARTITIONS)


def test_assets_of_equal_partitions_share_a_stage_if_nothing_lies_between(stages: Stages) -> None:
    assert stages.until_search == (
        Stage(("raw",), "shard"),
        Stage(("models", "report")),
        Stage(("scores", "labels"), "shard"),
        Stage(("draws", "pool")),
        Stage(("losses",), "proxy_batch"),
        Stage((REFINEMENT, OPTIMAL_PARAMS)),
    )


def test_what_is_made_with_theta_star_comes_after_the_search(stages: Stages) -> None:
    assert stages.after_search == (Stage(("check",)), Stage(("mix",), "shard"))
    assert descendants(PARENTS, OPTIMAL_PARAMS) == {"check", "mix"}
    assert descendants(PARENTS, "mix") == set()


def test_a_new_asset_takes_its_place_by_what_it_depends_on() -> None:
    parents = {**PARENTS, "extra": {"labels"}, "more": {"extra"}}
    partitions = {**PARTITIONS, "extra": None, "more": "proxy_batch"}
    stages = cut_into_stages(parents, partitions).until_search
    assert stages[3] == Stage(("draws", "extra", "pool"))
    assert stages[4] == Stage(("losses", "more"), "proxy_batch")


def test_the_order_in_which_the_graph_is_given_changes_nothing(stages: Stages) -> None:
    assert cut_into_stages(dict(reversed(PARENTS.items())), PARTITIONS) == stages
