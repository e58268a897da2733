import pytest

from quadmix_assets.outputs import OPTIMAL_PARAMS, PLANTED_CORPUS, REFINEMENT
from quadmix_assets.stages import Stage, cut_into_stages

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
    "raw": {PLANTED_CORPUS},
    "models": {"raw"},
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
def stages() -> tuple[Stage, ...]:
    return cut_into_stages(PARENTS, PARTITIONS)


def test_assets_of_equal_partitions_share_a_stage_if_nothing_lies_between(
    stages: tuple[Stage, ...],
) -> None:
    assert stages == (
        Stage((PLANTED_CORPUS,)),
        Stage(("raw",), "shard"),
        Stage(("models", "report")),
        Stage(("scores", "labels"), "shard"),
        Stage(("draws", "pool")),
        Stage(("losses",), "proxy_batch"),
        Stage((REFINEMENT, OPTIMAL_PARAMS, "check")),
        Stage(("mix",), "shard"),
    )


def test_a_new_asset_takes_its_place_by_what_it_depends_on() -> None:
    parents = {**PARENTS, "extra": {"labels"}, "more": {"extra"}}
    partitions = {**PARTITIONS, "extra": None, "more": "proxy_batch"}
    stages = cut_into_stages(parents, partitions)
    assert stages[4] == Stage(("draws", "extra", "pool"))
    assert stages[5] == Stage(("losses", "more"), "proxy_batch")


def test_the_order_in_which_the_graph_is_given_changes_nothing(
    stages: tuple[Stage, ...],
) -> None:
    assert cut_into_stages(dict(reversed(PARENTS.items())), PARTITIONS) == stages
