from pathlib import Path

import numpy as np
import polars as pl
import pytest

from quadmix_assets.proxies.evidence import Evidence
from quadmix_assets.proxies.repeats import REPEATS_SCHEMA
from quadmix_assets.sampling import sample_parameters
from quadmix_assets.search.noise import (
    measure_noise,
    noise_of_objective,
    noise_of_targets,
    table_of_noise,
    weighed_by_reliability,
)
from quadmix_assets.settings import ObjectiveSettings, Settings, load_settings
from quadmix_assets_tests.conftest import write_profile

RNG = np.random.default_rng(0)
# The true losses of thetas, and what single trainings of them measure, per target set: on `fine`
# thetas differ by more than noise, on `coarse` by noise alone.
N, REPEATED, REPEATS = 60, 8, 3
SPREAD = {"fine": 0.05, "coarse": 0.0}
NOISE, OFFSETS = 0.02, (0.0, 0.11, 0.09, 0.10)


def trainings(spread: float, rng: np.random.Generator) -> np.ndarray:
    """(n, K) losses: theta + seed + noise."""
    thetas = 4.0 + spread * rng.normal(size=(N, 1))
    return thetas + OFFSETS + NOISE * rng.normal(size=(N, len(OFFSETS)))


LOSSES = {target: trainings(spread, RNG) for target, spread in SPREAD.items()}


def make_evidence(all_losses: dict[str, np.ndarray] = LOSSES) -> Evidence:
    """A first round of N, and a second one that must not count, of losses far away."""
    rows = [
        (k, target, 9.0 if k >= N else losses[k, 0], "trained")
        for k in range(N + 4)
        for target, losses in all_losses.items()
    ]
    metrics = pl.DataFrame(rows, schema=["theta_id", "target", "loss_nats", "status"], orient="row")
    metrics = metrics.sort("theta_id", "target")
    rounds = np.repeat([0, 1], [N, 4])
    thetas = sample_parameters(N + 4, 2, 3, seed=0)
    return Evidence(metrics, np.arange(N + 4), rounds, thetas, 0, 0)


def make_repeats(
    failed: int | None = None, all_losses: dict[str, np.ndarray] = LOSSES
) -> pl.DataFrame:
    """The first thetas again, in an order that means nothing."""
    rows = [
        {
            "theta_id": k,
            "seed": seed,
            "target": target,
            "loss_nats": None if (k, seed) == (failed, 1) else losses[k, seed + 1],
            "status": "failed" if (k, seed) == (failed, 1) else "trained",
        }
        for target, losses in all_losses.items()
        for seed in reversed(range(REPEATS))
        for k in reversed(range(REPEATED))
    ]
    return pl.DataFrame(rows, schema={k: REPEATS_SCHEMA[k] for k in rows[0]})


def make_settings(folder: Path, *, weigh: bool, targets: dict[str, float]) -> Settings:
    objective = {"name": "both", "targets": targets, "weigh_by_reliability": weigh}
    return load_settings(
        write_profile(
            folder,
            targets=[{"name": "planted"}, {"name": "fine"}, {"name": "coarse"}],
            search={"objectives": [objective]},
            mixes=[{"method": "quadmix", "objective": "both"}],
        )
    )


def test_noise_spread_and_offset_are_those_that_were_put_in() -> None:
    found = [
        (spread, measure_noise(made[:, 0], made[:REPEATED]))
        for seed in range(400)
        for spread in (0.05, 0.0)
        for made in [trainings(spread, np.random.default_rng(seed))]
    ]

    def covered(inside: list[bool]) -> float:
        return float(np.mean(inside))

    # 90 % intervals hold the truth in 90 % of the cases.
    assert 0.86 < covered([n.noise.low <= NOISE <= n.noise.high for _, n in found]) < 0.94
    truth = {0.05: 1 - NOISE**2 / (0.05**2 + NOISE**2), 0.0: 0.0}
    inside = [n.reliability.low <= truth[s] <= n.reliability.high for s, n in found if s]
    assert 0.86 < covered(inside) < 0.94
    assert 0.86 < covered([n.offset.low <= 0.10 <= n.offset.high for _, n in found]) < 0.94
    assert np.mean([n.noise.value**2 for _, n in found]) == pytest.approx(NOISE**2, rel=0.05)
    assert np.mean([n.spread for s, n in found if s]) == pytest.approx(0.05, rel=0.05)
    assert np.mean([n.tells_thetas_apart for s, n in found if s]) == 1.0
    assert np.mean([n.tells_thetas_apart for s, n in found if not s]) < 0.3


def test_what_a_seed_does_to_all_thetas_is_no_noise() -> None:
    made = trainings(0.05, np.random.default_rng(1))
    moved = made + np.array([0.0, 5.0, -3.0, 1.0])
    before, after = (measure_noise(m[:, 0], m[:REPEATED]) for m in (made, moved))
    assert after.noise.value == pytest.approx(before.noise.value)
    assert after.reliability.value == pytest.approx(before.reliability.value)
    assert after.offset.value == pytest.approx(before.offset.value + 1.0)


def test_equal_losses_tell_nothing_apart() -> None:
    found = measure_noise(np.full(9, 4.0), np.full((3, 2), 4.0))
    assert (found.noise.value, found.spread, found.reliability.value) == (0.0, 0.0, 0.0)


@pytest.mark.parametrize("shape", [(1, 3), (3, 1)])
def test_too_little_to_measure_noise_by_is_an_error(shape: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match=f"{shape[0]} thetas, {shape[1]} trainings of each"):
        measure_noise(np.arange(9.0), np.zeros(shape))


def test_targets_and_objectives_take_the_first_round_and_the_repeats() -> None:
    evidence = make_evidence()
    found = noise_of_targets(evidence, make_repeats(), ["fine", "coarse"])
    for target, losses in LOSSES.items():
        assert found[target] == measure_noise(losses[:, 0], losses[:REPEATED])
        assert (found[target].n_thetas, found[target].n_repeats) == (REPEATED, REPEATS)
    assert found["fine"].tells_thetas_apart
    assert not found["coarse"].tells_thetas_apart
    wanted = ObjectiveSettings(name="both", targets={"fine": 3.0, "coarse": 1.0})
    both = noise_of_objective(evidence, make_repeats(), wanted)
    mean = 0.75 * LOSSES["fine"] + 0.25 * LOSSES["coarse"]
    expected = measure_noise(mean[:, 0], mean[:REPEATED])
    assert both is not None
    assert both.noise.value == pytest.approx(expected.noise.value)
    assert both.offset.value == pytest.approx(expected.offset.value)
    table = table_of_noise(found)
    assert table["of"].to_list() == ["fine", "coarse"]
    assert table["reliability"][0] == str(found["fine"].reliability)


def test_a_theta_with_a_failed_repeat_is_left_out() -> None:
    evidence = make_evidence()
    found = noise_of_targets(evidence, make_repeats(failed=2), ["fine"])["fine"]
    losses = LOSSES["fine"]
    kept = [k for k in range(REPEATED) if k != 2]
    assert found == measure_noise(losses[:, 0], losses[kept])


def test_without_repeats_noise_is_unknown(tmp_path: Path) -> None:
    evidence, none = make_evidence(), make_repeats().clear()
    wanted = ObjectiveSettings(name="both", targets={"fine": 1.0, "coarse": 1.0})
    assert noise_of_targets(evidence, none, ["fine"]) == {}
    assert noise_of_objective(evidence, none, wanted) is None
    settings = make_settings(tmp_path, weigh=True, targets={"fine": 1.0})
    assert weighed_by_reliability(settings, evidence, none).objectives == settings.objectives


def test_weights_are_multiplied_by_reliability_where_that_is_asked_for(tmp_path: Path) -> None:
    evidence, repeats = make_evidence(), make_repeats()
    weights = {"fine": 2.0, "coarse": 1.0}
    left = make_settings(tmp_path / "a", weigh=False, targets=weights)
    assert weighed_by_reliability(left, evidence, repeats) is left
    settings = make_settings(tmp_path / "b", weigh=True, targets=weights)
    (found,) = weighed_by_reliability(settings, evidence, repeats).objectives
    noise = noise_of_targets(evidence, repeats, ["fine", "coarse"])
    expected = {
        target: weight * noise[target].reliability.value
        for target, weight in weights.items()
        if noise[target].reliability.value > 0
    }
    assert found.targets == expected
    assert settings.objectives[0].targets == weights


def test_reliability_can_leave_nothing(tmp_path: Path) -> None:
    noisy = LOSSES | {"coarse": NOISE * np.random.default_rng(3).normal(size=(N, 4))}
    # Trainings of a theta that differ more than thetas do.
    noisy["coarse"][:REPEATED, 1:] *= 9.0
    settings = make_settings(tmp_path, weigh=True, targets={"coarse": 1.0})
    with pytest.raises(ValueError, match=r"'both' \(coarse\) differ by noise alone"):
        weighed_by_reliability(settings, make_evidence(noisy), make_repeats(all_losses=noisy))
