"""Sentences from what systemd, the console and the journal print."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.djangoops.pooling.plugins.module_utils import _pgbouncer_process as process

ACCEPTED = "2026-11-26 18:00:00.000 UTC [1] FATAL nowhere to listen on\n"
UNIT = {
    "ActiveState": "active",
    "ActiveEnterTimestamp": "Thu 2026-11-26 18:07:46.089960 UTC",
    "StateChangeTimestamp": "Thu 2026-11-26 18:11:53.240757 UTC",
}
STARTED, LOADED = 1795716466.08996, 1795716713.240757
CONSOLE = """key,value,default,changeable
listen_port,6432,6432,no
pool_mode,transaction,session,yes
-- next
name,host,port,database,pool_size
app,db,5432,app,5
-- next
name,pool_mode
app,
"""
RUNNING = process.answers(CONSOLE)
SETTINGS = {"listen_port": "6432", "pool_mode": "transaction"}
DATABASES = {"app": {"host": "db", "pool_size": "5"}}


@pytest.mark.parametrize(
    ("said", "why"),
    [
        (ACCEPTED, ""),
        ("[1] LOG kernel file descriptor limit: 1024\n" + ACCEPTED, ""),
        ("", "it said nothing"),
        ("timeout: failed\n", "timeout: failed"),
        ("x [1] ERROR broken auth file\n" + ACCEPTED, "ERROR broken auth file"),
        (
            "x [1] WARNING could not parse hba config line 1\n" + ACCEPTED,
            "WARNING could not parse hba config line 1",
        ),
        ("x [1] LOG up and running\n", "x [1] LOG up and running"),
    ],
)
def test_refusal(said: str, why: str) -> None:
    assert process.refusal(said) == why


def test_units() -> None:
    text = "Id=a.service\nActiveState=active\n\nId=a.socket\nActiveState=inactive\nStateChangeTimestamp=\n"
    assert process.units(text) == {
        "a.service": {"Id": "a.service", "ActiveState": "active"},
        "a.socket": {"Id": "a.socket", "ActiveState": "inactive", "StateChangeTimestamp": ""},
    }


def test_moment() -> None:
    assert process.moment(UNIT["ActiveEnterTimestamp"]) == pytest.approx(STARTED, abs=1e-6)
    assert process.moment("") == 0


def test_answers_by_question() -> None:
    assert RUNNING["SHOW DATABASES"][0]["pool_size"] == "5"
    assert RUNNING["SHOW USERS"] == [{"name": "app", "pool_mode": ""}]
    assert process.answers("") == {}


@pytest.mark.parametrize(
    ("unit", "running", "settings", "unit_time", "reasons"),
    [
        ({}, RUNNING, {}, STARTED - 1, []),
        ({"ActiveState": "failed"}, RUNNING, {}, 0, ["it is not running"]),
        ({}, {}, {}, 0, ["its console does not answer on the configured socket"]),
        ({}, RUNNING, {"listen_port": "6433"}, 0, ["listen_port: running 6432, wanted 6433"]),
        ({}, RUNNING, {"pool_mode": "session"}, 0, []),
        ({}, RUNNING, {}, STARTED + 1, ["its unit is newer than its start"]),
    ],
)
def test_needs_restart(
    unit: dict[str, str], running: Any, settings: dict[str, str], unit_time: float, reasons: list[str]
) -> None:
    assert process.needs_restart({**UNIT, **unit}, running, {**SETTINGS, **settings}, unit_time) == reasons


@pytest.mark.parametrize(
    ("settings", "pool_size", "file_time", "reasons"),
    [
        ({}, "5", LOADED - 1, []),
        ({}, "5", LOADED + 1, ["its files are newer than what it has read"]),
        ({"pool_mode": "session"}, "5", 0, ["pool_mode: running transaction, wanted session"]),
        ({}, "6", 0, ["app.pool_size: running 5, wanted 6"]),
    ],
)
def test_needs_reload(settings: dict[str, str], pool_size: str, file_time: float, reasons: list[str]) -> None:
    databases = {"app": {"pool_size": pool_size}}
    assert process.needs_reload(UNIT, RUNNING, {**SETTINGS, **settings}, databases, file_time) == reasons


def test_differences() -> None:
    assert process.differences(RUNNING, SETTINGS, DATABASES, ["app"]) == []
    assert process.differences(RUNNING, SETTINGS, DATABASES, ["app", "new"]) == [
        "user new: wanted, unknown to the running process"
    ]
    assert process.differences({}, SETTINGS, DATABASES, []) == ["its console does not answer"]
    assert process.differences(RUNNING, SETTINGS, {}, []) == ["app: running, not wanted"]


def test_reload_errors() -> None:
    assert process.reload_errors("got SIGHUP, re-reading config\nS-1: login failed: wrong password\n") == []
    line = "config file loading failed"
    assert process.reload_errors(f"got SIGHUP, re-reading config\n{line}\n") == [line]


def test_needs_listening() -> None:
    assert process.needs_listening(UNIT, STARTED - 1) == []
    assert process.needs_listening(UNIT, STARTED + 1) == ["its socket unit is newer than its socket"]
    assert process.needs_listening({"ActiveState": "inactive"}, 0) == ["its socket is not listening"]
    assert process.needs_listening({}, 0) == ["its socket is not listening"]


def test_a_peer_that_is_unknown() -> None:
    running = {**RUNNING, "SHOW PEERS": [{"peer_id": "1"}]}
    assert process.differences(running, SETTINGS, DATABASES, peers=["1"]) == []
    assert process.differences(running, SETTINGS, DATABASES, peers=["1", "2"]) == [
        "peer 2: wanted, unknown to the running process"
    ]


def test_who_is_looked_up_from_now_on() -> None:
    """A user that left the userlist is remembered until a restart, which matters where auth_query is asked instead."""
    database = {"app": {"auth_user": "q"}}
    assert process.needs_lookup(["web", "old"], ["web"], {"auth_user": "q"}, {}) == [
        "auth_query takes over from the userlist for old"
    ]
    assert len(process.needs_lookup(["web", "old"], ["web"], {}, database)) == 1
    assert process.needs_lookup(["web", "old"], ["web"], {}, {"app": {}}) == []
    assert process.needs_lookup(["web"], ["web", "new"], {"auth_user": "q"}, {}) == []
