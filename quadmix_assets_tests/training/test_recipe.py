import numpy as np
import pytest

from quadmix_assets.training.recipe import Recipe, Schedule


def rates(schedule: Schedule, *, warmup_steps: int = 4) -> np.ndarray:
    recipe = Recipe(
        n_tokens_per_proxy=1_000,
        batch_windows=2,
        learning_rate=1.0,
        warmup_steps=warmup_steps,
        schedule=schedule,
        final_share=0.1,
    )
    n_steps = recipe.n_steps(10)
    assert n_steps == 50
    return np.array([recipe.rate_at(step, n_steps) for step in range(n_steps)])


def test_warm_up_is_a_straight_line_to_the_peak() -> None:
    for schedule in ("cosine", "linear", "constant"):
        np.testing.assert_allclose(rates(schedule)[:5], [0.2, 0.4, 0.6, 0.8, 1.0])


def test_schedules_fall_to_the_final_share() -> None:
    after = np.arange(46) / 46
    np.testing.assert_allclose(rates("constant")[4:], 1.0)
    np.testing.assert_allclose(rates("linear")[4:], 1 - 0.9 * after)
    np.testing.assert_allclose(rates("cosine")[4:], 0.55 + 0.45 * np.cos(np.pi * after))


def test_a_warm_up_longer_than_the_training_only_rises() -> None:
    assert (np.diff(rates("cosine", warmup_steps=100)) > 0).all()


def test_budget_is_rounded_up_to_whole_steps() -> None:
    assert Recipe(n_tokens_per_proxy=1_000, batch_windows=3).n_steps(100) == 4


def test_recipes_that_cannot_be_followed_are_refused() -> None:
    with pytest.raises(ValueError, match="expected one of float32"):
        Recipe(n_tokens_per_proxy=1, batch_windows=1, precision="int8")
    with pytest.raises(ValueError, match="expected one of cosine"):
        Recipe(n_tokens_per_proxy=1, batch_windows=1, schedule="stairs")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="at least 1"):
        Recipe(n_tokens_per_proxy=0, batch_windows=1)
    with pytest.raises(ValueError, match="positive"):
        Recipe(n_tokens_per_proxy=1, batch_windows=1, learning_rate=0.0)
