"""Calls a function for many keys in threads; the results come in the order of the keys."""

from collections import deque
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import islice
from typing import TypeVar

K = TypeVar("K")
T = TypeVar("T")


def in_order(
    work: Callable[[K], T], keys: Sequence[K], n_threads: int
) -> Generator[tuple[K, Callable[[], T]]]:
    """Each key, and what gives its result or raises its error.

    At most `n_threads` keys are worked on or done and not asked for yet. One thread is the caller's
    own: the work is done when the result is asked for.
    """
    if n_threads == 1:
        yield from ((key, partial(work, key)) for key in keys)
        return
    pool = ThreadPoolExecutor(n_threads)
    try:
        left = iter(keys)
        begun = deque((key, pool.submit(work, key)) for key in islice(left, n_threads))
        while begun:
            key, future = begun.popleft()
            yield key, future.result
            begun.extend((each, pool.submit(work, each)) for each in islice(left, 1))
    finally:
        # What has begun is finished, because files are written whole or not at all.
        pool.shutdown(wait=True, cancel_futures=True)
