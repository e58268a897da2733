"""How the steps of a run are started where a Ray cluster is the engine: each as one of its jobs."""

import os
from collections.abc import Iterator, Mapping
from typing import Any

import dagster as dg
from dagster._core.events import DagsterEvent, StepRetryData
from dagster._core.execution.context.system import IStepContext, PlanOrchestrationContext
from dagster._core.execution.plan.plan import ExecutionPlan
from dagster._core.execution.plan.state import KnownExecutionState
from dagster._core.execution.retries import RetryMode
from dagster._core.executor.step_delegating import (
    CheckStepHealthResult,
    StepDelegatingExecutor,
    StepHandler,
    StepHandlerContext,
)
from dagster._utils.error import SerializableErrorInfo

from quadmix_assets.defs.needs import TAG
from quadmix_assets.defs.resources import SETTINGS
from quadmix_assets.healing import hold_run
from quadmix_assets.ray_tasks import environment
from quadmix_assets.settings import SettingsError
from quadmix_assets.settings.execution import RaySettings

_LOOK_SECONDS = 10
_JOBS_ADDRESS = "RAY_API_SERVER_ADDRESS"
# How Dagster's executor says that a step's job has ended without the step's last word.
_LOST = "failed health check"


@dg.executor(name="steps_on_ray", requirements=dg.multiple_process_executor_requirements())
def steps_on_ray(context: dg.InitExecutorContext) -> dg.Executor:
    """The executor of all jobs with `execution.engine: ray`: one job of the cluster per step."""
    ray = SETTINGS.execution.ray
    return _StepsOnRay(
        _Steps(_client(context.instance, ray), ray),
        retries=RetryMode.ENABLED,
        check_step_health_interval_seconds=_LOOK_SECONDS,
        should_verify_step=True,
    )


class _StepsOnRay(StepDelegatingExecutor):
    def execute(
        self, plan_context: PlanOrchestrationContext, execution_plan: ExecutionPlan
    ) -> Iterator[DagsterEvent]:
        """Execute the steps; this process holds the lock of the run, if the run is its own."""
        hold_run(plan_context.instance, plan_context.run_id)
        yield from super().execute(plan_context, execution_plan)

    def log_failure_or_retry_event_after_error(
        self,
        step_context: IStepContext,
        err_info: SerializableErrorInfo,
        known_state: KnownExecutionState,
    ) -> DagsterEvent:
        """Repeat a step whose node or process was lost, whatever its own policy says of errors."""
        attempts = known_state.get_retry_state().get_attempt_count(step_context.step.key)
        if _LOST in err_info.message and attempts < SETTINGS.execution.ray.retries:
            return DagsterEvent.step_retry_event(step_context, StepRetryData(error=err_info))
        return super().log_failure_or_retry_event_after_error(step_context, err_info, known_state)


class _Steps(StepHandler):
    """Hands steps to dagster-ray's handler; those without tags ask for what the settings say.

    dagster-ray takes needs that its handler has before those of a step's tags.
    """

    def __init__(self, client: Any, ray: RaySettings) -> None:
        from dagster_ray.core.executor import RayStepHandler

        super().__init__()
        self._client = client
        variables = environment(("DAGSTER_HOME", *ray.env_vars))
        shared: Mapping[str, Any] = {
            "client": client,
            "env_vars": [f"{name}={value}" for name, value in variables.items()],
            "runtime_env": None,
            "resources": None,
        }
        self._tagged = RayStepHandler(**shared, num_cpus=None, num_gpus=None, memory=None)
        self._others = RayStepHandler(
            **shared,
            num_cpus=ray.steps.cpus,
            num_gpus=ray.steps.gpus,
            memory=ray.steps.memory_bytes,
        )

    @property
    def name(self) -> str:
        return "steps_on_ray"

    def launch_step(self, step_handler_context: StepHandlerContext) -> Iterator[DagsterEvent]:
        """Submit the step as a job."""
        (tags,) = step_handler_context.step_tags.values()
        handler = self._tagged if TAG in tags else self._others
        self._forget(handler._get_ray_job_submission_id(step_handler_context))
        yield from handler.launch_step(step_handler_context)

    def check_step_health(self, step_handler_context: StepHandlerContext) -> CheckStepHealthResult:
        """Whether the step's job has neither failed nor been stopped by somebody else."""
        name = self._others._get_ray_job_submission_id(step_handler_context)
        found: CheckStepHealthResult = self._others.check_step_health(step_handler_context)
        if found.is_healthy and self._client.get_job_status(name).value == "STOPPED":
            return CheckStepHealthResult.unhealthy(reason=f"Ray job {name} was stopped.")
        return found

    def terminate_step(self, step_handler_context: StepHandlerContext) -> Iterator[DagsterEvent]:
        """Stop the step's job."""
        yield from self._others.terminate_step(step_handler_context)

    def _forget(self, name: str) -> None:
        """Remove the job of that name that has ended, because Ray takes every name once.

        It is there where a run was resumed whose process was lost with that of the step.
        """
        try:
            ended = self._client.get_job_status(name).is_terminal()
        except RuntimeError:
            return
        if ended:
            self._client.delete_job(name)


def _client(instance: dg.DagsterInstance, ray: RaySettings) -> Any:
    """A client of the cluster's Jobs API: the run launcher's, where that is dagster-ray's.

    Raises:
        SettingsError: what that takes is not installed.
    """
    try:
        from dagster_ray import RayRunLauncher
        from ray.job_submission import JobSubmissionClient
    except ImportError as error:
        raise SettingsError(
            f"execution.engine is ray, and {error.name} is not installed: "
            "pip install 'quadmix-assets[ray]'"
        ) from None
    if ray.jobs_address is not None:
        # Ray takes what its own variables name before an address that it is given.
        os.environ[_JOBS_ADDRESS] = ray.jobs_address
    elif isinstance(instance.run_launcher, RayRunLauncher):
        return instance.run_launcher.client
    return JobSubmissionClient(ray.jobs_address)
