"""Steps say of a full disk, a read-only lake or a lost network what it is, in one line."""

import functools
import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import dagster as dg

from quadmix_assets.faults import fault_text, is_fault, may_pass
from quadmix_assets.store import DamagedOutputError, one_step

_Step = TypeVar("_Step", bound=Callable[..., Any])


def faults_in_words(step: _Step) -> _Step:
    """A function of an asset or a check whose errors of the system and of storage, and damaged
    outputs, fail the step with path, meaning and remedy instead of a trace.

    Such a step is tried again, where its policy says so, only if the error may pass by itself. What
    it reads of object storage is remembered for some seconds (`store.one_step`).
    """
    if inspect.isgeneratorfunction(step):

        @functools.wraps(step)
        def generate(*args: Any, **kwargs: Any) -> Iterator[Any]:
            with one_step(), _in_words():
                yield from step(*args, **kwargs)

        return generate  # type: ignore[return-value]

    @functools.wraps(step)
    def call(*args: Any, **kwargs: Any) -> Any:
        with one_step(), _in_words():
            return step(*args, **kwargs)

    return call  # type: ignore[return-value]


@contextmanager
def _in_words() -> Iterator[None]:
    try:
        yield
    except Exception as error:
        if isinstance(error, DamagedOutputError):
            raise dg.Failure(str(error), allow_retries=False) from error
        if is_fault(error):
            raise dg.Failure(fault_text(error), allow_retries=may_pass(error)) from error
        raise
