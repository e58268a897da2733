"""The services of deploy/compose.yaml as hosts of their own, without a container engine.

A service is a network namespace with an address and names, joined to the others by a bridge. Its
command, read from the file, is the first process of a PID namespace that has the folders of the
image and a /tmp, /dev/shm and home of its own. Postgres is Debian's, and MinIO is moto's server.

By hand, for a folder with a `quadmix.yaml` whose lake and input are on s3://quadmix:

    python -m quadmix_assets_tests.cluster.hosts FOLDER

Then each line of standard input does something: `cut ray-worker-1` is a power cut, `add
ray-worker-3` a new host, `put FILE KEY` an upload into the bucket. Its end removes all hosts.

Linux, root, iproute2 and Postgres are needed; `reason_to_skip` says what is missing.
"""

import argparse
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import yaml

from quadmix_assets_tests.cluster.postgres import binaries, execute
from quadmix_assets_tests.processes import say, until

DEPLOY = Path(__file__).parents[2] / "deploy"
_BRIDGE, _PREFIX, _SUBNET = "qmbr", "qm-", "10.97.0"
_VENV = Path(sys.prefix)
_START_SECONDS = 180.0
_OPEN = ("postgres", 5432), ("minio", 9000)


def reason_to_skip() -> str | None:
    """Why hosts cannot be made here; None if they can."""
    if sys.platform != "linux" or os.geteuid() != 0:
        return "hosts of their own are made by root on Linux alone"
    missing = [name for name in ("ip", "unshare", "nsenter") if shutil.which(name) is None]
    if missing:
        return f"not installed: {', '.join(missing)} (Debian: iproute2, util-linux)"
    if binaries() is None:
        return "Postgres is not installed (Debian: apt-get install postgresql)"
    links = "ip link add one type bridge && ip link add two type veth peer name three"
    tried = subprocess.run(
        ["unshare", "--net", "--pid", "--fork", "sh", "-c", links], capture_output=True
    )
    return None if tried.returncode == 0 else f"no namespaces: {tried.stderr.decode().strip()}"


class Host:
    """A running service.

    Attributes:
        name: of the host; a service with several replicas has a number behind it.
        address: in the network of the hosts, which this process is in too.
        log: the file of what its command prints.
    """

    def __init__(self, name: str, address: str, folder: Path) -> None:
        self.name, self.address = name, address
        self.folder = folder / name
        self.folder.mkdir(parents=True)
        self.log = self.folder / "log"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def namespace(self) -> str:
        return _PREFIX + self.name

    @property
    def _link(self) -> str:
        # Interfaces have short names.
        return f"qm{self.address.rpartition('.')[2]}"

    def connect(self, names: Mapping[str, str]) -> None:
        """Give it an address, and tell it the names of the others."""
        outer = self._link
        etc = Path("/etc/netns") / self.namespace
        etc.mkdir(parents=True, exist_ok=True)
        known = [f"{address} {name}" for name, address in names.items()]
        (etc / "hosts").write_text("\n".join(["127.0.0.1 localhost", *known]) + "\n")
        # Nobody answers there, at once: a server that cannot be reached is waited for.
        (etc / "resolv.conf").write_text("nameserver 127.0.0.1\n")
        for command in (
            f"netns add {self.namespace}",
            f"link add {outer} type veth peer name eth0 netns {self.namespace}",
            f"link set {outer} master {_BRIDGE} up",
            f"-n {self.namespace} address add {self.address}/24 dev eth0",
            f"-n {self.namespace} link set eth0 up",
            f"-n {self.namespace} link set lo up",
            f"-n {self.namespace} route add default via {_SUBNET}.1",
        ):
            _ip(command)

    def start(self, command: list[str], environment: Mapping[str, str], mounts: str) -> None:
        """Run a command, and run it again whenever it ends, as the file says."""
        again = f"while :; do {shlex.join(command)} || true; sleep 1; done"
        inner = f"set -e; hostname {self.name}; {mounts}\n{again}"
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                ["ip", "netns", "exec", self.namespace, "unshare", "--uts", "--ipc", "--pid",
                 "--fork", "--kill-child", "--mount", "--mount-proc", "sh", "-c", inner],
                env=dict(environment), stdout=log, stderr=log, stdin=subprocess.DEVNULL,
                start_new_session=True,
            )  # fmt: skip

    def cut_off(self) -> None:
        """End it as a power cut does: no process says goodbye, and no packet leaves it."""
        _ip(f"-n {self.namespace} link set eth0 down")
        self.stop()

    def stop(self) -> None:
        """Kill all of its processes."""
        if self._process is not None:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait()
            self._process = None

    def remove(self) -> None:
        """Kill all of its processes and take it out of the network."""
        self.stop()
        # With its namespace it would go some time later, and a new one of its name be refused.
        subprocess.run(["ip", "link", "delete", self._link], capture_output=True)
        subprocess.run(["ip", "netns", "delete", self.namespace], capture_output=True)
        shutil.rmtree(Path("/etc/netns") / self.namespace, ignore_errors=True)

    def words(self) -> str:
        """The end of what its command printed."""
        return f"{self.name}:\n{self.log.read_text()[-4000:]}" if self.log.exists() else self.name


class Hosts(dict[str, Host]):
    """All hosts by name."""

    def __init__(self, project: Path, folder: Path) -> None:
        super().__init__()
        self._project, self._folder = project, folder
        text = (DEPLOY / "compose.yaml").read_text()
        secrets = {"PROJECT": str(project), "POSTGRES_PASSWORD": "p", "MINIO_PASSWORD": "m"}
        plain = re.sub(r"\$\{(\w+)[^}]*\}", lambda found: secrets.get(found[1], ""), text)
        self._services: dict[str, Any] = yaml.safe_load(plain)["services"]

    def add(self, *names: str) -> None:
        """Connect further hosts; those that are there do not learn of them by name."""
        first = len(self) + 2
        for number, name in enumerate(names, first):
            self[name] = Host(name, f"{_SUBNET}.{number}", self._folder)
        known = {name: host.address for name, host in self.items()}
        for name in names:
            self[name].connect(known)

    def start(self, name: str) -> None:
        """Run what the service of that name, without a number, runs."""
        service = self._services[re.sub(r"-\d+$", "", name)]
        command = service.get("command") or image_command()
        shm_size = service.get("shm_size", "64mb")
        self.run(name, command, environment=service["environment"], shm_size=shm_size)

    def run(
        self,
        name: str,
        command: list[str],
        *,
        environment: Mapping[str, str] | None = None,
        shm_size: str = "64mb",
    ) -> None:
        """Run a command on a host with the image's folders and variables."""
        variables = image_environment() | dict(environment or {})
        self[name].start(command, variables, self._image(shm_size))

    def _image(self, shm_size: str) -> str:
        """Shell commands that give a process the folders of the image."""
        return f"""
            mount -t tmpfs -o size={shm_size.rstrip("b")} tmpfs /dev/shm
            mount -t tmpfs tmpfs /opt
            mkdir -p /opt/venv /opt/dagster /opt/project
            mount --bind {shlex.quote(str(_VENV))} /opt/venv
            cp {DEPLOY}/dagster.yaml {DEPLOY}/workspace.yaml /opt/dagster
            mount --bind {shlex.quote(str(self._project))} /opt/project
            mount -o remount,ro,bind /opt/project
            mount -t tmpfs tmpfs /tmp
            mount -t tmpfs tmpfs /home
            mkdir -p /home/quadmix
            cd /opt/project"""

    def start_postgres(self) -> None:
        """Debian's server with the database and the user of the file."""
        programs, host = binaries(), self["postgres"]
        assert programs is not None
        shutil.chown(host.folder, "postgres")
        data = host.folder / "data"
        (host.folder / "password").write_text("p")
        as_user = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"]
        subprocess.run(
            [*as_user, programs / "initdb", "--username=quadmix", "--auth=scram-sha-256",
             f"--pwfile={host.folder / 'password'}", "--no-sync", data],
            check=True, capture_output=True, cwd="/",
        )  # fmt: skip
        with (data / "pg_hba.conf").open("a") as file:
            file.write(f"host all all {_SUBNET}.0/24 scram-sha-256\n")
        options = [
            "-c", "listen_addresses=*", "-c", "fsync=off", "-c", "max_connections=300",
            "-c", "unix_socket_directories=", "-D", str(data),
        ]  # fmt: skip
        command = [*as_user, str(programs / "postgres"), *options]
        host.start(command, {"PATH": os.environ["PATH"], "LC_ALL": "C"}, "cd /")

    def remove(self) -> None:
        """Kill all processes, and take all hosts out of the network."""
        for host in self.values():
            host.remove()

    def words(self) -> str:
        """The ends of what all commands printed."""
        return "\n\n".join(host.words() for host in self.values())


def image_environment() -> dict[str, str]:
    """The variables that the image sets."""
    text = (DEPLOY / "Dockerfile").read_text().rpartition("\nFROM ")[2]
    block = re.search(r"^ENV (.*?[^\\])$", text, re.M | re.S)
    assert block is not None
    found = dict(re.findall(r"(\w+)=(\S+)", block[1]))
    project = {name: value.replace("/project", "/opt/project") for name, value in found.items()}
    path = f"/opt/venv/bin:{os.environ['PATH']}"
    return project | {"PATH": path, "HOME": "/home/quadmix", "LANG": "C.UTF-8"}


def image_command() -> list[str]:
    """What the image runs where the file names no command."""
    text = (DEPLOY / "Dockerfile").read_text()
    words: list[str] = yaml.safe_load(text.rpartition("\nCMD ")[2].replace("\\\n", " "))
    return words


@contextmanager
def network(hosts: Hosts) -> Iterator[Hosts]:
    """The network that hosts are added to, which this process is in as a host too."""
    with ExitStack() as stack:
        _ip(f"link add {_BRIDGE} type bridge")
        stack.callback(_ip, f"link delete {_BRIDGE}")
        _ip(f"address add {_SUBNET}.1/24 dev {_BRIDGE}")
        _ip(f"link set {_BRIDGE} up")
        stack.callback(hosts.remove)
        yield hosts


@contextmanager
def hosts_of(project: Path, folder: Path, *, workers: int = 2) -> Iterator[Hosts]:
    """All services of the file, running, for the profile `quadmix.yaml` in `project`."""
    with network(Hosts(project, folder)) as hosts:
        names = [f"ray-worker-{number}" for number in range(1, workers + 1)]
        hosts.add("postgres", "minio", "ray-head", "code", "daemon", "webserver", *names)
        hosts.start_postgres()
        hosts["minio"].start(
            [str(_VENV / "bin/python"), "-m", "moto.server", "-H", "0.0.0.0", "-p", "9000"],
            {"PATH": os.environ["PATH"], "HOME": "/root"},
            "mount -t tmpfs tmpfs /tmp",
        )
        for name, port in _OPEN:
            wait_for_port(hosts, name, port)
        make_storage(hosts)
        for name, port in (("ray-head", 8265), ("code", 4000)):
            hosts.start(name)
            wait_for_port(hosts, name, port)
        for name in (*names, "daemon", "webserver"):
            hosts.start(name)
        wait_for_port(hosts, "webserver", 3000)
        yield hosts


def make_storage(hosts: Hosts) -> None:
    """Make the database, and what the service `bucket` makes."""
    url = f"postgresql+psycopg2://quadmix:p@{hosts['postgres'].address}:5432/postgres"
    execute(url, "CREATE DATABASE quadmix")
    client(hosts).create_bucket(Bucket="quadmix")


def client(hosts: Hosts) -> Any:
    """A boto3 client of the hosts' object storage."""
    import boto3

    return boto3.client(
        "s3",
        endpoint_url=f"http://{hosts['minio'].address}:9000",
        aws_access_key_id="quadmix",
        aws_secret_access_key="m",
        region_name="us-east-1",
    )


def wait_for_port(hosts: Hosts, name: str, port: int) -> None:
    """Wait until a host takes connections."""

    def is_open() -> bool:
        try:
            socket.create_connection((hosts[name].address, port), timeout=1).close()
        except OSError:
            return False
        return True

    assert until(is_open, _START_SECONDS), hosts[name].words()


def _ip(command: str) -> None:
    subprocess.run(["ip", *command.split()], check=True, capture_output=True)


def main() -> None:
    """Run the hosts until standard input ends."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("project", type=Path, help="a folder with quadmix.yaml")
    parser.add_argument("--workers", type=int, default=2, help="Ray workers at the start")
    chosen = parser.parse_args()
    if (reason := reason_to_skip()) is not None:
        parser.error(reason)
    with (
        tempfile.TemporaryDirectory(prefix="quadmix-hosts-") as folder,
        hosts_of(chosen.project.resolve(), Path(folder), workers=chosen.workers) as hosts,
    ):
        say(f"http://{hosts['webserver'].address}:3000 (logs in {folder})")
        for line in sys.stdin:
            match line.split():
                case ["cut", name] if name in hosts:
                    hosts[name].cut_off()
                case ["add", name] if name not in hosts:
                    hosts.add(name)
                    hosts.start(name)
                case ["put", file, key]:
                    client(hosts).upload_file(file, "quadmix", key)
                case _:
                    say("cut HOST | add HOST | put FILE KEY")
                    continue
            say(f"done: {line.strip()}")


if __name__ == "__main__":
    main()
