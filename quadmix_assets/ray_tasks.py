"""Calls of a function as tasks of a Ray cluster, which are repeated where a node or worker is lost.

Ray is imported by the first call, so that nobody else needs it.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

Result = TypeVar("Result")

# Ray hands the environment of a job that was submitted to it on to the job's tasks by itself.
_OF_A_JOB = "RAY_JOB_CONFIG_JSON_ENV_VAR"
# What every process of the package needs: programs, modules, and which settings.
_ALWAYS = ("PATH", "PYTHONPATH")
_PREFIX = "QUADMIX_"


@dataclass(frozen=True)
class RayTasks:
    """What each task asks the cluster for; it can be pickled.

    Attributes:
        cpus, gpus: that it holds while it runs; parts of one are allowed.
        memory_bytes: that its node must have free; None does not ask.
        retries: how often a task is repeated whose worker or node was lost.
        env_vars: names of environment variables that tasks need besides those of the package.
    """

    cpus: float = 1.0
    gpus: float = 0.0
    memory_bytes: int | None = None
    retries: int = 3
    env_vars: tuple[str, ...] = ()

    def run(
        self,
        function: Callable[..., Result],
        calls: Sequence[Sequence[Any]],
        *,
        on_wait: Callable[[], None] = lambda: None,
        poll_seconds: float = 1.0,
    ) -> Iterator[tuple[int, Result]]:
        """Call `function` once for each of the arguments, wherever the cluster has room.

        Yields the number of a call and its result as they are ready, in no fixed order. What has
        not ended when the iterator is closed, or when this process ends, is ended.

        Args:
            function: of a module that all nodes have.
            calls: the arguments of each call.
            on_wait: called at least every `poll_seconds`.
            poll_seconds: of waiting at a time.

        Raises:
            RuntimeError: there is no cluster, or a worker was lost more often than `retries`.
            Exception: what a call has raised; the others are ended.
        """
        ray = connect(self.env_vars)
        remote = ray.remote(
            num_cpus=self.cpus,
            num_gpus=self.gpus,
            memory=self.memory_bytes,
            max_retries=self.retries,
            scheduling_strategy="SPREAD",
        )(function)
        numbers = {remote.remote(*arguments): number for number, arguments in enumerate(calls)}
        pending = list(numbers)
        try:
            while pending:
                done, pending = ray.wait(pending, num_returns=1, timeout=poll_seconds)
                on_wait()
                for task in done:
                    yield numbers[task], _result(ray, task, self.retries)
        finally:
            for task in pending:
                ray.cancel(task, force=True)


def connect(env_vars: Sequence[str] = ()) -> Any:
    """The module `ray`, connected to the cluster that this process is part of, or RAY_ADDRESS.

    Raises:
        RuntimeError: Ray is not installed, or there is no cluster.
    """
    try:
        import ray
    except ImportError:
        raise RuntimeError(
            "execution.engine is ray, and Ray is not installed: pip install 'quadmix-assets[ray]'"
        ) from None
    if not ray.is_initialized():
        own = None if _OF_A_JOB in os.environ else {"env_vars": environment(env_vars)}
        address = os.environ.get("RAY_ADDRESS", "auto")
        try:
            ray.init(address, runtime_env=own, configure_logging=False)
        except ConnectionError as error:
            raise RuntimeError(
                "execution.engine is ray, and this machine is no node of a Ray cluster: start one "
                "(`ray start`), or name one in the environment variable RAY_ADDRESS, such as "
                "ray://<head>:10001"
            ) from error
    return ray


def environment(names: Sequence[str]) -> dict[str, str]:
    """The environment variables of this process that others of the package need, and `names`."""
    wanted = {*_ALWAYS, *names}
    return {
        name: value
        for name, value in sorted(os.environ.items())
        if name in wanted or name.startswith(_PREFIX)
    }


def shared(value: object, env_vars: Sequence[str] = ()) -> Any:
    """A reference that stands for a large argument of many calls; it is sent to a node once."""
    return connect(env_vars).put(value)


def _result(ray: Any, task: Any, retries: int) -> Any:
    try:
        return ray.get(task)
    except ray.exceptions.RayTaskError as error:
        raise error.cause from error
    except (ray.exceptions.WorkerCrashedError, ray.exceptions.NodeDiedError) as error:
        raise RuntimeError(_lost(retries)) from error
    except ray.exceptions.OutOfMemoryError as error:
        raise RuntimeError(
            f"{_lost(retries)} Their nodes were short of memory: let tasks ask for more "
            "(execution.ray, `memory_gb`)"
        ) from error


def _lost(retries: int) -> str:
    return (
        f"a task of the Ray cluster was lost {retries + 1} times, with its worker or node. What it "
        "had checkpointed stays, and the next try goes on from there."
    )
