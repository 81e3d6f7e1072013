"""The playbook on all hosts at once, and clients, console and processes of each."""

from __future__ import annotations

import contextlib
import csv
import dataclasses
import io
import json
import os
import shlex
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import testinfra
from runs import Run, run
from testinfra.host import Host
from testinfra.utils.ansible_runner import AnsibleRunner

PLAYBOOK = Path(__file__).parents[1] / "converge.yml"
RUNNER = AnsibleRunner(os.environ["MOLECULE_INVENTORY_FILE"])
HOSTS: list[str] = RUNNER.get_hosts("pooler")
VARIABLES: dict[str, Any] = RUNNER.get_variables(HOSTS[0])
PYTHON = "/opt/django/bin/python"


def play(*options: str, **variables: Any) -> Run:
    """Run the playbook; settings are laid over those of the inventory, other variables replace them."""
    if "pgbouncer_settings" in variables:
        variables["pgbouncer_settings"] = VARIABLES["pgbouncer_settings"] | variables["pgbouncer_settings"]
    return run(PLAYBOOK, *options, **variables)


@pytest.fixture(scope="session")
def playbook() -> Callable[..., Run]:
    """Run the playbook, which has to go well."""

    def start(*options: str, **variables: Any) -> Run:
        result = play(*options, **variables)
        assert result.code == 0, result.output
        return result

    return start


@dataclasses.dataclass(frozen=True)
class Pooler:
    """One host."""

    name: str
    host: Host

    def run(self, shell: str) -> str:
        """Output of a command that succeeds."""
        result = self.host.run(f"cd / && {shell}")
        assert result.rc == 0, f"{self.name}: {shell}: {result.stdout}{result.stderr}"
        return str(result.stdout).strip()

    def console(self, statement: str, directory: str = "/run/postgresql") -> list[dict[str, str]]:
        """Rows of an answer of PgBouncer's console."""
        psql = f"psql -Xh {directory} -p 6432 -U pgbouncer --csv -d pgbouncer -c {shlex.quote(statement)}"
        return list(csv.DictReader(io.StringIO(self.run(f"runuser -u postgres -- {psql}"))))

    def state(self) -> dict[str, Any]:
        """The running configuration and the files it was read from."""
        config = {row["key"]: row["value"] for row in self.console("SHOW CONFIG")}
        databases = [
            {key: row.get(key) for key in ("name", "host", "port", "database", "pool_size")}
            for row in self.console("SHOW DATABASES")
        ]
        files = "/etc/pgbouncer /etc/systemd/system/pgbouncer* /var/lib/djangoops-pooling"
        return {
            "config": config,
            "databases": databases,
            "users": sorted(row["name"] for row in self.console("SHOW USERS")),
            "files": self.run(f"find {files} -type f -exec sha256sum {{}} + || true"),
            "pid": self.pid(),
        }

    def pid(self, unit: str = "pgbouncer.service") -> int:
        """The process of a unit."""
        return int(self.run(f"systemctl show -p MainPID --value {unit}"))

    def sql(self, statement: str) -> str:
        """Run a statement as the server's superuser."""
        return self.run(f"runuser -u postgres -- psql -XAtqc {shlex.quote(statement)}")

    def login(self, user: str, password: str, dbname: str = "app") -> str:
        """Log in through PgBouncer; returns the error, empty when it worked."""
        psql = f"psql -XAtqh 127.0.0.1 -p 6432 -U {user} -d {dbname} -c 'SELECT 1'"
        result = self.host.run(f"PGPASSWORD={shlex.quote(password)} {psql}")
        return "" if result.rc == 0 else str(result.stderr)

    @property
    def version(self) -> tuple[int, int]:
        """The installed PgBouncer."""
        major, minor = self.run("/usr/sbin/pgbouncer --version").split()[1].split(".")[:2]
        return int(major), int(minor)


POOLERS = [Pooler(name, testinfra.get_host(f"docker://{name}")) for name in HOSTS]


@pytest.fixture(params=POOLERS, ids=HOSTS)
def pooler(request: pytest.FixtureRequest) -> Pooler:
    """Each host in turn."""
    result: Pooler = request.param
    return result


Counts = dict[str, dict[str, Any]]


@contextlib.contextmanager
def load(persistent: int = 3, short: int = 3) -> Iterator[Counts]:
    """Let clients run transactions on all hosts meanwhile; the counts of each host are there when it has ended."""
    login = {"user": "app", "password": "app", "dbname": "app", "port": 6432}
    argument = json.dumps({**login, "persistent": persistent, "short": short})
    processes = {
        name: subprocess.Popen(
            ["docker", "exec", "-i", name, PYTHON, "/usr/local/lib/load.py", argument],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for name in HOSTS
    }
    counts: Counts = {}
    try:
        for process in processes.values():
            assert process.stdout and process.stdout.readline() == "running\n"
        yield counts
    finally:
        for name, process in processes.items():
            output, _none = process.communicate(timeout=60)
            counts[name] = json.loads(output)
            print(f"{name}: {counts[name]}")
