import numpy as np
import pytest

from quadmix_assets.search.halving import Heat, best_of, plan_heats
from quadmix_assets.settings import HeatSettings, VerifySettings
from quadmix_assets_tests.seed import SEED

DEFAULT = VerifySettings()


def halve(true: np.ndarray, noise: float, rng: np.random.Generator) -> tuple[int, int]:
    """The winner among candidates of those true values, and the number of measurements."""
    names = [str(k) for k in range(len(true))]
    measured: dict[str, dict[int, float]] = {name: {} for name in names}
    alive, n_measured = names, 0
    for heat in plan_heats(DEFAULT.heats, len(names)):
        alive = best_of(alive, measured, heat.n_candidates)
        for seed in heat.seeds:
            shared = rng.normal()  # what all candidates of a seed have in common
            for name in alive:
                measured[name][seed] = true[int(name)] + shared + noise * rng.normal()
                n_measured += 1
    return int(best_of(alive, measured, 1)[0]), n_measured


def test_heats_of_the_default_are_forty_proxies_with_seeds_of_their_own() -> None:
    heats = plan_heats(DEFAULT.heats, 16)
    assert heats == [Heat(16, (0,)), Heat(8, (1,)), Heat(4, (2, 3)), Heat(2, (4, 5, 6, 7))]
    assert sum(heat.n_candidates * len(heat.seeds) for heat in heats) == 40


def test_noise_doubles_the_seeds_of_the_later_heats() -> None:
    heats = plan_heats(DEFAULT.heats, 5, seeds_factor=2)
    assert [heat.n_candidates for heat in heats] == [5, 5, 4, 2]
    assert [len(heat.seeds) for heat in heats] == [1, 2, 4, 8]
    seeds = [seed for heat in heats for seed in heat.seeds]
    assert seeds == list(range(15))


def test_a_single_candidate_is_not_measured() -> None:
    assert plan_heats(DEFAULT.heats, 1) == []


def test_ties_failures_and_missing_candidates_have_an_order() -> None:
    measured = {"a": {0: 2.0, 1: 2.0}, "b": {0: 1.0}, "c": {0: 2.0, 1: 2.0}, "d": {0: 3.0, 1: 0.5}}
    assert best_of(["a", "b", "c", "d", "e"], measured, 5) == ["d", "a", "c", "b", "e"]
    assert best_of(["c", "a"], measured, 1) == ["c"]
    assert best_of(["x", "y"], {}, 1) == ["x"]


def test_without_noise_the_best_candidate_wins() -> None:
    rng = np.random.default_rng(SEED)
    for _ in range(20):
        true = rng.normal(size=16)
        winner, n_measured = halve(true, 0.0, rng)
        assert winner == true.argmin()
        assert n_measured == 40


@pytest.mark.parametrize("noise", [0.5, 1.0])
def test_halving_regrets_less_than_one_measurement_of_each(noise: float) -> None:
    """Candidates of standard deviation 1: how much worse than the best the winner truly is."""
    rng = np.random.default_rng(SEED)
    halving, once, spread_evenly = [], [], []
    for _ in range(300):
        true = rng.normal(size=16)
        halving.append(true[halve(true, noise, rng)[0]] - true.min())
        once.append(true[np.argmin(true + noise * rng.normal(size=16))] - true.min())
        even = noise * rng.normal(size=16) / np.sqrt(40 / 16)
        spread_evenly.append(true[np.argmin(true + even)] - true.min())
    assert np.mean(halving) < 0.7 * np.mean(once)
    assert np.mean(halving) < np.mean(spread_evenly)


def test_heats_that_cannot_be_run_are_refused() -> None:
    def heat(candidates: int) -> HeatSettings:
        return HeatSettings(candidates=candidates, seeds=1)

    with pytest.raises(ValueError, match=r"heats measure \[4, 8\] candidates"):
        VerifySettings(candidates=4, heats=(heat(4), heat(8)))
    with pytest.raises(ValueError, match="candidates is 16, but the first heat measures 8"):
        VerifySettings(heats=(heat(8), heat(4)))
