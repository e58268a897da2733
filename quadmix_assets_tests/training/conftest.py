"""One thread: several wait for each other at every small operation, for long where it is busy."""

from collections.abc import Iterator

import pytest

from quadmix_assets.device import torch_threads


@pytest.fixture(autouse=True, scope="session")
def one_thread() -> Iterator[None]:
    with torch_threads(1):
        yield
