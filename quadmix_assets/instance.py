"""The Dagster instance of a profile."""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from quadmix_assets.postgres import STORAGE_YAML, claim_for_profile, database_lock, postgres_url
from quadmix_assets.run_locks import last_holder, try_to_hold
from quadmix_assets.settings import Settings
from quadmix_assets.store import Store
from quadmix_assets.store.temporaries import sweep_temporaries

SCORING_POOL = "scoring"
_DAGSTER_YAML = Path(__file__).with_name("dagster.yaml")
_LOCK = "quadmix_run.lock"
_LOOK_SECONDS = 0.5
_SAY_SECONDS = 30.0
_Taken = TypeVar("_Taken")


def has_instance(settings: Settings) -> bool:
    """Whether there is an instance of the profile, so that a look at it need not create one."""
    return "DAGSTER_HOME" in os.environ or _home(settings).exists()


def _home(settings: Settings) -> Path:
    return settings.root / "data" / "dagster" / settings.profile


def point_to_instance_of(settings: Settings) -> None:
    """Point Dagster to the profile's own instance, unless DAGSTER_HOME names another.

    Every profile has an instance of its own, because the partitions and materialisations of
    different corpora must not mix. It is a folder of SQLite files; where DAGSTER_POSTGRES_URL
    names a database, that is there, and the folder holds logs and locks alone.

    Raises:
        SettingsError: DAGSTER_POSTGRES_URL is no URL that Dagster can use.
    """
    if "DAGSTER_HOME" not in os.environ:
        storage = STORAGE_YAML if postgres_url() else ""
        home = _home(settings)
        home.mkdir(parents=True, exist_ok=True)
        _write_if_changed(home / "dagster.yaml", _DAGSTER_YAML.read_text() + storage)
        os.environ["DAGSTER_HOME"] = str(home)


def _write_if_changed(path: Path, text: str) -> None:
    """Replace a file at once, because processes that run read it; a part of it names no storage."""
    if not path.exists() or path.read_text() != text:
        half_made = path.with_name(f".{path.name}.{os.getpid()}")
        half_made.write_text(text)
        half_made.replace(path)


@contextmanager
def only_run_of(settings: Settings, say: Callable[[str], None]) -> Iterator[None]:
    """Wait until no other `quadmix run` works on the profile's instance, and keep others waiting.

    An instance on Postgres is held for all machines that use the database.

    Args:
        settings: of the profile.
        say: is told every half minute who is waited for.
    """
    point_to_instance_of(settings)
    path = Path(os.environ["DAGSTER_HOME"], _LOCK)
    with _wait(lambda: try_to_hold(path), lambda: last_holder(path), say):
        url = postgres_url()
        if url is None:
            yield
            return
        with database_lock(url) as lock:
            _wait(lambda: lock.try_to_hold() or None, lock.holder, say)
            yield


def _wait(
    take: Callable[[], _Taken | None], holder: Callable[[], object], say: Callable[[str], None]
) -> _Taken:
    """What `take` returns as soon as it returns something; `say` is told who is waited for."""
    say_at = 0.0
    while (taken := take()) is None:
        if time.monotonic() >= say_at:
            who = holder() or "another process"
            say(f"waiting for {who}, which works on the same instance; Ctrl-C ends the waiting")
            say_at = time.monotonic() + _SAY_SECONDS
        time.sleep(_LOOK_SECONDS)
    return taken


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

    Raises:
        SettingsError: the instance is on Postgres, and cannot be used or belongs to another
            profile.
    """
    point_to_instance_of(settings)
    import dagster as dg

    from quadmix_assets.defs.discovery import register_shards
    from quadmix_assets.healing import heal

    store = Store(settings.resolve(settings.lake))
    with dg.DagsterInstance.get() as instance:
        if postgres_url() is not None:
            claim_for_profile(instance, settings.profile)
        left = heal(instance, retry=retry)
        left += [f"deleted an unfinished file: {path}" for path in sweep_temporaries(store.root)]
        slots = settings.features.inference.concurrent_partitions
        instance.event_log_storage.set_concurrency_slots(SCORING_POOL, slots)
        register_shards(instance, settings, store)
    return left
