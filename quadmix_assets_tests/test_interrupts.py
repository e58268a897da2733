"""Ctrl-C and SIGTERM in a process that executes runs of toys."""

import os
import signal
from pathlib import Path

import dagster as dg
import pytest

from quadmix_assets.interrupts import Interrupts
from quadmix_assets_tests.conftest import instance_in
from quadmix_assets_tests.processes import started, until

TOY = ["-m", "quadmix_assets_tests.toy_run"]


def statuses(home: Path) -> list[str]:
    """Those of all runs, the first one first."""
    with instance_in(home), dg.DagsterInstance.get() as instance:
        return [run.status.value for run in reversed(instance.get_runs())]


def free_slots(home: Path) -> int:
    with instance_in(home), dg.DagsterInstance.get() as instance:
        info = instance.event_log_storage.get_concurrency_info("training")
        assert info.pending_steps == []
        return info.slot_count - len(info.claimed_slots)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "home").mkdir()
    settings = "concurrency: {pools: {granularity: op, default_limit: 1}}\n"
    (tmp_path / "home" / "dagster.yaml").write_text(f"telemetry: {{enabled: false}}\n{settings}")
    return tmp_path / "home"


@pytest.mark.parametrize(
    ("asset", "number"),
    [
        ("slow", signal.SIGTERM),
        ("slow", signal.SIGINT),
        ("deaf", signal.SIGTERM),
        ("stuck", signal.SIGINT),
    ],
)
def test_a_signal_ends_a_step_that_could_be_retried(
    home: Path, tmp_path: Path, asset: str, number: signal.Signals
) -> None:
    log = tmp_path / "log"
    with started([*TOY, asset, "breaks_once"], log, DAGSTER_HOME=str(home)) as process:
        assert until(lambda: f"{asset} starts" in log.read_text())
        process.send_signal(number)
        # The aim is 10, of the 600 of the step; the machine may be busy.
        assert process.wait(timeout=90) == 128 + number, log.read_text()
    assert log.read_text().count(f"{asset} starts") == 1
    assert f"{number.name}: stopping" in log.read_text()
    assert statuses(home) == ["CANCELED"]
    if asset == "slow":
        assert free_slots(home) == 1


def test_a_signal_that_a_step_does_not_notice_ends_the_process_after_it(
    home: Path, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    with started([*TOY, "stubborn", "slow"], log, DAGSTER_HOME=str(home)) as process:
        assert until(lambda: "stubborn starts" in log.read_text())
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=90) == 130
    assert "swallowed" in log.read_text()
    assert "slow starts" not in log.read_text()
    # On a slow machine the signal is repeated before the run has been recorded.
    assert statuses(home) in (["SUCCESS"], ["CANCELED"])


def test_an_error_is_still_retried(home: Path, tmp_path: Path) -> None:
    with started([*TOY, "breaks_once"], tmp_path / "log", DAGSTER_HOME=str(home)) as process:
        assert process.wait(timeout=180) == 0


def test_who_waits_for_a_slot_says_for_whom_and_can_be_interrupted(
    home: Path, tmp_path: Path
) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    with started([*TOY, "slow"], first, DAGSTER_HOME=str(home)) as holder:
        assert until(lambda: "slow starts" in first.read_text())
        with started([*TOY, "slow"], second, DAGSTER_HOME=str(home)) as waiter:
            words = (
                "slow waits for a slot of the pool 'training': 1 in all, held by slow of the run"
            )
            assert until(lambda: words in second.read_text()), second.read_text()
            assert f"process {holder.pid} (`toy_run.py slow`) since" in second.read_text()
            waiter.send_signal(signal.SIGTERM)
            assert waiter.wait(timeout=90) == 143
        assert statuses(home) == ["STARTED", "CANCELED"]
        # Once more: the holder is killed, and who waits has its turn without anybody's help.
        with started([*TOY, "slow"], second, DAGSTER_HOME=str(home)):
            assert until(lambda: second.read_text().count("waits for a slot") == 2)
            holder.kill()
            holder.wait()
            assert until(lambda: "slow starts" in second.read_text(), 120), second.read_text()
    assert statuses(home)[0] == "FAILURE"


def test_signals_are_noticed_whoever_handles_them() -> None:
    with Interrupts() as interrupts:
        assert interrupts.received() is None
        interrupts.raise_if_received()
        before = signal.signal(signal.SIGTERM, lambda number, frame: None)
        os.kill(os.getpid(), signal.SIGTERM)
        signal.signal(signal.SIGTERM, before)
        assert interrupts.received() == signal.SIGTERM
        with pytest.raises(KeyboardInterrupt):
            interrupts.raise_if_received()
    assert interrupts.received() == signal.SIGTERM
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
