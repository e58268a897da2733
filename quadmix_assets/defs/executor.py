"""How the steps of a run are started: each in a process of its own, forked from a prepared one."""

import pkgutil
import time
from collections.abc import Iterator

import dagster as dg
from dagster._core.events import DagsterEvent
from dagster._core.execution.context.system import PlanOrchestrationContext
from dagster._core.execution.plan.instance_concurrency_context import InstanceConcurrencyContext
from dagster._core.execution.plan.plan import ExecutionPlan
from dagster._core.execution.retries import RetryMode
from dagster._core.executor import multiprocess
from dagster._core.executor.multiprocess import (
    MultiprocessExecutor,
    MultiprocessExecutorChildProcessCommand,
)

from quadmix_assets.healing import hold_run
from quadmix_assets.interrupts import end_when_interrupted
from quadmix_assets.settings.load import PACKAGE

# A fresh process would spend seconds on importing Dagster and this package, which is more than
# most steps need for their work. The prepared process imports these modules and runs nothing, so
# that it has no threads that a fork could break. It ends with the run's process, and the steps end
# with it, so that no step goes on beside its retry.
_PREPARED = [
    "quadmix_assets.definitions",
    *(f"quadmix_assets.defs.{found.name}" for found in pkgutil.iter_modules([PACKAGE / "defs"])),
    "quadmix_assets.dying_children",
]


_PAUSE_SECONDS = 0.1


class _PausingClaims(InstanceConcurrencyContext):
    def claim(self, concurrency_key: str, step_key: str, step_priority: int = 0) -> bool:
        """Whether the step has got a slot of its pool; takes its time to say no."""
        claimed = super().claim(concurrency_key, step_key, step_priority)
        if not claimed:
            time.sleep(_PAUSE_SECONDS)
        return claimed


class _EndingStep(MultiprocessExecutorChildProcessCommand):
    def execute(self) -> Iterator[DagsterEvent]:
        """Execute the step; interrupted, it ends its process, in whatever call it is."""
        end_when_interrupted()
        yield from super().execute()


# Dagster's executor asks without a pause, and uses a whole core for as long as it waits.
multiprocess.InstanceConcurrencyContext = _PausingClaims  # type: ignore[misc]
# Dagster's waits for a step in a call that hears no signal, for as long as it takes.
multiprocess.MultiprocessExecutorChildProcessCommand = _EndingStep  # type: ignore[misc]


class _StepsInProcesses(MultiprocessExecutor):
    def execute(
        self, plan_context: PlanOrchestrationContext, execution_plan: ExecutionPlan
    ) -> Iterator[DagsterEvent]:
        """Execute the steps; this process holds the lock of the run until it ends."""
        hold_run(plan_context.instance, plan_context.run_id)
        yield from super().execute(plan_context, execution_plan)


@dg.executor(
    name="steps_in_processes",
    config_schema={
        "max_concurrent": dg.Field(
            dg.Noneable(int),
            default_value=None,
            description="steps of a run at the same time; null: as many as there are cores",
        )
    },
    requirements=dg.multiple_process_executor_requirements(),
)
def steps_in_processes(context: dg.InitExecutorContext) -> dg.Executor:
    """The executor of all jobs: one process per step."""
    limit = context.executor_config["max_concurrent"]
    return _StepsInProcesses(
        retries=RetryMode.ENABLED,
        max_concurrent=limit if isinstance(limit, int) else None,
        start_method="forkserver",
        explicit_forkserver_preload=_PREPARED,
    )
