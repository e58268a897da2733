"""Dagster's UI with its daemon, as processes that end together.

`serve_ui` starts `dagster dev` in a session of its own, and waits for it. When `dagster dev` ends,
in whatever way, `serve_ui` ends what is left of the session: webserver, daemon, code servers, runs
and their steps. When the process of `serve_ui` ends, in whatever way, a pipe to `dagster dev`
closes, which then ends its session itself.
"""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import FrameType

from quadmix_assets.settings import FROZEN_VARIABLE

_WORKSPACE_YAML = Path(__file__).with_name("workspace.yaml")
# A step that is interrupted gets so long to end and keep its state.
_GRACE_SECONDS = 10.0


class PortInUseError(OSError):
    """The UI cannot be served at the address that was asked for."""


def serve_ui(host: str, port: int) -> int:
    """Serve the UI and run sensors and backfills, until Ctrl-C; return the exit status.

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
    command = ["dev", "--workspace", str(_WORKSPACE_YAML), "--host", host, "--port", str(port)]
    alive, ours = os.pipe()
    server = subprocess.Popen(
        [sys.executable, "-m", __name__, str(alive), *command],
        pass_fds=[alive],
        start_new_session=True,
    )
    os.close(alive)

    def forward(number: int, frame: FrameType | None) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(server.pid, signal.SIGINT)

    before = {number: signal.signal(number, forward) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        status = server.wait()
        _end_session(server.pid)
    finally:
        os.close(ours)
        for number, handler in before.items():
            signal.signal(number, handler)
    return status if status >= 0 else 128 - status


def _end_session(leader: int) -> None:
    """End all processes of a session: at first as Ctrl-C would, after a grace period for good."""
    deadline = time.monotonic() + _GRACE_SECONDS
    with contextlib.suppress(ProcessLookupError):
        os.killpg(leader, signal.SIGTERM)
        while time.monotonic() < deadline:
            os.killpg(leader, 0)
            time.sleep(0.1)
        os.killpg(leader, signal.SIGKILL)


def _serve(alive: int, command: list[str]) -> None:
    """Be `dagster dev`, in a session of its own, until the other end of a pipe is closed."""
    os.set_inheritable(alive, False)
    abandoned = threading.Event()

    def watch() -> None:
        os.read(alive, 1)
        abandoned.set()
        os.killpg(0, signal.SIGTERM)
        time.sleep(_GRACE_SECONDS)
        os.killpg(0, signal.SIGKILL)

    threading.Thread(target=watch, name="alive", daemon=True).start()
    from dagster._cli import ENV_PREFIX, cli

    try:
        cli(command, prog_name="dagster", auto_envvar_prefix=ENV_PREFIX)
    finally:
        if abandoned.is_set():
            # Nobody else is left to end runs and steps. This thread waits for the other one.
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            time.sleep(_GRACE_SECONDS)


if __name__ == "__main__":
    _serve(int(sys.argv[1]), sys.argv[2:])
