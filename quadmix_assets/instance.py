"""The Dagster instance of a profile."""

import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from quadmix_assets.run_locks import last_holder, try_to_hold
from quadmix_assets.settings import Settings
from quadmix_assets.store import Store
from quadmix_assets.store.temporaries import sweep_temporaries

SCORING_POOL = "scoring"
_DAGSTER_YAML = Path(__file__).with_name("dagster.yaml")
_LOCK = "quadmix_run.lock"
_LOOK_SECONDS = 0.5
_SAY_SECONDS = 30.0


def has_instance(settings: Settings) -> bool:
    """Whether there is an instance of the profile, so that a look at it need not create one."""
    return "DAGSTER_HOME" in os.environ or _home(settings).exists()


def _home(settings: Settings) -> Path:
    return settings.root / "data" / "dagster" / settings.profile


def point_to_instance_of(settings: Settings) -> None:
    """Point Dagster to the profile's own instance, unless DAGSTER_HOME names another.

    Every profile has an instance of its own, because the partitions and materialisations of
    different corpora must not mix.
    """
    if "DAGSTER_HOME" not in os.environ:
        home = _home(settings)
        home.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(_DAGSTER_YAML, home / "dagster.yaml")
        os.environ["DAGSTER_HOME"] = str(home)


@contextmanager
def only_run_of(settings: Settings, say: Callable[[str], None]) -> Iterator[None]:
    """Wait until no other `quadmix run` works on the profile's instance, and keep others waiting.

    Args:
        settings: of the profile.
        say: is told every half minute who is waited for.
    """
    point_to_instance_of(settings)
    path = Path(os.environ["DAGSTER_HOME"], _LOCK)
    say_at = 0.0
    while (lock := try_to_hold(path)) is None:
        if time.monotonic() >= say_at:
            holder = last_holder(path) or "another process"
            say(f"waiting for {holder}, which works on the same instance; Ctrl-C ends the waiting")
            say_at = time.monotonic() + _SAY_SECONDS
        time.sleep(_LOOK_SECONDS)
    with lock:
        yield


def use_instance_of(settings: Settings, *, retry: bool = False) -> list[str]:
    """Point Dagster to the profile's instance, and prepare it for runs.

    What killed processes left is put in order: their runs are ended, their slots freed, their
    temporary files deleted. The concurrency pool of scoring steps gets the limit of the settings,
    and the shards that are there are registered, so that everything can be materialised at once.

    Args:
        settings: of the profile.
        retry: whether Dagster's daemon may launch the runs of killed processes once more.

    Returns:
        What killed processes had left, one sentence each.
    """
    point_to_instance_of(settings)
    import dagster as dg

    from quadmix_assets.defs.discovery import register_shards
    from quadmix_assets.healing import heal

    store = Store(settings.resolve(settings.lake))
    with dg.DagsterInstance.get() as instance:
        left = heal(instance, retry=retry)
        left += [f"deleted an unfinished file: {path}" for path in sweep_temporaries(store.root)]
        slots = settings.features.inference.concurrent_partitions
        instance.event_log_storage.set_concurrency_slots(SCORING_POOL, slots)
        register_shards(instance, settings, store)
    return left
