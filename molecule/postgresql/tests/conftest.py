"""The role as an operator runs it on the three hosts, and the clusters of each host."""

from __future__ import annotations

import os
import shlex
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import testinfra
from runs import Run, run
from testinfra.host import Host
from testinfra.utils.ansible_runner import AnsibleRunner

PLAYBOOK = Path(__file__).resolve().parents[1] / "converge.yml"
RUNNER = AnsibleRunner(os.environ["MOLECULE_INVENTORY_FILE"])
HOSTS = sorted(name for name in RUNNER.get_hosts("all") if name.startswith("pooling-postgresql-"))
# what each Debian installs
VERSIONS = {"bookworm": "15", "trixie": "17", "forky": "18"}
VARIABLES: dict[str, Any] = RUNNER.get_variables(HOSTS[0])
PASSWORD: str = VARIABLES["postgresql_users"]["web"]["password"]
LIMIT: int = VARIABLES["postgresql_users"]["web"]["connection_limit"]
# Two more clusters of each host, made by the tests: one as an operator might have it, and its standby.
OWN_PORT, SECOND_PORT, STANDBY_PORT = 5432, 5433, 5434


def play(*arguments: str, **variables: Any) -> Run:
    """Run the role on all hosts."""
    return run(PLAYBOOK, *arguments, **variables)


def docker(name: str) -> Host:
    """A host of the scenario."""
    return testinfra.get_host(f"docker://{name}")


def ran(host: Host, text: str) -> str:
    """Run a shell command that has to work; returns its output."""
    result = host.run(text)
    assert result.rc == 0, f"{text}\n{result.stdout}{result.stderr}"
    return str(result.stdout).strip()


def version_of(name: str) -> str:
    """Major version of PostgreSQL on a host."""
    return VERSIONS[name.rsplit("-", 1)[1]]


def sql(host: Host, statement: str, database: str = "postgres", port: int = OWN_PORT) -> str:
    """Run a statement as the server's superuser."""
    return ran(
        host,
        f"cd / && runuser -u postgres -- psql -XAtq -p {port} -d {shlex.quote(database)} -c {shlex.quote(statement)}",
    )


def login(
    host: Host, user: str, password: str, statement: str, database: str = "shop", port: int = OWN_PORT
) -> Any:
    """Run a statement as a role that logs in over TCP; returns testinfra's result."""
    psql = (
        f"psql -XAtq -h 127.0.0.1 -p {port} -U {user} -d {shlex.quote(database)} -c {shlex.quote(statement)}"
    )
    return host.run(f"PGPASSWORD={shlex.quote(password)} {psql}")


def until(condition: Callable[[], bool], seconds: float = 15) -> bool:
    """Whether the condition came to hold in time."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.2)
    return True


def state(host: Host) -> str:
    """What a run could change on a host: files with their times, clusters with their processes, roles and databases."""
    files = ran(
        host,
        "find /etc/postgresql /var/lib/djangoops-pooling -type f -printf '%p %T@ %m ' -exec sha256sum {} ';'",
    )
    units = ran(host, "systemctl show -p Id,MainPID,NRestarts,ActiveState 'postgresql@*'")
    roles = sql(host, "SELECT rolname, rolpassword, rolconnlimit FROM pg_authid ORDER BY 1")
    databases = sql(host, "SELECT datname, datdba, datacl FROM pg_database ORDER BY 1")
    loaded = sql(host, "SELECT pg_conf_load_time()")
    return "\n".join([*sorted(files.splitlines()), units, roles, databases, loaded])


@pytest.fixture(params=HOSTS, ids=lambda name: str(name).rsplit("-", 1)[1])
def name(request: pytest.FixtureRequest) -> str:
    """Name of a host, one after another."""
    return str(request.param)


@pytest.fixture
def host(name: str) -> Host:
    """A host, one after another."""
    return docker(name)


class Sessions:
    """Clients that are logged in and stay so, each running one statement."""

    def __init__(self) -> None:
        self.processes: list[subprocess.Popen[str]] = []

    def open(
        self, name: str, user: str, password: str, database: str, port: int = OWN_PORT
    ) -> subprocess.Popen[str]:
        """Log in; a line that is written to the client is run."""
        psql = f"psql -XAtq -h 127.0.0.1 -p {port} -U {user} -d {database}"
        process = subprocess.Popen(
            ["docker", "exec", "-i", "-e", f"PGPASSWORD={password}", name, *shlex.split(psql)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.processes.append(process)
        assert self.alive(process)
        return process

    @staticmethod
    def alive(process: subprocess.Popen[str]) -> bool:
        """Whether the session still answers."""
        assert process.stdin and process.stdout
        try:
            process.stdin.write("SELECT 'alive';\n")
            process.stdin.flush()
        except BrokenPipeError:
            return False
        return process.stdout.readline().strip() == "alive"

    def close(self) -> None:
        """End all of them."""
        for process in self.processes:
            process.kill()
            process.wait()
        self.processes.clear()


@pytest.fixture
def sessions() -> Any:
    """Clients of a test, ended with it."""
    opened = Sessions()
    yield opened
    opened.close()
