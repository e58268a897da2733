"""Tasks on two nodes, which lose workers."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from quadmix_assets.ray_tasks import RayTasks, environment
from quadmix_assets_tests.cluster.ray_nodes import ray_nodes


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    with ray_nodes(2) as found:
        yield found


def square(n: int) -> int:
    return n * n


def die_once(mark: Path) -> str:
    """Takes its process with it, as the system does that is out of memory, but for one time."""
    if not mark.exists():
        mark.touch()
        os._exit(9)
    return "lives"


def die(n: int) -> None:
    os._exit(9)


def refuse(n: int) -> None:
    raise ValueError(f"{n} is refused")


@pytest.mark.usefixtures("cluster")
class TestTasks:
    def test_every_call_gives_its_result(self) -> None:
        assert dict(RayTasks().run(square, [(n,) for n in range(5)])) == {
            n: n * n for n in range(5)
        }

    def test_a_lost_task_is_repeated(self, tmp_path: Path) -> None:
        calls = [(tmp_path / str(n),) for n in range(2)]
        assert dict(RayTasks().run(die_once, calls)) == {0: "lives", 1: "lives"}

    def test_what_is_lost_too_often_is_an_error_that_says_so(self) -> None:
        with pytest.raises(RuntimeError, match=r"lost 2 times.*checkpointed stays"):
            list(RayTasks(retries=1).run(die, [(1,)]))

    def test_an_error_of_a_call_is_that_error(self) -> None:
        with pytest.raises(ValueError, match="7 is refused"):
            list(RayTasks().run(refuse, [(7,)]))


def test_only_the_variables_of_the_package_and_those_named_go_with_a_task(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("QUADMIX_SEED", "3")
    monkeypatch.setenv("A_SECRET", "not to be seen")
    monkeypatch.setenv("AN_ENDPOINT", "http://there")
    monkeypatch.setenv("DAGSTER_POSTGRES_URL", "postgresql+psycopg2://me:secret@there/db")
    found = environment(["AN_ENDPOINT", "NOT_SET"])
    assert found["QUADMIX_SEED"] == "3"
    assert found["AN_ENDPOINT"] == "http://there"
    assert found["PATH"] == os.environ["PATH"]
    # Ray shows the variables of its jobs, and this one has a password.
    assert not {"A_SECRET", "NOT_SET", "DAGSTER_POSTGRES_URL"} & found.keys()
