"""Settings of where work is done: in processes of this machine, or on a Ray cluster."""

from typing import Annotated, Literal

from pydantic import Field

from quadmix_assets.ray_tasks import RayTasks
from quadmix_assets.settings.base import PositiveInt, Section

_GB = 1_000_000_000


class NeedsSettings(Section):
    """What a step or a task asks a Ray cluster for."""

    cpus: Annotated[float, Field(ge=0.0)] = Field(
        default=1.0, description="CPUs that are held meanwhile; parts of one are allowed"
    )
    gpus: Annotated[float, Field(ge=0.0)] = Field(
        default=0.0, description="GPUs that are held meanwhile; parts of one are allowed"
    )
    memory_gb: Annotated[float, Field(gt=0.0)] | None = Field(
        default=None,
        description="gigabytes of memory that are held meanwhile; null: memory does not count",
    )

    @property
    def memory_bytes(self) -> int | None:
        """The memory in bytes."""
        return None if self.memory_gb is None else round(self.memory_gb * _GB)


def _coordinator() -> NeedsSettings:
    # It waits for its tasks most of the time. If it held a whole CPU, steps could take all that
    # their own tasks wait for.
    return NeedsSettings(cpus=0.0)


class RaySettings(Section):
    """The Ray cluster of `execution.engine: ray`."""

    jobs_address: str | None = Field(
        default=None,
        description="address of the cluster's Jobs API, such as `http://ray-head:8265`, which "
        "steps are submitted to; null: what the environment variables RAY_API_SERVER_ADDRESS or "
        "RAY_ADDRESS name, or that of the instance's run launcher",
    )
    env_vars: tuple[str, ...] = Field(
        default=(),
        description="names of environment variables of a run's process that its steps and tasks "
        "get too, besides PATH, PYTHONPATH, DAGSTER_HOME and those of the package, such as "
        "AWS_ENDPOINT_URL. Ray shows their values to whoever sees the cluster: give secrets to "
        "its nodes in place of naming them here",
    )
    steps: NeedsSettings = Field(
        default=NeedsSettings(), description="what a step asks for that none of the others names"
    )
    scoring: NeedsSettings = Field(
        default=NeedsSettings(),
        description="what a step asks for that scores or labels shards; with `windows_per_task` "
        "set, large shards are scored by their tasks, and 0 CPUs are enough",
    )
    training: NeedsSettings = Field(
        default_factory=_coordinator,
        description="what a step asks for that trains proxies; each of its stacks is a task, which "
        "asks for what `stacks` says",
    )
    language_models: NeedsSettings = Field(
        default=NeedsSettings(),
        description="what a step asks for that trains or evaluates a mix's language model",
    )
    stacks: NeedsSettings = Field(
        default=NeedsSettings(),
        description="what a task asks for that trains a stack of proxies; as many CPUs as "
        "proxies.n_threads",
    )
    windows: NeedsSettings = Field(
        default=NeedsSettings(), description="what a task asks for that scores a part of a shard"
    )
    windows_per_task: PositiveInt | None = Field(
        default=None,
        description="windows (blocks of 2,048 documents) of a shard that one task scores or "
        "labels, where a shard is too large for one node; null: every shard is scored by its step",
    )
    retries: Annotated[int, Field(ge=0)] = Field(
        default=3, description="how often a task is repeated whose worker or node was lost"
    )


class ExecutionSettings(Section):
    """Where work is done."""

    engine: Literal["processes", "ray"] = Field(
        default="processes",
        description="processes: the steps of a run are processes of the machine that the run is "
        "on, and train with `proxies.n_workers` more; ray: they are jobs and tasks of a Ray "
        "cluster (extra `ray`). Outputs are the same bytes",
    )
    ray: RaySettings = Field(default_factory=RaySettings, description="the Ray cluster")

    @property
    def stack_tasks(self) -> RayTasks | None:
        """How stacks of proxies become tasks; None: they are trained by processes."""
        return self._tasks(self.ray.stacks) if self.engine == "ray" else None

    @property
    def window_tasks(self) -> RayTasks | None:
        """How parts of a shard become tasks; None: its step scores all of it."""
        spread = self.engine == "ray" and self.ray.windows_per_task is not None
        return self._tasks(self.ray.windows) if spread else None

    def _tasks(self, needs: NeedsSettings) -> RayTasks:
        return RayTasks(
            needs.cpus, needs.gpus, needs.memory_bytes, self.ray.retries, self.ray.env_vars
        )
