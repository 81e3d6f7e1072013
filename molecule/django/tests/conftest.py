"""The hosts of the scenario with their environments, and the project on them."""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import subprocess
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import testinfra
from testinfra.host import Host
from testinfra.utils.ansible_runner import AnsibleRunner

RUNNER = AnsibleRunner(os.environ["MOLECULE_INVENTORY_FILE"])
HOSTS: list[str] = sorted(RUNNER.get_hosts("all"))
NAMES = ("shop_databases", "shop_environments", "shop_password", "shop_plan")


def _variables() -> dict[str, Any]:
    """The inventory's variables as Ansible computes them."""
    host = testinfra.get_host(f"ansible://{HOSTS[0]}?ansible_inventory={RUNNER.inventory_file}")
    names = ", ".join(f"'{name}': {name}" for name in NAMES)
    text = f"{{{{ {{{names}}} | to_json }}}}"
    result: dict[str, Any] = json.loads(host.ansible("debug", f'msg="{text}"', check=False)["msg"])
    return result


VARIABLES = _variables()
PASSWORD: str = VARIABLES["shop_password"]
ALIASES = [alias for alias in VARIABLES["shop_databases"] if alias != "default"]


@dataclass(frozen=True)
class Environment:
    """A virtual environment of a host: one Django with one driver, and the aliases that the role wrote for it."""

    host: str
    name: str
    django: str
    psycopg: int
    aliases: tuple[str, ...]
    refused: tuple[str, ...]

    def __str__(self) -> str:
        return f"{suite_of(self.host)}/{self.name}"

    @property
    def command(self) -> list[str]:
        """Command line of the environment's Python in the project on the host."""
        settings = [f"SHOP_DB_PASSWORD={PASSWORD}", "PYTHONDONTWRITEBYTECODE=1"]
        options = [option for setting in settings for option in ("--env", setting)]
        python = f"/opt/environments/{self.name}/bin/python"
        return ["docker", "exec", "--interactive", "--workdir", "/srv/project", *options, self.host, python]

    def run(self, module: str, *arguments: str, seconds: int = 600) -> Any:
        """Run a module of the project; returns what it printed, read as JSON."""
        done = subprocess.run(
            [*self.command, "-m", module, *arguments], capture_output=True, text=True, timeout=seconds
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)


def suite_of(host: str) -> str:
    """The Debian of a host."""
    return host.rsplit("-", 1)[-1]


def _environments() -> list[Environment]:
    return [
        Environment(
            host,
            environment["name"],
            environment["django"],
            environment["psycopg"],
            tuple(alias for alias in ALIASES if alias not in environment["refused"]),
            tuple(environment["refused"]),
        )
        for host in HOSTS
        for environment in VARIABLES["shop_environments"][suite_of(host)]
    ]


ENVIRONMENTS = _environments()


def on_all_hosts(function: Callable[[str], Any]) -> list[Any]:
    """Do something on all hosts at once."""
    with ThreadPoolExecutor(len(HOSTS)) as workers:
        return list(workers.map(function, HOSTS))


def as_postgres(host: str, *command: str) -> str:
    """Run a command as the operating system user of both servers; returns what it printed."""
    result = _server(host).run("cd / && runuser -u postgres -- " + shlex.join(command))
    assert result.rc == 0, result.stderr
    return str(result.stdout).strip()


def sql(host: str, *statements: str) -> str:
    """Run statements on the server as its superuser, past the pooler."""
    return as_postgres(host, "psql", "-XAtd", "shop", *(part for text in statements for part in ("-c", text)))


def console(host: str, command: str) -> str:
    """Run a command on PgBouncer's console; returns CSV."""
    psql = ["psql", "-Xh", "/var/run/postgresql", "-p", "6432", "-U", "pgbouncer", "--csv", "-d", "pgbouncer"]
    return as_postgres(host, *psql, "-c", command)


def restart(host: str, service: str, query: Callable[[str], str]) -> None:
    """Restart a service and wait until it answers."""
    result = _server(host).run(f"systemctl restart {service}")
    assert result.rc == 0, result.stderr
    end = time.monotonic() + 60
    while True:
        try:
            query(host)
            return
        except AssertionError:
            assert time.monotonic() < end, f"{service} does not come back on {host}"
            time.sleep(0.2)


def restart_pgbouncer(host: str) -> None:
    """Restart PgBouncer at once: systemctl alone waits for clients of session mode, which keep their connections."""
    with contextlib.suppress(AssertionError):  # it does not answer any more
        console(host, "SHUTDOWN")
    restart(host, "pgbouncer", lambda at: console(at, "SHOW VERSION"))


def _server(host: str) -> Host:
    return testinfra.get_host(f"docker://{host}")
