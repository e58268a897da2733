import threading
import time
from threading import Event

import pytest
import torch

from quadmix_assets.proxies.threads import run_in_threads


def test_results_come_in_the_order_of_jobs_and_each_has_one_torch_thread() -> None:
    torch.set_num_threads(2)

    def job(number: int, stop: Event) -> tuple[int, int, bool]:
        time.sleep(0.01 * (5 - number))
        return number, torch.get_num_threads(), stop.is_set()

    jobs = [lambda stop, number=number: job(number, stop) for number in range(5)]
    assert run_in_threads(jobs, n_threads=3) == [(number, 1, False) for number in range(5)]
    assert torch.get_num_threads() == 2


def test_no_more_jobs_at_once_than_threads() -> None:
    running: list[int] = []
    most: list[int] = []
    lock = threading.Lock()

    def job(stop: Event) -> None:
        with lock:
            running.append(1)
            most.append(len(running))
        time.sleep(0.01)
        with lock:
            running.pop()

    run_in_threads([job] * 12, n_threads=3)
    assert max(most) == 3


def test_the_first_error_stops_the_others_and_is_raised() -> None:
    started: list[int] = []

    def endless(stop: Event) -> None:
        started.append(1)
        assert stop.wait(timeout=30)

    def failing(stop: Event) -> None:
        raise ValueError("bad tokens")

    before = torch.get_num_threads()
    with pytest.raises(ValueError, match="bad tokens"):
        run_in_threads([endless, failing, *[endless] * 5], n_threads=2)
    assert len(started) < 6
    assert torch.get_num_threads() == before


def test_the_caller_hears_of_the_end_and_may_stop_the_work(monkeypatch: pytest.MonkeyPatch) -> None:
    ticks: list[str] = []
    run_in_threads([lambda stop: 1], on_tick=lambda: ticks.append(threading.current_thread().name))
    assert ticks == [threading.current_thread().name]

    def interrupt() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("quadmix_assets.proxies.threads._TICK_SECONDS", 0.01)
    with pytest.raises(KeyboardInterrupt):
        run_in_threads([lambda stop: stop.wait(timeout=30)], on_tick=interrupt)
