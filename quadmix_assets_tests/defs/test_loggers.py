import logging
import re
from collections.abc import Iterator

import dagster as dg
import pytest

from quadmix_assets.defs.loggers import progress_logger


@dg.asset
def good(context: dg.AssetExecutionContext) -> None:
    context.log.info("half of it is done")
    context.log.debug("a detail")


@dg.asset
def talkative() -> None:
    logger = logging.getLogger("quadmix_assets.proxies.proxy_pool")
    logger.info("%d of %d shards", 1, 3)
    logger.debug("a detail")


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


def run(*assets: dg.AssetsDefinition) -> bool:
    definitions = dg.Definitions(assets=assets, loggers={"console": progress_logger})
    job = definitions.resolve_implicit_global_asset_job_def()
    python_logs = {"managed_python_loggers": ["quadmix_assets"], "python_log_level": "INFO"}
    with dg.instance_for_test(overrides={"python_logs": python_logs}) as instance:
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


def test_what_the_package_logs_is_one_line_a_message_too(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run(talkative)
    (line,) = capsys.readouterr().err.splitlines()
    assert line[10:].split(maxsplit=1) == ["talkative", "1 of 3 shards"]


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
        ["checked", "failed: what follows must wait until the check passes"],
    ]
