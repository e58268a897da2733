"""The files of `deploy/`: that they load, agree with each other, and name what there is."""

import re
import shlex
import shutil
import subprocess
import tomllib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import click
import dagster as dg
import pytest
import yaml
from dagster._cli.api import grpc_command, grpc_health_check_command
from dagster._core.remote_origin import GrpcServerCodeLocationOrigin
from dagster._core.storage.noop_compute_log_manager import NoOpComputeLogManager
from dagster._core.workspace.load import location_origins_from_yaml_paths
from dagster._daemon.cli import run_command
from dagster_postgres import PostgresRunStorage
from dagster_ray import RayRunLauncher
from dagster_webserver.cli import dagster_webserver
from sqlalchemy import make_url

from quadmix_assets.settings.load import PACKAGE
from quadmix_assets_tests.conftest import instance_in

ROOT = PACKAGE.parent
DEPLOY = ROOT / "deploy"


def read(name: str) -> Any:
    return yaml.safe_load((DEPLOY / name).read_text())


def variables(value: Any) -> Iterator[str]:
    """The environment variables that a part of dagster.yaml names."""
    if isinstance(value, dict):
        if set(value) == {"env"}:
            yield value["env"]
        for part in value.values():
            yield from variables(part)
    elif isinstance(value, list):
        for part in value:
            yield from variables(part)


INSTANCE = read("dagster.yaml")
COMPOSE = read("compose.yaml")
SERVICES: dict[str, Any] = COMPOSE["services"]
OURS = {name: service for name, service in SERVICES.items() if "build" in service}
RAY = read("ray.values.yaml")
CHART = read("dagster.values.yaml")
DOCKERFILE = (DEPLOY / "Dockerfile").read_text()


def instructions() -> list[tuple[str, str]]:
    """The instructions of the Dockerfile with their arguments, as the builder joins their lines."""
    lines = [line for line in DOCKERFILE.splitlines() if not line.lstrip().startswith("#")]
    joined = "\n".join(lines).replace("\\\n", " ")
    found = [line.split(maxsplit=1) for line in joined.splitlines() if line.strip()]
    return [(name, arguments) for name, arguments in found]


def image_environment() -> dict[str, str]:
    last = [pair for pair in instructions() if pair[0] in ("FROM", "ENV")][-1]
    assert last[0] == "ENV", "the last stage sets it"
    return dict(word.split("=", 1) for word in shlex.split(last[1]))


def test_the_instance_loads_on_postgres(
    postgres_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = make_url(postgres_url)
    values = {
        "DAGSTER_PG_HOST": url.host,
        "DAGSTER_PG_USERNAME": url.username,
        "DAGSTER_PG_PASSWORD": url.password,
        "DAGSTER_PG_DB": url.database,
        "RAY_API_SERVER_ADDRESS": "http://ray-head:8265",
    }
    assert set(values) == set(variables(INSTANCE))
    for name, value in values.items():
        monkeypatch.setenv(name, str(value))
    changed = (DEPLOY / "dagster.yaml").read_text().replace("port: 5432", f"port: {url.port}")
    (tmp_path / "dagster.yaml").write_text(changed)
    with instance_in(tmp_path), dg.DagsterInstance.get() as instance:
        assert isinstance(instance.run_storage, PostgresRunStorage)
        assert instance.get_runs() == []
        launcher = instance.run_launcher
        assert isinstance(launcher, RayRunLauncher)
        assert launcher.address == "http://ray-head:8265"
        assert launcher.supports_resume_run
        assert instance.run_monitoring_max_resume_run_attempts == 3
        assert isinstance(instance.compute_log_manager, NoOpComputeLogManager)
        pools = instance.get_concurrency_config().pool_config
        assert pools.default_pool_limit == 1


def test_the_instance_differs_from_that_of_one_machine_where_it_has_to() -> None:
    local = yaml.safe_load((PACKAGE / "dagster.yaml").read_text())
    for section in ("telemetry", "nux", "run_retries", "retention", "python_logs"):
        assert INSTANCE[section] == local[section], section
    assert INSTANCE["concurrency"]["pools"] == local["concurrency"]["pools"]


def test_every_process_has_the_variables_of_the_instance() -> None:
    of_image = image_environment()
    assert of_image["DAGSTER_HOME"] == "/opt/dagster"
    passed = set(INSTANCE["run_launcher"]["config"]["ray"]["env_vars"])
    assert passed <= set(of_image), "what runs are handed is there"
    for name, service in OURS.items():
        assert set(variables(INSTANCE)) <= set(service["environment"]), name
    of_ray = {variable["name"] for variable in RAY["common"]["containerEnv"]}
    assert of_ray == set(variables(INSTANCE)) | (passed - {"PATH"})
    gpu = RAY["additionalWorkerGroups"]["gpu"]
    assert gpu["containerEnv"] == RAY["common"]["containerEnv"]


def test_the_chart_says_what_the_instance_says() -> None:
    launcher = CHART["runLauncher"]["config"]["customRunLauncher"]
    assert launcher == INSTANCE["run_launcher"]
    daemon = CHART["dagsterDaemon"]
    assert snake(daemon["runMonitoring"]) == INSTANCE["run_monitoring"]
    assert snake(daemon["runRetries"]) == INSTANCE["run_retries"]
    assert daemon["runCoordinator"]["type"] == INSTANCE["run_coordinator"]["class"]
    assert snake(CHART["retention"]) == {"enabled": True, **INSTANCE["retention"]}
    assert snake(CHART["pythonLogs"]) == INSTANCE["python_logs"]
    assert CHART["telemetry"] == INSTANCE["telemetry"]
    assert CHART["computeLogManager"]["type"] == INSTANCE["compute_logs"]["class"]
    for section, said in CHART["additionalInstanceConfig"].items():
        assert said == INSTANCE[section], section
    database, storage = CHART["postgresql"], INSTANCE["storage"]["postgres"]["postgres_db"]
    assert database["postgresqlScheme"] == storage["scheme"]
    of_ray = {entry["name"]: entry.get("value") for entry in RAY["common"]["containerEnv"]}
    assert database["postgresqlHost"] == of_ray["DAGSTER_PG_HOST"]
    assert database["postgresqlUsername"] == of_ray["DAGSTER_PG_USERNAME"]
    assert database["postgresqlDatabase"] == of_ray["DAGSTER_PG_DB"]
    assert CHART["global"]["dagsterHome"] == of_ray["DAGSTER_HOME"]
    (password,) = (entry for entry in RAY["common"]["containerEnv"] if "valueFrom" in entry)
    secret = password["valueFrom"]["secretKeyRef"]
    assert secret["name"] == CHART["global"]["postgresqlSecretName"]
    for name, value in ((e["name"], e["value"]) for e in CHART["dagsterDaemon"]["env"]):
        assert of_ray[name] == value, name


def snake(values: dict[str, Any]) -> dict[str, Any]:
    """The keys of a chart's values as dagster.yaml spells them."""
    return {
        re.sub("[A-Z]", lambda found: f"_{found[0].lower()}", key): (
            snake(value) if isinstance(value, dict) else value
        )
        for key, value in values.items()
    }


def test_ray_is_reached_where_it_serves() -> None:
    of_ray = {entry["name"]: entry.get("value") for entry in RAY["common"]["containerEnv"]}
    # KubeRay names the head's service like this.
    head = f"http://{RAY['fullnameOverride']}-head-svc:8265"
    assert of_ray["RAY_API_SERVER_ADDRESS"] == head
    assert OURS["code"]["environment"]["RAY_API_SERVER_ADDRESS"] == "http://ray-head:8265"
    assert "--address=ray-head:6379" in OURS["ray-worker"]["command"]


def test_webserver_and_daemon_find_the_code_server() -> None:
    path = DEPLOY / "workspace.yaml"
    (origin,) = location_origins_from_yaml_paths([str(path)])
    assert isinstance(origin, GrpcServerCodeLocationOrigin)
    assert origin.host in SERVICES
    (command,) = (json_words(a) for name, a in instructions() if name == "CMD")
    assert command[command.index("--port") + 1] == str(origin.port)
    assert f"{origin.port}" in OURS["code"]["healthcheck"]["test"]
    assert "command" not in OURS["code"], "it is what the image starts"


def json_words(arguments: str) -> list[str]:
    words: list[str] = yaml.safe_load(arguments)
    return words


COMMANDS: dict[tuple[str, ...], click.Command] = {
    ("dagster", "api", "grpc"): grpc_command,
    ("dagster", "api", "grpc-health-check"): grpc_health_check_command,
    ("dagster-daemon", "run"): run_command,
    ("dagster-webserver",): dagster_webserver,
}


def calls() -> Iterator[list[str]]:
    yield from (json_words(arguments) for name, arguments in instructions() if name == "CMD")
    for service in OURS.values():
        if "command" in service:
            yield service["command"]
        check = service.get("healthcheck", {}).get("test", [])
        if "dagster" in check:
            yield check[1:]


def test_the_programs_have_the_options_that_they_are_called_with() -> None:
    ray = pytest.importorskip("ray.scripts.scripts")
    known = {**COMMANDS, ("ray", "start"): ray.start}
    for call in calls():
        (name,) = (n for n in known if tuple(call[: len(n)]) == n)
        command = known[name]
        # The image has this file there.
        words = [word.replace("/opt/dagster", str(DEPLOY)) for word in call[len(name) :]]
        parsed = command.make_context(name[-1], words)
        assert parsed.params, call
    chart = CHART["dagster-user-deployments"]["deployments"][0]["dagsterApiGrpcArgs"]
    assert grpc_command.make_context("grpc", list(chart)).params["module_name"]
    started = set(ray.start.make_context("start", []).params)
    assert {name.replace("-", "_") for name in RAY["head"]["rayStartParams"]} <= started


def test_services_wait_for_what_there_is_and_can_be_asked() -> None:
    for name, service in SERVICES.items():
        for other, wait in service.get("depends_on", {}).items():
            assert other in SERVICES, name
            if wait["condition"] == "service_healthy":
                assert SERVICES[other]["healthcheck"]["test"][0] == "CMD"
        for volume in service.get("volumes", []):
            source = volume.split(":", 1)[0]
            assert source in COMPOSE["volumes"] or source.startswith("${PROJECT"), name
        for port in service.get("ports", []):
            assert port.startswith("127.0.0.1:"), "nothing asks for a password"
        assert name in OURS or ":" in service["image"], "images have versions"
    text = (DEPLOY / "compose.yaml").read_text()
    named = set(re.findall(r"(?<!\$)\$\{(\w+)", text))
    readme = (DEPLOY / "README.md").read_text()
    assert all(f"{variable}=" in readme for variable in named), named
    gpu = read("gpu.compose.yaml")["services"]["ray-gpu-worker"]["extends"]
    assert gpu["service"] in SERVICES
    assert (DEPLOY / gpu["file"]).is_file()


def test_no_secret_is_written_down() -> None:
    for name in ("compose.yaml", "ray.values.yaml", "dagster.values.yaml", "dagster.yaml"):
        for key, value in pairs(read(name)):
            if re.search("password|secret_access_key", str(key), re.IGNORECASE):
                assert isinstance(value, dict) or str(value).startswith("${"), (name, key)


def pairs(value: Any) -> Iterable[tuple[str, Any]]:
    if isinstance(value, dict):
        for key, part in value.items():
            if key not in ("generatePostgresqlPasswordSecret", "postgresqlSecretName"):
                yield key, part
            yield from pairs(part)
    elif isinstance(value, list):
        for part in value:
            yield from pairs(part)


def test_the_image_copies_what_there_is_and_runs_without_rights() -> None:
    allowed = [
        line.removeprefix("!")
        for line in (ROOT / ".dockerignore").read_text().splitlines()
        if line.startswith("!")
    ]
    for name, arguments in instructions():
        if name == "COPY" and "--from" not in arguments:
            *sources, _ = (word for word in arguments.split() if not word.startswith("--"))
            for source in sources:
                assert (ROOT / source).exists(), source
                assert source in allowed, f".dockerignore leaves {source} out"
    (user,) = (arguments for name, arguments in instructions() if name == "USER")
    assert user == "1000:1000", "a number, which Kubernetes can tell from root"
    assert not re.search("^FROM .*:latest", DOCKERFILE, re.MULTILINE)
    names = [name for name, _ in instructions()]
    assert names.index("USER") > max(n for n, name in enumerate(names) if name == "RUN")
    assert {name for name, _ in instructions()} <= {
        "ARG", "FROM", "ENV", "RUN", "WORKDIR", "COPY", "USER", "CMD"
    }  # fmt: skip


def test_shell_of_the_image_parses(tmp_path: Path) -> None:
    shell = shutil.which("dash") or "sh"
    for name, arguments in instructions():
        if name == "RUN":
            script = tmp_path / "run.sh"
            script.write_text(arguments)
            subprocess.run([shell, "-n", str(script)], check=True)


def test_steps_may_wait_for_room_as_long_as_a_backfill_takes() -> None:
    consts = pytest.importorskip("ray.dashboard.consts")
    seconds = int(image_environment()[consts.RAY_JOB_START_TIMEOUT_SECONDS_ENV_VAR])
    assert seconds >= 24 * 3_600 > consts.DEFAULT_JOB_START_TIMEOUT_SECONDS


def test_the_lock_holds_what_the_image_needs() -> None:
    lock = (ROOT / "requirements.lock").read_text()
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    needed = [
        requirement
        for extra in ("s3", "gcs", "azure", "postgres", "ray", "openvino")
        for requirement in extras["optional-dependencies"][extra]
    ]
    # The builder and what it needs: nothing is fetched that the lock does not name.
    builder = ["hatchling", "packaging", "pathspec", "pluggy", "trove-classifiers"]
    for requirement in [*needed, *builder]:
        (name,) = re.findall(r"^[\w-]+", requirement)
        assert re.search(rf"^{name}==", lock, re.MULTILINE), name
