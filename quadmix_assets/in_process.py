"""Executes a run in this process, such that it can be waited for, interrupted and found dead."""

import sys
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence

import dagster as dg
from dagster._core.definitions.job_base import InMemoryJob
from dagster._core.errors import raise_execution_interrupts
from dagster._core.events import DagsterEvent
from dagster._core.execution.api import ExecuteRunWithPlanIterable
from dagster._core.execution.context.system import PlanExecutionContext, PlanOrchestrationContext
from dagster._core.execution.context_creation_job import PlanExecutionContextManager
from dagster._core.execution.execute_in_process import core_execute_in_process, merge_run_tags
from dagster._core.execution.plan.execute_plan import inner_plan_execution_iterator
from dagster._core.execution.plan.instance_concurrency_context import InstanceConcurrencyContext
from dagster._core.execution.plan.plan import ExecutionPlan
from dagster._core.execution.retries import RetryMode
from dagster._core.executor.base import Executor

from quadmix_assets.healing import executor_of, heal, held_run

_LOOK_SECONDS = 0.25
_HEAL_SECONDS = 10.0
_SAY_SECONDS = 30.0


def execute_here(
    job: dg.JobDefinition,
    instance: dg.DagsterInstance,
    assets: Sequence[dg.AssetKey],
    *,
    partition: str | None,
    tags: Mapping[str, str],
) -> frozenset[dg.AssetKey]:
    """Materialise assets of a job in one run, in this process; return those that were not made.

    An asset counts as not made if its step, or that of one of its checks, failed or was skipped, or
    waited for one that failed.

    Dagster's own `execute_in_process` waits for a slot of a pool without a pause, a word or an ear
    for signals.

    Args:
        job: with all assets.
        instance: where the run is recorded.
        assets: those to be materialised.
        partition: the one to be materialised, if they have partitions and `tags` name no range.
        tags: of the run.
    """
    run_id = str(uuid.uuid4())
    chosen = job.as_ephemeral_job(
        resource_defs={}, input_values={}, asset_selection=assets
    ).with_executor_def(_in_this_process)
    run_config: dict[str, object] = {"loggers": {"console": {"config": {}}}}
    with held_run(instance, run_id):
        result = core_execute_in_process(
            run_config=run_config,
            job=InMemoryJob(chosen),
            instance=instance,
            output_capturing_enabled=False,
            raise_on_error=False,
            run_tags=merge_run_tags(job, partition, tags, assets, instance, run_config),
            run_id=run_id,
            asset_selection=frozenset(assets),
        )
    if result.success:
        return frozenset()
    steps = {
        event.step_key or ""
        for event in result.filter_events(lambda e: e.is_step_failure or e.is_step_skipped)
    }
    missed = {_asset_of(step, assets) for step in steps} - {None}
    # Of steps that wait for one that failed there is no event at all.
    ended = {event.step_key for event in result.filter_events(lambda e: e.is_step_success)}
    missed |= {key for key in assets if key.to_python_identifier() not in ended}
    return frozenset(key for key in assets if key in missed) or frozenset(assets)


def _asset_of(step: str, assets: Sequence[dg.AssetKey]) -> dg.AssetKey | None:
    """The asset that a step makes or checks: steps of checks are named `<asset>_<check>`."""
    names = {key.to_python_identifier(): key for key in assets}
    fitting = [name for name in names if step == name or step.startswith(f"{name}_")]
    return names[max(fitting, key=len)] if fitting else None


class _Claims(InstanceConcurrencyContext):
    """Waits for a slot of a pool: says for whom, and ends when the process is interrupted."""

    def claim(self, concurrency_key: str, step_key: str, step_priority: int = 0) -> bool:
        """Wait until the step has its slot."""
        start = time.monotonic()
        say_at, heal_at = start + 1.0, start + _HEAL_SECONDS
        while not super().claim(concurrency_key, step_key, step_priority):
            now = time.monotonic()
            if now >= heal_at:
                heal(self._instance, retry=False)
                heal_at = now + _HEAL_SECONDS
            if now >= say_at:
                holders = _in_words(self._instance, concurrency_key)
                sys.stderr.write(
                    f"{step_key} waits for a slot of the pool {concurrency_key!r}: {holders}\n"
                )
                say_at = now + _SAY_SECONDS
            with raise_execution_interrupts():
                time.sleep(_LOOK_SECONDS)
        return True


def _in_words(instance: dg.DagsterInstance, pool: str) -> str:
    """Who holds the slots of a pool."""
    info = instance.event_log_storage.get_concurrency_info(pool)
    holders = []
    for slot in info.claimed_slots:
        executor = executor_of(instance, slot.run_id)
        holders.append(f"{slot.step_key} of the run {slot.run_id}, {executor or 'somewhere else'}")
    others = f"; {len(info.pending_steps) - 1} more wait" if len(info.pending_steps) > 1 else ""
    return f"{info.slot_count} in all, held by {' and '.join(holders) or 'nobody any more'}{others}"


class _InThisProcess(Executor):
    """One step after the other, in this process."""

    @property
    def retries(self) -> RetryMode:
        """As the steps' own policies say."""
        return RetryMode.ENABLED

    def execute(
        self, plan_context: PlanOrchestrationContext, execution_plan: ExecutionPlan
    ) -> Iterator[DagsterEvent]:
        """Execute the steps; a run that is interrupted counts as cancelled."""
        manager = PlanExecutionContextManager(
            job=plan_context.job,
            retry_mode=plan_context.retry_mode,
            execution_plan=execution_plan,
            run_config=plan_context.run_config,
            dagster_run=plan_context.dagster_run,
            instance=plan_context.instance,
            raise_on_error=plan_context.raise_on_error,
            output_capture=plan_context.output_capture,
            step_dependency_config=self.step_dependency_config,
        )
        try:
            yield from ExecuteRunWithPlanIterable(
                execution_plan=execution_plan,
                iterator=_execute_steps,
                execution_context_manager=manager,
            )
        except (KeyboardInterrupt, dg.DagsterExecutionInterruptedError):
            plan_context.instance.report_run_canceling(
                plan_context.dagster_run, "interrupted by Ctrl-C or SIGTERM"
            )
            raise


def _execute_steps(
    job_context: PlanExecutionContext, execution_plan: ExecutionPlan
) -> Iterator[DagsterEvent]:
    with _Claims(job_context.instance, job_context.dagster_run) as claims:
        yield from inner_plan_execution_iterator(job_context, execution_plan, claims)


@dg.executor(name="in_this_process")
def _in_this_process(context: dg.InitExecutorContext) -> Executor:
    return _InThisProcess()
