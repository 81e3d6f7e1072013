"""The three hosts, logins on them, the console, and runs of the playbook on all of them at once."""

from __future__ import annotations

import csv
import functools
import io
import json
import os
import re
import shlex
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import testinfra
from runs import Run, run
from testinfra.host import Host

PLAYBOOK = Path(__file__).parents[1] / "converge.yml"
CERTIFICATES = "/etc/postgresql/tls"
LOGINS = "/usr/local/lib/pooling-authentication/logins.py"
SUITES = ("bookworm", "trixie", "forky")

Login = dict[str, Any]
Answer = tuple[str, str]


class Machine:
    """One host of the scenario."""

    def __init__(self, suite: str) -> None:
        self.suite = suite
        self.name = f"pooling-authentication-{suite}"
        self.host: Host = testinfra.get_host(f"docker://{self.name}")
        version = self.run("/usr/sbin/pgbouncer --version")
        self.version = re.findall(r"PgBouncer ([0-9.]+)", version)[0]

    def run(self, command: str) -> str:
        """Output of a command that succeeds."""
        result = self.host.run(command)
        assert result.rc == 0, result.stdout + result.stderr
        return str(result.stdout)

    def logins(self, logins: list[Login]) -> list[Answer]:
        """Each login's answer: ok and what came back, or error and the message."""
        done = subprocess.run(
            ["docker", "exec", "-i", self.name, "/opt/django/bin/python", LOGINS],
            input=json.dumps(logins),
            capture_output=True,
            text=True,
            check=True,
        )
        return [(word, text) for word, text in json.loads(done.stdout)]

    def console(self, command: str) -> list[dict[str, str]]:
        """Rows of a command of PgBouncer's console."""
        psql = "psql -Xh /var/run/postgresql -p 6432 -U pgbouncer --csv -d pgbouncer"
        text = self.run(f"cd / && runuser -u postgres -- {psql} -c {shlex.quote(command)}")
        return list(csv.DictReader(io.StringIO(text)))

    def sql(self, statement: str) -> str:
        """Answer of the server itself."""
        return self.run(f"cd / && runuser -u postgres -- psql -XAtd app -c {shlex.quote(statement)}").strip()

    def state(self) -> str:
        """Everything that a run could change, and what PgBouncer runs with."""
        files = self.run(
            "find /etc/pgbouncer /etc/systemd/system /etc/apt -type f -printf '%p %T@ %m %u %g ' -exec sha256sum {} +"
            " | sort"
        )
        unit = self.run("systemctl show -p MainPID,NRestarts,StateChangeTimestamp pgbouncer")
        return "\n".join(
            [files, unit, *(str(self.console(f"SHOW {what}")) for what in ("CONFIG", "DATABASES"))]
        )


@pytest.fixture(scope="session")
def certificates() -> Path:
    """Directory on this machine that the playbook reads certificates from."""
    return Path(os.environ["POOLING_CERTIFICATES"])


@pytest.fixture(scope="session")
def run_playbook() -> Callable[..., Run]:
    """Run the playbook with options and extra variables, on all hosts."""
    return functools.partial(run, PLAYBOOK)


@pytest.fixture(scope="session")
def machines() -> list[Machine]:
    """All hosts."""
    return [Machine(suite) for suite in SUITES]


# not of scope session: pytest would run all tests on the first host before any on the second, also those that change it
@pytest.fixture(params=range(len(SUITES)), ids=SUITES)
def machine(request: pytest.FixtureRequest, machines: list[Machine]) -> Machine:
    """One host after another."""
    return machines[request.param]
