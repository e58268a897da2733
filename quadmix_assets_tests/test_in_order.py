"""Results come in the order of the keys, whatever the threads do."""

import threading
import time

import pytest

from quadmix_assets.in_order import in_order

KEYS = [f"k{n}" for n in range(12)]


@pytest.mark.parametrize("n_threads", [1, 2, 5])
def test_results_are_in_the_order_of_the_keys(n_threads: int) -> None:
    def work(key: str) -> str:
        time.sleep(0.01 if key in KEYS[::3] else 0.0)
        return key.upper()

    found = [(key, made()) for key, made in in_order(work, KEYS, n_threads)]
    assert found == [(key, key.upper()) for key in KEYS]
    assert list(in_order(work, [], n_threads)) == []


def test_no_more_keys_are_begun_than_there_are_threads() -> None:
    begun: list[str] = []
    results = in_order(begun.append, KEYS, 3)
    for number, (_, made) in enumerate(results):
        made()
        time.sleep(0.005)
        assert len(begun) <= number + 3


def test_keys_are_worked_on_at_once() -> None:
    both = threading.Barrier(2, timeout=60)
    assert len([made() for _, made in in_order(lambda _: both.wait(), KEYS[:4], 2)]) == 4


@pytest.mark.parametrize("n_threads", [1, 3])
def test_an_error_is_that_of_its_key_and_others_go_on(n_threads: int) -> None:
    def work(key: str) -> str:
        if key == KEYS[4]:
            raise ValueError(f"{key} is bad")
        return key

    found = {}
    for key, made in in_order(work, KEYS, n_threads):
        try:
            found[key] = made()
        except ValueError as error:
            found[key] = str(error)
    assert found == {key: "k4 is bad" if key == "k4" else key for key in KEYS}


def test_who_stops_early_leaves_no_thread() -> None:
    before = threading.active_count()
    begun: list[str] = []
    results = in_order(begun.append, KEYS, 2)
    next(results)[1]()
    results.close()
    assert threading.active_count() == before
    assert len(begun) <= 3
