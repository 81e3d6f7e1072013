"""The filter pgbouncer_processes names itself in what it refuses."""

from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.djangoops.pooling.plugins.filter.pgbouncer_processes import pgbouncer_processes

SETTINGS = {
    "listen_port": 6432,
    "listen_backlog": 128,
    "unix_socket_dir": "/run/postgresql",
    "unix_socket_mode": "0777",
}


def test_processes() -> None:
    result = pgbouncer_processes(SETTINGS, 2, version="1.26.1")
    assert [each["service"] for each in result["processes"]] == ["pgbouncer.service", "pgbouncer@2.service"]


def test_refused_number() -> None:
    with pytest.raises(
        AnsibleFilterError,
        match=r"^djangoops\.pooling\.pgbouncer_processes: pgbouncer_processes: a whole number",
    ):
        pgbouncer_processes(SETTINGS, 0, version="1.26.1")
