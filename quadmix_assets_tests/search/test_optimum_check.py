from pathlib import Path

import numpy as np
import polars as pl
import pytest

from quadmix_assets.proxies.evidence import Evidence
from quadmix_assets.sampling import PoolDraw, PoolIndex, sample_parameters
from quadmix_assets.search.by_seed import objective_by_seed, values_by_sample
from quadmix_assets.search.fresh_proxies import FreshProxies
from quadmix_assets.search.objective import Objective
from quadmix_assets.search.optimum_check import (
    BEST_OF_FIRST_ROUND,
    THETA_STAR,
    UNIFORM,
    CheckResult,
    Compared,
    best_by,
    best_proxy_of_first_round,
    selections,
)
from quadmix_assets.settings import ObjectiveSettings
from quadmix_assets_tests.conftest import Project
from quadmix_assets_tests.sampling.pools import large_pool

POOL = large_pool(np.random.default_rng(0), 3_000, 3, ties=False)
CRITERIA = ("target_fasttext", "importance", "heuristics")
OBJECTIVE = Objective("bmk", "nats", {"one": 0.5, "two": 0.5}, 1.0)


@pytest.fixture
def proxies(tmp_path: Path) -> FreshProxies:
    """A pool of 3,000 documents in three domains, with the criteria of the tiny profile."""
    project = Project(tmp_path)
    index = PoolIndex.build(POOL.sigma, POOL.domains, POOL.tokens, 3)
    sigma = {f"sigma_{name}": POOL.sigma[:, k] for k, name in enumerate(CRITERIA)}
    return FreshProxies(
        project.store,
        project.settings,
        "check",
        tmp_path,
        PoolDraw(index, POOL.hashes, 1, max_epsilon=0.001),
        {"id_hash": POOL.hashes, "n_tokens": POOL.tokens, **sigma},
    )


def test_all_but_the_thetas_have_the_expected_tokens(proxies: FreshProxies) -> None:
    theta, other = sample_parameters(2, 3, 3, seed=0, omega_max=0.4)
    tokens = 0.1 * float(POOL.tokens.sum())
    compared = Compared({THETA_STAR: theta, BEST_OF_FIRST_ROUND: other}, {}, (), tokens)
    found = {each.name: each for each in selections(proxies, compared, 0)}
    assert list(found) == [THETA_STAR, BEST_OF_FIRST_ROUND, UNIFORM, *map(best_by, CRITERIA)]
    for name, drawn in compared.thetas.items():
        copies = POOL.copies(drawn, proxies.seed_of("draw", 0))
        np.testing.assert_array_equal(found[name].documents, np.flatnonzero(copies))
        np.testing.assert_array_equal(found[name].copies, copies[copies > 0])
    for name in (UNIFORM, *map(best_by, CRITERIA)):
        documents = found[name].documents
        assert tokens - POOL.tokens.max() < POOL.tokens[documents].sum() <= tokens
        assert len(set(documents)) == len(documents)
        assert (found[name].copies == 1).all()
    best = found[best_by("importance")].documents
    kept = np.isin(np.arange(3_000), best)
    assert POOL.sigma[kept, 1].max() <= POOL.sigma[~kept, 1].min()
    again = {each.name: each for each in selections(proxies, compared, 1)}
    for name in (THETA_STAR, UNIFORM):
        assert set(again[name].documents) != set(found[name].documents)
    np.testing.assert_array_equal(again[best_by("importance")].documents, best)


def test_samples_of_one_seed_share_all_random_numbers(proxies: FreshProxies) -> None:
    chosen = proxies.select("mine", sample_parameters(1, 3, 3, seed=0)[0], 0)
    first, second, later = (
        proxies.sample(number, chosen, k) for number, k in ((0, 0), (1, 0), (2, 1))
    )
    assert (first.seed, first.order_seed) == (second.seed, second.order_seed)
    assert len({first.seed, first.order_seed, later.seed, later.order_seed}) == 4


def test_objective_of_every_sample_and_seed_that_was_trained() -> None:
    measured: dict[str, list[float | None]] = {"mine": [3.0, None, 5.0], "best": [4.0, 4.5, 6.0]}
    rows = [
        (name, seed, target, "failed" if loss is None else "trained", loss)
        for name, by_seed in measured.items()
        for seed, loss in enumerate(by_seed)
        for target in ("one", "two", "of another objective")
    ]
    columns = ["sample", "seed", "target", "status", "loss_nats"]
    losses = pl.DataFrame(rows, schema=columns, orient="row")
    found = objective_by_seed(losses, OBJECTIVE)
    assert values_by_sample(found) == {
        "mine": {0: 4.0, 2: 6.0},
        "best": {0: 5.0, 1: 5.5, 2: 7.0},
    }
    failed = losses.with_columns(status=pl.lit("failed"))
    assert values_by_sample(objective_by_seed(failed, OBJECTIVE)) == {}


def result(proof: dict[str, list[float]], *same: str) -> CheckResult:
    """The same values on both parts, but that the second criterion is best on the search part."""
    on_proof = {name: dict(enumerate(values)) for name, values in proof.items()}
    on_search = on_proof | {best_by("importance"): {0: 1.0, 1: 1.0}}
    return CheckResult(OBJECTIVE, on_search, on_proof, {THETA_STAR: 3.5}, same, 1e6)


VALUES = {
    THETA_STAR: [3.0, 3.2, 3.1],
    BEST_OF_FIRST_ROUND: [3.5, 3.71, 3.6],
    UNIFORM: [4.0, 4.21, 4.12],
    best_by("heuristics"): [3.3, 3.4, 3.41],
    best_by("importance"): [3.9, 3.9, 4.0],
}


def test_passes_on_the_interval_of_the_proof_part_alone() -> None:
    assert result(VALUES).passed
    uncertain = VALUES | {BEST_OF_FIRST_ROUND: [3.05, 3.21, 3.09]}
    assert result(uncertain).gain_over(BEST_OF_FIRST_ROUND).gain.value > 0
    assert not result(uncertain).passed


def test_the_best_criterion_is_not_chosen_on_the_proof_part() -> None:
    found = result(VALUES)
    assert found.best_criterion == best_by("importance")
    words = found.in_words()
    assert "is better than best by importance (the best single criterion)" in words
    assert words.index("the best theta of the first round") < words.index("random documents")
    assert found.optimism == pytest.approx(3.5 - 3.1)
    table = found.table()
    assert table["gain"].to_list() == pytest.approx([None, 0.5033333, 1.01, 0.27, 0.8333333])


def test_a_theta_star_of_the_first_round_does_not_beat_it() -> None:
    values = {name: seeds for name, seeds in VALUES.items() if name != BEST_OF_FIRST_ROUND}
    found = result(values, BEST_OF_FIRST_ROUND, "quadmix_paper")
    assert not found.passed
    assert "is itself the best of the first round; it is quadmix_paper" in found.in_words()


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
