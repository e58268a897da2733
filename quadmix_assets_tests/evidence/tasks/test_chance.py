from typing import Any

import pytest

from quadmix_assets.evidence.tasks.chance import at_chance


def row(metric: str, value: float, error: float | None, n: int, chance: float) -> dict[str, Any]:
    return {
        "metric": metric, "value": value, "standard_error": error, "n": n, "chance": chance
    }  # fmt: skip


@pytest.mark.parametrize(
    ("result", "is_at_chance"),
    [
        (row("acc", 0.28, 0.02, 500, 0.25), True),
        (row("acc", 0.30, 0.02, 500, 0.25), False),
        (row("acc", 0.15, 0.016, 500, 0.25), True),
        (row("acc", 1.0, 0.0, 2, 0.5), True),
        (row("acc", 1.0, 0.0, 20, 0.5), False),
        (row("choice_probability", 0.26, 0.002, 500, 0.25), False),
        (row("choice_probability", 0.26, None, 1, 0.25), False),
        (row("exact_match", 0.0, 0.0, 500, 0.0), True),
        (row("exact_match", 0.002, 0.002, 500, 0.0), True),
        (row("exact_match", 0.05, 0.01, 500, 0.0), False),
    ],
)
def test_at_chance(result: dict[str, Any], is_at_chance: bool) -> None:
    assert at_chance(result) is is_at_chance
