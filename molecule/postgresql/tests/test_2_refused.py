"""On the server that the role has installed: what cannot be is refused with the remedy, and nothing has changed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from conftest import HOSTS, PASSWORD, VARIABLES, Sessions, docker, play, sql, state
from runs import refused

SETTINGS: dict[str, Any] = VARIABLES["postgresql_settings"]
USERS: dict[str, Any] = VARIABLES["postgresql_users"]
DATABASES: dict[str, Any] = VARIABLES["postgresql_databases"]
BAD_RULE = {
    "type": "host",
    "databases": ["shop"],
    "users": ["web"],
    "address": "300.1.1.1/99",
    "method": "scram-sha-256",
}

REFUSED: dict[str, tuple[dict[str, Any], tuple[str, ...]]] = {
    "settings that the server would refuse": (
        {"postgresql_settings": {**SETTINGS, "work_memory": 1, "work_mem": "1kB", "wal_level": "more"}},
        (
            "work_memory: PostgreSQL 1",
            "did you mean work_mem?",
            "'1kB' is outside 64 to 2147483647 kB",
            "'more' is none of minimal, replica, logical",
        ),
    ),
    "no slots but the reserved ones": (
        {"postgresql_settings": {**SETTINGS, "max_connections": 3}},
        ("max_connections: 3 is not more than the 3", "raise it to at least 4"),
    ),
    "a rule and a value that only the server itself can judge": (
        {"postgresql_settings": {**SETTINGS, "timezone": "Nowhere/City"}, "postgresql_hba": [BAD_RULE]},
        ("timezone = 'Nowhere/City'", "300.1.1.1/99", "previous files are back"),
    ),
    "a value that the server does not start with": (
        {"postgresql_settings": {**SETTINGS, "shared_buffers": "100TB"}, "postgresql_restart_allowed": True},
        ("outside 16 to",),
    ),
    "a role that owns objects, to be removed": (
        {"postgresql_users": {**USERS, "web": {"state": "absent"}}, "postgresql_databases": {}},
        ("postgresql_users.web: the role owns objects", "in shop", 'REASSIGN OWNED BY "web" TO'),
    ),
    "a role that nobody knows": (
        {"postgresql_databases": {**DATABASES, "more": {"owner": "nobody"}}},
        ("postgresql_databases.more: there is no role 'nobody'",),
    ),
    "more sessions than fit": (
        {"postgresql_expected_sessions": {"roles": {"web": 20}, "others": 8}},
        (
            "28 expected sessions + 0 that nobody has planned + 3 reserved = 31 > max_connections 30",
            "at least 31",
        ),
    ),
}
# as they are where a case does not name them
OTHERWISE = {
    name: VARIABLES[name] for cases in REFUSED.values() for name in cases[0] if name in VARIABLES
} | {"postgresql_restart_allowed": False}


def test_what_cannot_be_is_refused_and_nothing_changes(tmp_path: Path) -> None:
    before = [state(docker(name)) for name in HOSTS]
    refused("djangoops.pooling.postgresql", REFUSED, OTHERWISE, HOSTS, tmp_path)
    assert [state(docker(name)) for name in HOSTS] == before


@pytest.fixture
def strangers(sessions: Sessions) -> Callable[[int], None]:
    """Open sessions that no plan knows, on every host."""

    def open_them(count: int) -> None:
        for name in HOSTS:
            for _ in range(count):
                sessions.open(name, "report", "report", "shop")

    return open_them


def test_sessions_that_nobody_has_planned(strangers: Callable[[int], None], sessions: Sessions) -> None:
    """They are named in a warning while all fit, and refused when not; a limit below what is open is refused as well."""
    strangers(6)
    expected = {"roles": {"web": 6, "jobs": 3}, "others": 4}
    run = play(postgresql_expected_sessions=expected)
    assert run.code == 0, run.output
    assert "WARNING: 2 session(s) that nobody has planned: 6 of report (psql)" in run.words
    run = play(postgresql_expected_sessions={**expected, "roles": {"web": 22}})
    assert run.code != 0
    assert (
        "26 expected sessions + 2 that nobody has planned + 3 reserved = 31 > max_connections 30" in run.words
    )
    run = play(postgresql_settings={**SETTINGS, "max_connections": 8}, postgresql_expected_sessions={})
    assert run.code != 0
    assert "8 is below the 6 sessions that are open now and the 3 reserved slots" in run.words
    assert "set at least 9" in run.words
    run = play(postgresql_users={**USERS, "report": {"state": "absent"}}, postgresql_databases={})
    assert run.code != 0
    assert "postgresql_users.report: the role has 6 open session(s)" in run.words
    assert all(sessions.alive(process) for process in sessions.processes)


def test_removing_is_declared() -> None:
    """What is no longer declared stays; what is declared absent goes, with what was granted to it."""
    quoted = next(name for name in DATABASES if "quoted" in name)
    run = play(
        postgresql_users={"web": {"password": PASSWORD}, "report": {"state": "absent"}},
        postgresql_databases={quoted: {"state": "absent"}},
        postgresql_auth_query={},
    )
    assert run.code == 0, run.output
    for name in HOSTS:
        roles = sql(
            docker(name), "SELECT string_agg(rolname, ' ' ORDER BY rolname) FROM pg_roles WHERE oid >= 16384"
        )
        assert roles == "jobs monitor pgbouncer_auth web"
        databases = sql(
            docker(name),
            "SELECT string_agg(datname, ' ' ORDER BY datname) FROM pg_database WHERE oid >= 16384",
        )
        assert databases == "shop"
    run = play()
    assert run.code == 0, run.output
