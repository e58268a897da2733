"""The Dagster instance of a profile, and the UI on it."""

import os
import shutil
import socket
import sys
from pathlib import Path

from quadmix_assets.settings import FROZEN_VARIABLE, Settings
from quadmix_assets.store import Store

SCORING_POOL = "scoring"
_DAGSTER_YAML = Path(__file__).with_name("dagster.yaml")
_WORKSPACE_YAML = Path(__file__).with_name("workspace.yaml")


class PortInUseError(OSError):
    """The UI cannot be served at the address that was asked for."""


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


def use_instance_of(settings: Settings) -> None:
    """Point Dagster to the profile's instance, and prepare it for runs.

    The concurrency pool of scoring steps gets the limit of the settings, and the shards that are
    there are registered, so that everything can be materialised at once.
    """
    point_to_instance_of(settings)
    import dagster as dg

    from quadmix_assets.defs.discovery import register_shards

    with dg.DagsterInstance.get() as instance:
        slots = settings.features.inference.concurrent_partitions
        instance.event_log_storage.set_concurrency_slots(SCORING_POOL, slots)
        register_shards(instance, settings, Store(settings.resolve(settings.lake)))


def serve_ui(host: str, port: int) -> None:
    """Replace this process by the one that serves the UI and runs sensors and backfills.

    Raises:
        PortInUseError: another program listens there, such as the UI of another profile.
    """
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise PortInUseError(
                f"{host}:{port} cannot be served ({error.strerror}): it may show another profile's "
                f"UI. Stop the program that listens there, or name another port, as in `quadmix ui "
                f"--port {port + 1}`"
            ) from error
    # Every process that loads definitions reads the profile's file, also at a reload in the UI.
    os.environ.pop(FROZEN_VARIABLE, None)
    command = ["dagster", "dev", "--workspace", str(_WORKSPACE_YAML), "--host", host]
    os.execv(sys.executable, [sys.executable, "-m", *command, "--port", str(port)])
