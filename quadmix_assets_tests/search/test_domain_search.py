"""The search over weights of domains, against plain computations and a planted best weighting."""

from pathlib import Path

import lightgbm
import numpy as np
import polars as pl
import pytest

from quadmix_assets.proxies.domain_proxies import (
    DomainEvidence,
    domain_evidence,
    weight_columns,
)
from quadmix_assets.proxies.domain_weights import draw_weights
from quadmix_assets.search.climb import ClimbRounds, propose_weights
from quadmix_assets.search.domain_search import fit_predictor, mean_of_best, measured_objective
from quadmix_assets.seeds import derive_seed
from quadmix_assets.settings import Settings
from quadmix_assets.settings.domain_weights import DomainWeightsSettings
from quadmix_assets.settings.objectives import ObjectiveSettings
from quadmix_assets.store import MissingOutputError
from quadmix_assets.training.train_samples import METRICS_SCHEMA
from quadmix_assets_tests.proxies.thetas import make_settings

OPTIONS = DomainWeightsSettings()
TOKENS = np.array([5e6, 3e6, 1.5e6, 5e5])
SIZE = 1e6
BEST = np.array([0.1, 0.2, 0.6, 0.1])
BOTH = ObjectiveSettings(name="both", targets={"planted": 3.0, "other": 1.0})


def losses_of(weights: np.ndarray) -> dict[str, np.ndarray]:
    """Losses (n,) on two target sets; their weighted mean is least at BEST."""
    far = ((weights[:, :4] - BEST) ** 2).sum(axis=1)
    tilt = 0.2 * weights[:, 0]
    return {"planted": 3.0 + far + tilt / 3, "other": 4.0 + far - tilt}


def table_of(weights: np.ndarray, domains: list[str]) -> pl.DataFrame:
    """The rows of proxies with these weights, as they are stored."""
    frames = []
    for target, losses in losses_of(weights).items():
        n = len(weights)
        values: dict[str, object] = {
            "mixture_id": np.arange(n, dtype=np.int32),
            **dict(zip(weight_columns(domains), weights.T, strict=True)),
            "target": [target] * n,
            "part": ["search"] * n,
            "loss_nats": losses,
            "bits_per_byte": losses / 3,
            "status": ["trained"] * n,
        }
        schema = {name: kind for name, kind in METRICS_SCHEMA.items() if name != "sample_id"}
        frames.append(
            pl.DataFrame(values).with_columns(
                pl.lit(None, kind).alias(name)
                for name, kind in schema.items()
                if name not in values
            )
        )
    return pl.concat(frames).sort("mixture_id", "target")


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return make_settings(tmp_path, search={"objectives": [BOTH.model_dump()]})


def evidence_of(weights: np.ndarray) -> DomainEvidence:
    metrics = table_of(weights, list("abcd")).drop(weight_columns(list("abcd")))
    return DomainEvidence(np.arange(len(weights)), weights, metrics, 0)


def drawn(n: int, seed: int = 1) -> np.ndarray:
    return draw_weights(n, TOKENS, OPTIONS, size=SIZE, seed=seed)


def test_the_objective_is_the_weighted_mean_of_the_losses() -> None:
    weights = drawn(12)
    measured, unit = measured_objective(evidence_of(weights), BOTH)
    plain = [
        (3 * planted + other) / 4
        for planted, other in zip(*losses_of(weights).values(), strict=True)
    ]
    np.testing.assert_allclose(measured, plain)
    assert unit == "nats"


def test_failed_proxies_are_left_out(settings: Settings) -> None:
    domains = list(settings.domain_names)
    weights = np.zeros((4, len(domains)))
    weights[:, :4] = np.eye(4)
    table = table_of(weights, domains)
    failed = pl.col("mixture_id") == 1
    table = table.with_columns(
        status=pl.when(failed).then(pl.lit("failed")).otherwise("status"),
        reason=pl.when(failed).then(pl.lit("loss is NaN")).otherwise("reason"),
    )
    found = domain_evidence(table, settings)
    assert found.mixture_ids.tolist() == [0, 2, 3]
    np.testing.assert_array_equal(found.weights, weights[[0, 2, 3]])
    assert found.n_failed == 1
    with pytest.raises(MissingOutputError, match=r"all 1 proxies .* loss is NaN"):
        domain_evidence(table.filter(failed), settings)


def test_regmix_finds_the_planted_weights() -> None:
    evidence = evidence_of(drawn(256))
    found = mean_of_best(
        evidence, BOTH, TOKENS, OPTIONS, size=SIZE, n_points=20_000, top=100, seed=9, threads=1
    )
    assert np.abs(found.weights - BEST).max() < 0.08
    assert found.weights.sum() == pytest.approx(1.0)
    true = losses_of(found.weights[None])
    assert (3 * true["planted"][0] + true["other"][0]) / 4 < found.best_measured
    assert found.n_proxies == 256


def test_it_is_the_mean_of_the_best_predictions_of_plain_lightgbm() -> None:
    weights = drawn(64)
    evidence = evidence_of(weights)
    found = mean_of_best(
        evidence, BOTH, TOKENS, OPTIONS, size=SIZE, n_points=500, top=7, seed=9, threads=1
    )
    measured, _ = measured_objective(evidence, BOTH)
    ours = fit_predictor(weights, measured, seed=9, threads=1)
    model = lightgbm.Booster(model_str=ours.to_json()["booster"])
    points = draw_weights(500, TOKENS, OPTIONS, size=SIZE, seed=9)
    predicted = [float(model.predict(point[None])[0]) for point in points]
    best = sorted(range(500), key=lambda k: (predicted[k], k))[:7]
    mean = sum(points[k] for k in best) / 7
    np.testing.assert_allclose(found.weights, mean, atol=2e-4)


def test_more_than_there_are_cannot_be_averaged() -> None:
    with pytest.raises(ValueError, match="top is 6; expected from 1 to n_points, which is 5"):
        mean_of_best(
            evidence_of(drawn(12)), BOTH, TOKENS, OPTIONS,
            size=SIZE, n_points=5, top=6, seed=0, threads=1,
        )  # fmt: skip


def test_rounds_of_climb_close_in_on_the_planted_weights(settings: Settings) -> None:
    rounds = ClimbRounds("both", (32, 16), n_points=5_000, shortlist=200, seed=4)
    weights = drawn(64)
    distances = [np.abs(weights - BEST).sum(axis=1).mean()]
    for number, n in enumerate(rounds.n, start=1):
        further = propose_weights(settings, rounds, evidence_of(weights), TOKENS, number)
        assert further.shape == (n, 4)
        np.testing.assert_allclose(further.sum(axis=1), 1.0)
        distances.append(np.abs(further - BEST).sum(axis=1).mean())
        weights = np.concatenate([weights, further])
    assert distances[1] < 0.6 * distances[0]
    assert distances[2] < distances[1] * 1.05
    found = mean_of_best(
        evidence_of(weights), BOTH, TOKENS, OPTIONS,
        size=SIZE, n_points=5_000, top=1, seed=4, threads=1,
    )  # fmt: skip
    assert np.abs(found.weights - BEST).sum() < 0.3


def test_a_round_takes_what_is_predicted_best_and_repeats_itself(settings: Settings) -> None:
    rounds = ClimbRounds("both", (8, 8), n_points=400, shortlist=8, seed=4)
    evidence = evidence_of(drawn(40))
    further = propose_weights(settings, rounds, evidence, TOKENS, 1)
    np.testing.assert_array_equal(further, propose_weights(settings, rounds, evidence, TOKENS, 1))
    # The shortlist is as large as the round, so that no other drawn weights are predicted better.
    drawn_again = draw_weights(
        400, TOKENS, OPTIONS, size=0.1 * TOKENS.sum(), seed=derive_seed(rounds.seed, "round 1")
    )
    seed = derive_seed(rounds.seed, "round 1") % 2**31
    measured, _ = measured_objective(evidence, BOTH)
    predicted = fit_predictor(evidence.weights, measured, seed=seed, threads=1).predict(drawn_again)
    best = sorted(range(400), key=lambda k: (predicted[k], k))[:8]
    assert {tuple(row) for row in further} == {tuple(drawn_again[k]) for k in best}
    other = propose_weights(settings, rounds, evidence, TOKENS, 2)
    assert not np.array_equal(further, other)
