"""Runs one measurement in a process of its own: its processor time, wall time and peak memory."""

import multiprocessing
import resource
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

import numpy as np

T = TypeVar("T")


@dataclass(frozen=True)
class Measured(Generic[T]):
    """What a call has cost, without the start of its process and its imports.

    Attributes:
        value: what it returned.
        cpu_seconds: of all its threads and of the processes that it has waited for.
        seconds: of the wall clock.
        peak_mib: the process's largest resident memory, imports included.
    """

    value: T
    cpu_seconds: float
    seconds: float
    peak_mib: float


def measured(call: Callable[..., T], *arguments: Any) -> Measured[T]:
    """Call a function of a module in a fresh process; arguments and result can be pickled."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        return pool.submit(_measured, call, arguments).result()


def growth_exponent(sizes: list[int], costs: list[float]) -> float:
    """The b of cost = a * size**b that fits best, in least squares of logarithms.

    Raises:
        ValueError: there are fewer than two sizes.
    """
    if len(sizes) < 2:
        raise ValueError(f"{len(sizes)} sizes; expected two or more to fit a growth to")
    return float(np.polyfit(np.log(sizes), np.log(costs), 1)[0])


def _measured(call: Callable[..., T], arguments: tuple[Any, ...]) -> Measured[T]:
    before, start = _cpu_seconds(), time.perf_counter()
    value = call(*arguments)
    seconds, cpu_seconds = time.perf_counter() - start, _cpu_seconds() - before
    return Measured(value, cpu_seconds, seconds, peak_mib())


def peak_mib() -> float:
    """The largest resident memory of this process so far, in MiB."""
    # Not ru_maxrss, which begins with what the process had before it became this program: that of
    # its parent.
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 2**10
    raise OSError("/proc/self/status has no line VmHWM: expected Linux")


def _cpu_seconds() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)
