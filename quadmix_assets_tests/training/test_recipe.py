import numpy as np

from quadmix_assets.training.architectures import Schedule
from quadmix_assets.training.recipe import n_steps, n_tokens_trained, rate_at
from quadmix_assets_tests.training.stacks import make_recipe


def rates(schedule: Schedule, *, warmup_steps: int = 4) -> np.ndarray:
    recipe = make_recipe(
        n_tokens_per_proxy=1_000,
        batch_windows=2,
        learning_rate=1.0,
        warmup_steps=warmup_steps,
        schedule=schedule,
        final_share=0.1,
    )
    assert n_steps(recipe, 10) == 50
    return np.array([rate_at(recipe, step, 50) for step in range(50)])


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
    recipe = make_recipe(n_tokens_per_proxy=1_000, batch_windows=3)
    assert n_steps(recipe, 100) == 4
    assert n_tokens_trained(recipe, 100) == 1_200
