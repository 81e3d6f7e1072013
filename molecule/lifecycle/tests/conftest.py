"""The playbook as an operator runs it, and the state of the host before and after."""

from __future__ import annotations

import dataclasses
import json
import os
import shlex
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import testinfra
from testinfra.host import Host
from testinfra.utils.ansible_runner import AnsibleRunner

ROOT = Path(__file__).resolve().parents[3]
INVENTORY = Path(os.environ["MOLECULE_INVENTORY_FILE"]).parent
HOST = "pooling-lifecycle"
_VARIABLES = AnsibleRunner(os.environ["MOLECULE_INVENTORY_FILE"]).get_variables(HOST)
PASSWORD: str = _VARIABLES["pooling_users"]["app"]["password"]


@dataclasses.dataclass(frozen=True)
class Run:
    """How a run of the playbook ended, and what it printed."""

    code: int
    output: str

    @property
    def words(self) -> str:
        """The output with line breaks folded, as messages are wrapped."""
        return " ".join(self.output.split())


def command(*arguments: str, name: str = "djangoops.pooling.site", **variables: object) -> list[str]:
    """Command line of a run with extra variables."""
    return ["ansible-playbook", "-i", str(INVENTORY), name, "-e", json.dumps(variables), *arguments]


@pytest.fixture(scope="session")
def playbook() -> Callable[..., Run]:
    """Run the playbook with options and extra variables."""

    def run(*arguments: str, name: str = "djangoops.pooling.site", **variables: object) -> Run:
        done = subprocess.run(
            command(*arguments, name=name, **variables), capture_output=True, text=True, check=False
        )
        return Run(done.returncode, done.stdout + done.stderr)

    return run


@pytest.fixture(scope="session")
def killed_playbook() -> Callable[..., None]:
    """Run the playbook and kill it, with all its children, as soon as a task of the given name begins."""

    def run(task: str, **variables: object) -> None:
        process = subprocess.Popen(
            command(**variables),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        assert process.stdout
        for line in process.stdout:
            if line.startswith("TASK") and task in line:
                os.killpg(process.pid, signal.SIGKILL)
                break
        process.wait()
        assert process.returncode == -signal.SIGKILL, f"the run ended before the task {task}"

    return run


@pytest.fixture(scope="session")
def server() -> Host:
    """The host, which is everything at once here."""
    return testinfra.get_host(f"docker://{HOST}")


@pytest.fixture(scope="session")
def sql(server: Host) -> Callable[[str], str]:
    """Run a statement as the server's superuser."""

    def run(statement: str) -> str:
        result = server.run(f"cd / && runuser -u postgres -- psql -XAtd app -c {shlex.quote(statement)}")
        assert result.rc == 0, result.stderr
        return str(result.stdout).strip()

    return run


@pytest.fixture(scope="session")
def login(server: Host) -> Callable[[str], str]:
    """Log in through PgBouncer with a password; returns the error, empty when it worked."""

    def run(password: str) -> str:
        psql = f"psql -XAtq -h {HOST} -p 6432 -U app -d app -c 'SELECT 1'"
        result = server.run(f"PGPASSWORD={shlex.quote(password)} {psql}")
        return "" if result.rc == 0 else str(result.stderr)

    return run


@pytest.fixture(scope="session")
def console(server: Host) -> Callable[[str], str]:
    """Run a command on PgBouncer's console; returns CSV."""

    def run(statement: str) -> str:
        psql = "psql -Xh /var/run/postgresql -p 6432 -U pgbouncer --csv -d pgbouncer"
        result = server.run(f"cd / && runuser -u postgres -- {psql} -c {shlex.quote(statement)}")
        assert result.rc == 0, result.stderr
        return str(result.stdout)

    return run


@pytest.fixture(scope="session")
def state(server: Host) -> Callable[[], str]:
    """Everything that a run could change: files with their times, and the processes of the services."""

    def read() -> str:
        files = "/etc/postgresql /etc/pgbouncer /etc/systemd/system /etc/djangoops-pooling /usr/local/sbin"
        found = server.run(f"find {files} -type f -printf '%p %T@ %m %u ' -exec sha256sum {{}} ';'")
        pids = server.run(
            "systemctl show -p MainPID,NRestarts,StateChangeTimestamp pgbouncer postgresql@17-main"
        )
        assert found.rc == 0 and pids.rc == 0
        return str(found.stdout + pids.stdout)

    return read
