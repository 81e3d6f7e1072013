"""A fleet that cannot be planned is refused before anything is touched."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from typing import Any

import pytest
from testinfra.host import Host

DIRECTORIES = "/etc/postgresql /etc/pgbouncer /etc/systemd/system /etc/djangoops-pooling"
# every file with its times, mode and owner, and what is in it; every service with its process and its last reload
STATE = f"""
set -e
find {DIRECTORIES} -printf '%p %y %m %u %g %s %T@ %l\\n' | sort
find {DIRECTORIES} -type f -exec sha256sum {{}} + | sort
systemctl show --property=Id,ActiveState,MainPID,ActiveEnterTimestampMonotonic,StateChangeTimestampMonotonic \
    'postgresql@*.service' pgbouncer.service
"""
Query = Callable[[str], str]


@pytest.fixture
def state(database: Host, sql: Query) -> Callable[[], list[str]]:
    """Look at all that the playbook manages on the host."""

    def look() -> list[str]:
        result = database.run(STATE)
        assert result.rc == 0, result.stderr
        roles = sql("SELECT rolname, rolconnlimit, rolpassword FROM pg_authid ORDER BY 1")
        loaded = sql("SELECT pg_conf_load_time()")
        return [*str(result.stdout).splitlines(), *roles.splitlines(), loaded]

    return look


def site(variables: dict[str, Any]) -> tuple[int, str]:
    """Run the playbook site with other variables; returns its status, and its output as one line."""
    result = subprocess.run(
        [
            "ansible-playbook",
            "--inventory",
            os.environ["MOLECULE_INVENTORY_FILE"],
            "--extra-vars",
            json.dumps(variables),
            "djangoops.pooling.site",
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    return result.returncode, " ".join((result.stdout + result.stderr).split())


@pytest.mark.parametrize(
    ("change", "fix"),
    [
        ({"pooling_pool_mode": "session"}, "pool_mode=transaction"),
        ({"max_connections": 20}, "max_connections 20 -> 23"),
    ],
    ids=["session mode for 64 clients", "a server that is too small"],
)
def test_refused_plan_touches_nothing(
    change: dict[str, Any], fix: str, fleet: dict[str, Any], state: Callable[[], list[str]]
) -> None:
    """The run fails with the reason and the smallest fix; files, services and roles are as they were."""
    if "max_connections" in change:
        change = {"pooling_postgres": fleet["postgres"]["primary"] | change}
    before = state()
    for known in ("pg_hba.conf", "pgbouncer.ini", "pooling_databases.py", "Id=pgbouncer", "SCRAM-SHA-256"):
        assert any(known in line for line in before), f"the comparison sees no {known}"
    status, output = site(change)
    assert status != 0, output
    assert "E_BUDGET" in output, output
    assert fix in output, output
    assert state() == before
