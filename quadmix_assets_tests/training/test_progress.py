import math
from pathlib import Path

import pytest

from quadmix_assets.training.progress import (
    BatchProgress,
    ProgressBoard,
    StackReport,
    duration,
    leave_report,
)


class Clock:
    """Time that passes when it is told to."""

    now = 100.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr("quadmix_assets.training.progress.time", clock)
    return clock


def test_reports_add_up_and_what_was_kept_is_no_speed(clock: Clock) -> None:
    heard: list[BatchProgress] = []
    board = ProgressBoard(8, 1_000, heard.append, seconds=10.0)
    clock.now += 5
    board.put(0, StackReport(100, 0, 4.0, 1))
    board.put(1, StackReport(300, 200, 2.0, 0))
    assert heard == []
    clock.now += 5
    board.put(1, StackReport(400, 200, 3.0, 0))
    # 300 tokens in 10 seconds.
    assert heard == [BatchProgress(8, 500, 1_000, 1, 3.5, 30.0, 500 / 30)]
    clock.now += 1
    board.put(2, StackReport(500, 500, None, 0))
    assert len(heard) == 1
    board.tell_if_due(at_once=True)
    assert (heard[1].n_tokens, heard[1].eta_seconds, heard[1].mean_loss_nats) == (1_000, 0, 3.5)
    assert "8 proxies, 100% of 1,000 tokens, 27 tokens/s, mean loss 3.500" in str(heard[1])
    assert str(heard[1]).endswith("1 failed")
    board.tell_if_due(at_once=True)
    assert len(heard) == 2, "nothing has changed"


def test_before_the_first_report_nothing_is_known(clock: Clock) -> None:
    progress = ProgressBoard(2, 10, lambda progress: None, 1.0).progress()
    assert (progress.n_tokens, progress.tokens_per_second) == (0, 0.0)
    assert math.isinf(progress.eta_seconds)
    assert math.isnan(progress.mean_loss_nats)
    assert str(progress) == "2 proxies, 0% of 10 tokens"


def test_reports_of_other_processes_come_by_file(tmp_path: Path, clock: Clock) -> None:
    heard: list[BatchProgress] = []
    board = ProgressBoard(4, 100, heard.append, seconds=0.0)
    leave_report(tmp_path, 0, StackReport(10, 0, 5.0, 0))
    leave_report(tmp_path, 1, StackReport(20, 0, None, 2))
    leave_report(tmp_path, 0, StackReport(30, 0, 4.0, 0))
    board.collect(tmp_path)
    assert (heard[0].n_tokens, heard[0].n_failed, heard[0].mean_loss_nats) == (50, 2, 4.0)


def test_a_stack_to_which_nobody_listens_ends(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        leave_report(tmp_path / "gone", 0, StackReport(1, 0, None, 0))


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.0, "0 s"),
        (40.4, "40 s"),
        (89.0, "89 s"),
        (91.0, "2 min"),
        (12 * 60, "12 min"),
        (59 * 60 + 40, "1 h 0 min"),
        (3 * 3_600 + 20 * 60, "3 h 20 min"),
        (53 * 3_600, "2 d 5 h"),
    ],
)
def test_durations_are_told_in_their_largest_units(seconds: float, words: str) -> None:
    assert duration(seconds) == words
