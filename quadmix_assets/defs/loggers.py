"""The console log of a run: one line per message, without Dagster's own events."""

import logging
from typing import Any

import dagster as dg
from dagster._core.errors import DagsterAssetCheckFailedError
from dagster._core.events import StepFailureData, StepRetryData


class _OneLine(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        """The time, the step and the message that was logged, without the run's ids."""
        meta = getattr(record, "dagster_meta", {})
        step = meta.get("step_key") or meta.get("op_name") or ""
        text = _failure(meta) or meta.get("orig_message") or record.getMessage()
        return f"{self.formatTime(record, '%H:%M:%S')}  {step:<20}  {text}"


def _failure(meta: dict[str, Any]) -> str | None:
    """The message of a failed check or step: its text if the failure is expected, else a trace."""
    data = getattr(meta.get("dagster_event"), "event_specific_data", None)
    if isinstance(data, dg.AssetCheckEvaluation):
        return None if data.passed else f"check {data.check_name} failed: {data.description}"
    if isinstance(data, StepRetryData) and data.error:
        return f"failed and is tried again: {data.error.to_string()}"
    if not isinstance(data, StepFailureData):
        return None
    if data.user_failure_data and data.user_failure_data.description:
        return f"failed: {data.user_failure_data.description}"
    if data.error and data.error.cls_name == DagsterAssetCheckFailedError.__name__:
        return "failed: downstream assets wait until the check passes"
    return f"failed: {data.error.to_string() if data.error else 'for an unknown reason'}"


class _Progress(logging.Filter):
    def __init__(self, level: str) -> None:
        super().__init__()
        self._level = logging.getLevelNamesMapping()[level]

    def filter(self, record: logging.LogRecord) -> bool:
        """Keep messages of the code, failures and retries; drop Dagster's other events."""
        meta = getattr(record, "dagster_meta", {})
        if meta.get("dagster_event") is None:
            return record.levelno >= self._level
        return _failure(meta) is not None


@dg.logger(
    config_schema={"log_level": dg.Field(str, default_value="INFO")},
    description="One line per message: time, step, text.",
)
def progress_logger(context: dg.InitLoggerContext) -> logging.Logger:
    """The console logger of all runs."""
    logger = logging.getLogger("quadmix.progress")
    # Dagster logs failed checks and retries as DEBUG, so the level is applied by the filter.
    logger.setLevel(logging.DEBUG)
    logger.propagate = False
    handler = logging.StreamHandler()
    handler.setFormatter(_OneLine())
    handler.addFilter(_Progress(str(context.logger_config["log_level"])))
    ours = [other for other in logger.handlers if isinstance(other.formatter, _OneLine)]
    for other in ours:
        logger.removeHandler(other)
    logger.addHandler(handler)
    return logger


@dg.definitions
def loggers() -> dg.Definitions:
    """The console logger under the name that Dagster looks for."""
    return dg.Definitions(loggers={"console": progress_logger})
