import re

import numpy as np
import polars as pl
import pytest
from scipy.stats import ttest_1samp

from quadmix_assets.proxies.evidence import Evidence
from quadmix_assets.sampling import PoolDraw, PoolIndex, sample_parameters
from quadmix_assets.search.objective import Objective
from quadmix_assets.search.optimum_check import (
    UNIFORM,
    best_of_first_round,
    best_proxy_of_first_round,
    check_table,
    compare,
    interval_of_mean,
    objective_by_seed,
    samples_of,
    selections,
    theta_star,
    top_of,
)
from quadmix_assets.settings import ObjectiveSettings
from quadmix_assets_tests.sampling.pools import large_pool

POOL = large_pool(np.random.default_rng(0), 3_000, 3, ties=False)
MINE, BEST = theta_star("bmk"), best_of_first_round("bmk")


def test_all_but_the_thetas_have_the_tokens_of_theta_star() -> None:
    index = PoolIndex.build(POOL.sigma, POOL.domains, POOL.tokens, 3)
    draw = PoolDraw(index, POOL.hashes, 1, max_epsilon=0.001)
    thetas = dict(zip((MINE, BEST), sample_parameters(2, 3, 3, seed=0, omega_max=0.4), strict=True))
    sigma = {"worth": POOL.sigma[:, 0], "fame": POOL.sigma[:, 1]}
    found = selections(draw, POOL.hashes, POOL.tokens, sigma, thetas, reference=MINE, seed=7)
    assert list(found) == [MINE, BEST, UNIFORM, top_of("worth"), top_of("fame")]
    for name, theta in thetas.items():
        copies = POOL.copies(theta, 1)
        np.testing.assert_array_equal(found[name].documents, np.flatnonzero(copies))
        np.testing.assert_array_equal(found[name].copies, copies[copies > 0])
    size = (POOL.tokens[found[MINE].documents] * found[MINE].copies).sum()
    for name in (UNIFORM, top_of("worth"), top_of("fame")):
        documents = found[name].documents
        tokens = POOL.tokens[documents].sum()
        assert size - POOL.tokens.max() < tokens <= size
        assert len(set(documents)) == len(documents)
        assert (found[name].copies == 1).all()
    kept = np.isin(np.arange(3_000), found[top_of("worth")].documents)
    assert sigma["worth"][kept].max() <= sigma["worth"][~kept].min()
    quality = sigma["worth"][found[UNIFORM].documents].mean()
    assert quality == pytest.approx(sigma["worth"].mean(), abs=0.05)
    again = selections(draw, POOL.hashes, POOL.tokens, sigma, thetas, reference=MINE, seed=8)
    assert set(again[UNIFORM].documents) != set(found[UNIFORM].documents)

    samples, table = samples_of(found, [11, 12, 13])
    assert (
        [sample.sample_id for sample in samples] == table["sample_id"].to_list() == list(range(15))
    )
    assert [sample.seed for sample in samples] == [11, 12, 13] * 5
    assert table["seed"].to_list() == [0, 1, 2] * 5
    assert table["sample"].to_list()[::3] == list(found)


def losses_of(values: dict[str, list[float | None]]) -> pl.DataFrame:
    rows = [
        (name, seed, target, "failed" if loss is None else "trained", loss)
        for name, by_seed in values.items()
        for seed, loss in enumerate(by_seed)
        for target in ("one", "two")
    ]
    columns = ["sample", "seed", "target", "status", "loss_nats"]
    return pl.DataFrame(rows, schema=columns, orient="row")


OBJECTIVE = Objective("bmk", "nats", {"one": 0.5, "two": 0.5}, 1.0)


def by_seed(mine: list[float | None], best: list[float | None]) -> pl.DataFrame:
    return objective_by_seed(losses_of({MINE: mine, BEST: best}), OBJECTIVE)


def test_objective_of_every_sample_and_seed_that_was_trained() -> None:
    found = by_seed([3.0, None, 5.0], [4.0, 4.5, 6.0])
    assert found.rows() == [
        (MINE, 0, 4.0), (MINE, 2, 6.0), (BEST, 0, 5.0), (BEST, 1, 5.5), (BEST, 2, 7.0),
    ]  # fmt: skip
    table = check_table(found, {MINE: 3.9})
    assert table["seeds"].to_list() == [2, 3]
    assert table["predicted"].to_list()[0] == 3.9
    assert np.isnan(table["predicted"].to_list()[1])


def test_intervals_are_students() -> None:
    values = np.array([4.0, 4.3, 4.1, 4.6])
    mean, low, high = interval_of_mean(values)
    expected = ttest_1samp(values, 0.0).confidence_interval(0.9)
    assert (mean, low, high) == pytest.approx((values.mean(), expected.low, expected.high))
    assert interval_of_mean(np.array([2.0])) == (2.0, -np.inf, np.inf)


@pytest.mark.parametrize(
    ("mine", "best", "words"),
    [
        ([3.0, 3.1, 3.2], [4.0, 4.11, 4.19], "is better than .*: lower in 3 of 3 seeds, by 1.00"),
        ([4.0, 4.11, 4.19], [3.0, 3.1, 3.2], "is worse than .*: lower in 0 of 3 seeds, higher by"),
        (
            [3.0, 3.5, 3.2],
            [3.2, 3.3, 3.3],
            "cannot be distinguished .*: lower in 2 of 3 seeds, lower by",
        ),
        ([3.0, None, 3.2], [4.0, 3.0, None], "cannot be distinguished .*: lower in 1 of 1 seeds"),
        ([None, None, None], [4.0, 3.0, 2.0], "cannot be compared .*: trainings failed"),
    ],
)
def test_a_verdict_in_words(mine: list[float | None], best: list[float | None], words: str) -> None:
    verdict = compare(by_seed(mine, best), MINE, BEST)
    assert re.search(words, verdict.in_words("nats")), verdict.in_words("nats")


def test_pairs_are_compared_seed_by_seed() -> None:
    """Seeds differ by far more than samples; within each the difference is small and sure."""
    verdict = compare(by_seed([1.0, 5.0, 9.0], [1.11, 5.1, 9.09]), MINE, BEST)
    assert verdict.gain == pytest.approx(0.1)
    assert verdict.low > 0


def test_theta_star_has_to_beat_the_best_of_the_first_round() -> None:
    """The swarm's best theta is of a later round, which owes it to the search."""
    parameters = sample_parameters(4, 2, 2, seed=0)
    evidence = Evidence(
        metrics=pl.DataFrame(
            {
                "theta_id": range(4),
                "target": ["planted"] * 4,
                "status": ["trained"] * 4,
                "loss_nats": [3.0, 2.0, 4.0, 1.0],
                "bits_per_byte": [1.0] * 4,
            }
        ),
        theta_ids=np.arange(4),
        rounds=np.array([0, 0, 0, 1]),
        parameters=parameters,
        n_failed=0,
        n_stale=0,
    )
    found = best_proxy_of_first_round(
        evidence, ObjectiveSettings(name="a", targets={"planted": 1.0})
    )
    assert found == (1, 2.0)
