import pytest

from quadmix_assets.settings import changed_settings


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        ({"seed": 0}, {"seed": 0}, []),
        (
            {"mix.max_breakpoints": 20_000, "seed": 0},
            {"mix.max_breakpoints": 500, "seed": 0},
            ["mix.max_breakpoints: 20000 -> 500"],
        ),
        (
            {"mixes[quadmix].objective": "bmk", "search.constraints.max_copies": None},
            {"mixes[quadmix].objective": "openhermes", "search.constraints.max_copies": 2.0},
            [
                "mixes[quadmix].objective: bmk -> openhermes",
                "search.constraints.max_copies: null -> 2.0",
            ],
        ),
        (
            {"search.strategy.kind": "random_top_mean", "search.top": 10},
            {"search.strategy.kind": "cma_es", "search.strategy.caution": 1.0},
            [
                "search.strategy.caution: now 1.0",
                "search.strategy.kind: random_top_mean -> cma_es",
                "search.top: was 10",
            ],
        ),
        (
            {"targets[a].path": "a.jsonl", "targets[a].fit_share": 0.5, "targets[].name": ["a"]},
            {"targets[b].path": "b.jsonl", "targets[b].fit_share": 0.5, "targets[].name": ["b"]},
            ["targets[].name: without a and with b", "targets[a]: gone", "targets[b]: new"],
        ),
        ({"names": ["a", "b"]}, {"names": ["b", "a"]}, ["names: in another order"]),
        ({"text": "x" * 100}, {"text": "y"}, ["text: " + "x" * 57 + "... -> y"]),
    ],
)
def test_changes_in_words(
    before: dict[str, object], after: dict[str, object], words: list[str]
) -> None:
    assert changed_settings(before, after) == words
