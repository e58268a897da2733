"""How far the swarm is, counted over batches whose losses and times are written by hand."""

import math
from pathlib import Path

import polars as pl
import pytest

from quadmix_assets.outputs import PROXY_METRICS, PROXY_POOL, PROXY_SECONDS
from quadmix_assets.proxies.evidence import evidence_version
from quadmix_assets.proxies.parameter_sets import read_batch, write_round
from quadmix_assets.proxies.swarm_progress import (
    batches_of_swarm,
    record_seconds,
    swarm_progress,
)
from quadmix_assets.sampling import sample_parameters
from quadmix_assets.settings import Settings
from quadmix_assets.store import Store
from quadmix_assets.training.progress import BatchProgress
from quadmix_assets.training.records import ProxyTraining
from quadmix_assets.training.train_samples import BatchResult
from quadmix_assets_tests.proxies.thetas import BATCHES, make_settings


def put(
    store: Store, settings: Settings, batch: str, seconds: float | None, failed: int = 0
) -> None:
    """Losses of a batch, the first `failed` of them missing, and the time that it took."""
    theta_ids = list(read_batch(store, settings, batch))
    table = pl.DataFrame(
        {
            "theta_id": theta_ids,
            "status": ["failed"] * failed + ["trained"] * (len(theta_ids) - failed),
        }
    )
    table = pl.concat([table.with_columns(target=pl.lit(name)) for name in ("planted", "other")])
    version = {"version": evidence_version(store, settings, batch)}
    store.write_table(store.table_path(PROXY_METRICS, batch), table, version)
    if seconds is not None:
        store.write_json(store.path(PROXY_SECONDS, f"{batch}.json"), {"seconds": seconds})


def test_before_anything_is_made(tmp_path: Path) -> None:
    settings = make_settings(tmp_path)
    progress = swarm_progress(Store(settings.resolve(settings.lake)), settings)
    assert (progress.n_batches, progress.n_done, progress.n_proxies) == (3, 0, 10)
    assert progress.share_done == 0.0
    assert math.isnan(progress.eta_seconds)
    assert str(progress) == "batches 0 of 3 trained"


def test_what_is_done_and_left_is_counted_in_proxies(settings: Settings, store: Store) -> None:
    put(store, settings, BATCHES[0], 40.0, failed=1)
    progress = swarm_progress(store, settings)
    assert (progress.n_done, progress.n_trained, progress.n_failed) == (1, 3, 1)
    assert progress.share_done == pytest.approx(0.4)
    # 10 s a proxy; batches of 4, 4 and 2 proxies.
    assert progress.eta_seconds == pytest.approx(60.0)
    assert progress.seconds_per_batch == pytest.approx(100 / 3)
    assert str(progress) == "batches 1 of 3 trained, swarm ETA 60 s, 1 failed"
    put(store, settings, BATCHES[2], 10.0)
    # 50 s for 6 proxies.
    assert swarm_progress(store, settings).eta_seconds == pytest.approx(4 * 50 / 6)
    put(store, settings, BATCHES[1], None)
    done = swarm_progress(store, settings)
    assert (done.n_done, done.share_done, done.eta_seconds) == (3, 1.0, 0.0)


def test_losses_that_are_not_current_count_as_not_trained(settings: Settings, store: Store) -> None:
    put(store, settings, BATCHES[0], 40.0)
    assert swarm_progress(store, settings, without=BATCHES[0]).n_done == 0
    store.write_json(store.path(PROXY_POOL, "tokens.json"), "another pool")
    assert swarm_progress(store, settings).n_done == 0
    store.remove_folder(store.root / PROXY_POOL)
    assert swarm_progress(store, settings).n_done == 0


def test_further_rounds_belong_to_the_swarm(settings: Settings, store: Store) -> None:
    further = sample_parameters(5, 3, 10, seed=99, omega_max=0.5)
    batches = write_round(store, settings, 1, further)
    assert batches_of_swarm(store, settings) == [*BATCHES, *batches]
    put(store, settings, batches[0], 8.0)
    progress = swarm_progress(store, settings)
    assert (progress.n_batches, progress.n_done, progress.n_proxies) == (5, 1, 15)
    assert progress.eta_seconds == pytest.approx(11 * 2.0)


def training(n_tokens: int, *, rate: float, failed: int = 0) -> BatchProgress:
    """A batch of 4 proxies of 100 tokens each."""
    return BatchProgress(4, n_tokens, 400, failed, 3.0, rate, (400 - n_tokens) / rate)


def test_a_batch_in_training_counts_by_its_tokens(settings: Settings, store: Store) -> None:
    nothing = swarm_progress(store, settings)
    now = nothing.during(training(100, rate=10.0))
    assert now.share_done == pytest.approx(0.1)
    # 30 s of this batch, then 6 proxies at its 10 s each.
    assert now.eta_seconds == pytest.approx(30.0 + 60.0)
    assert now.n_done == 0
    put(store, settings, BATCHES[0], 8.0)
    now = swarm_progress(store, settings).during(training(400, rate=10.0, failed=2))
    assert now.share_done == pytest.approx(0.8)
    # The last batch has 2 proxies, at the recorded 2 s each.
    assert now.eta_seconds == pytest.approx(4.0)
    assert now.n_failed == 2
    put(store, settings, BATCHES[1], 8.0)
    last = swarm_progress(store, settings).during(BatchProgress(2, 200, 200, 0, 3.0, 10.0, 0.0))
    assert last.share_done == pytest.approx(1.0)
    assert last.eta_seconds == 0.0


def test_time_is_that_of_an_undisturbed_training(store: Store) -> None:
    def result(rate: float) -> BatchResult:
        trainings = [ProxyTraining("trained", None, (), 500, 1.0) for _ in range(4)]
        return BatchResult(pl.DataFrame(), trainings, pl.DataFrame(), rate, 4)

    record_seconds(store, BATCHES[0], result(100.0))
    path = store.path(PROXY_SECONDS, f"{BATCHES[0]}.json")
    assert store.read_json(path) == {"seconds": 20.0}
    record_seconds(store, BATCHES[0], result(0.0))
    assert store.read_json(path) == {"seconds": 20.0}, "nothing was trained"
