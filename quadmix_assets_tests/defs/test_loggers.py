import logging
import re
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

from quadmix_assets.defs.loggers import progress_logger

# What the package's dagster.yaml says of Python's own loggers.
CAPTURED = {"managed_python_loggers": ["quadmix_assets"], "python_log_level": "INFO"}


@dg.asset
def good(context: dg.AssetExecutionContext) -> None:
    context.log.info("half of it is done")
    context.log.debug("a detail")


@dg.asset(deps=[good])
def unlucky(context: dg.AssetExecutionContext) -> None:
    raise dg.Failure("2 of 3 partitions failed", allow_retries=False)


@dg.asset(deps=[good])
def wrong(context: dg.AssetExecutionContext) -> None:
    raise RuntimeError("a mistake in the code")


@dg.asset(deps=[good], retry_policy=dg.RetryPolicy(max_retries=1))
def flaky(context: dg.AssetExecutionContext) -> None:
    if context.retry_number == 0:
        raise RuntimeError("lost a worker")


@dg.asset(
    check_specs=[
        dg.AssetCheckSpec("ok", asset="checked"),
        dg.AssetCheckSpec("bad", asset="checked", blocking=True),
    ]
)
def checked() -> Iterator[dg.AssetCheckResult | dg.MaterializeResult]:
    yield dg.AssetCheckResult(check_name="ok", passed=True, description="all is well")
    yield dg.AssetCheckResult(check_name="bad", passed=False, description="an id occurs twice")
    yield dg.MaterializeResult()


@dg.asset
def pure() -> None:
    """Calls a pure part, which logs as any module does."""
    log = logging.getLogger("quadmix_assets.features.scores")
    log.info("%d of %d documents are scored", 1, 2)
    log.debug("a detail")
    logging.getLogger("another_library").warning("not ours")


def in_step_processes() -> dg.JobDefinition:
    """The assets as a job whose steps are processes, as runs of the UI are."""
    definitions = dg.Definitions(
        assets=[pure],
        jobs=[dg.define_asset_job("pure_job")],
        loggers={"console": progress_logger},
        executor=dg.multiprocess_executor,
    )
    return definitions.resolve_job_def("pure_job")


def run(*assets: dg.AssetsDefinition, settings: dict[str, object] | None = None) -> bool:
    definitions = dg.Definitions(assets=assets, loggers={"console": progress_logger})
    job = definitions.resolve_implicit_global_asset_job_def()
    with dg.DagsterInstance.ephemeral(settings=settings) as instance:
        return job.execute_in_process(
            instance=instance,
            run_config={"loggers": {"console": {"config": {}}}},
            raise_on_error=False,
        ).success


def test_one_line_a_message_with_time_step_and_text(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(good)
    assert run(good)
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 2, "one line a run, and none of Dagster's own"
    for line in lines:
        assert re.fullmatch(r"\d\d:\d\d:\d\d  good {17} half of it is done", line)


def test_expected_failure_is_its_message_alone(capsys: pytest.CaptureFixture[str]) -> None:
    assert not run(good, unlucky)
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 2
    assert lines[1][10:].split(maxsplit=1) == ["unlucky", "failed: 2 of 3 partitions failed"]


def test_mistake_shows_its_trace(capsys: pytest.CaptureFixture[str]) -> None:
    assert not run(good, wrong)
    text = capsys.readouterr().err
    assert "RuntimeError: a mistake in the code" in text
    assert "test_loggers.py" in text
    assert text.count("a mistake in the code") < 4


def test_retry_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(good, flaky)
    text = capsys.readouterr().err
    assert "failed and is tried again" in text
    assert "lost a worker" in text


def test_failed_check_says_what_it_found(capsys: pytest.CaptureFixture[str]) -> None:
    assert not run(checked)
    lines = [line[10:].split(maxsplit=1) for line in capsys.readouterr().err.splitlines()]
    assert lines == [
        ["checked", "check bad failed: an id occurs twice"],
        ["checked", "failed: downstream assets wait until the check passes"],
    ]


def test_logs_of_the_package_are_printed_once_with_their_step(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run(pure, settings={"python_logs": CAPTURED})
    ours = [line for line in capsys.readouterr().err.splitlines() if "not ours" not in line]
    (line,) = ours
    assert re.fullmatch(r"\d\d:\d\d:\d\d  pure {17} 1 of 2 documents are scored", line)


@pytest.mark.slow
def test_logs_of_a_step_process_are_printed_once(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    overrides = {"python_logs": CAPTURED}
    with dg.DagsterInstance.local_temp(str(tmp_path), overrides=overrides) as instance:
        result = dg.execute_job(
            dg.reconstructable(in_step_processes),
            instance=instance,
            run_config={"loggers": {"console": {"config": {}}}},
        )
        assert result.success
    lines = [line for line in capfd.readouterr().err.splitlines() if "documents are" in line]
    (line,) = lines
    assert re.fullmatch(r"\d\d:\d\d:\d\d  pure {17} 1 of 2 documents are scored", line)
