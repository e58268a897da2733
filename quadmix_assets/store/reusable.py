"""Reads what only saves work, such as checkpoints: a damaged one is as good as none."""

import logging
from collections.abc import Callable
from typing import TypeVar

from quadmix_assets.store.errors import DamagedOutputError

_LOGGER = logging.getLogger(__name__)

_Read = TypeVar("_Read")


def read_reusable(read: Callable[[], _Read], instead: str) -> _Read | None:
    """What `read` gives of earlier work; None if there is none, or it is damaged.

    Args:
        read: reads and verifies a file.
        instead: what is done without it; part of the warning about a damaged one.
    """
    try:
        return read()
    except FileNotFoundError:
        return None
    except DamagedOutputError as error:
        _LOGGER.warning("%s: %s; %s", error.path, error.found, instead)
        return None
