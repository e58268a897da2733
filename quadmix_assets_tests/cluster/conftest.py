"""The services that a cluster is made of, as processes of this machine."""

from collections.abc import Iterator

import pytest

from quadmix_assets_tests.cluster.postgres import fresh_database, postgres_server


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """The URL of a Postgres server, for as long as the tests run."""
    with postgres_server() as url:
        yield url


@pytest.fixture
def postgres_url(postgres: str) -> Iterator[str]:
    """The URL of an empty Postgres database that no other test uses."""
    with fresh_database(postgres) as url:
        yield url
