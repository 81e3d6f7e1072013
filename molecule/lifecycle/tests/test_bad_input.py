"""What cannot work is refused with the name of the variable and a remedy, before anything on any host changes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from conftest import Run

POOL = {"name": "app", "database": "app", "user": "app"}
WEB = {"processes": 40, "threads": 4}

REFUSED: dict[str, tuple[dict[str, Any], tuple[str, ...]]] = {
    "a fleet that does not fit": (
        {"pooling_pool_mode": "session", "pooling_postgres": {"max_connections": 100}},
        ("E_BUDGET", "pool_mode=transaction"),
    ),
    "an unknown pool mode": ({"pooling_pool_mode": "query"}, ("pool_mode", "query", "transaction")),
    "statement mode": ({"pooling_pool_mode": "statement"}, ("E_STATEMENT_MODE", "pool_mode=transaction")),
    "a pool declared twice": ({"pooling_pools": [POOL, POOL]}, ("pools[1]", "app")),
    "a pool with the same database and user": (
        {"pooling_pools": [POOL, {**POOL, "name": "again"}]},
        ("pools[1]", "app"),
    ),
    "an unknown key of a pool": ({"pooling_pools": [{**POOL, "databse": "x"}]}, ("databse", "database")),
    "no pools": ({"pooling_pools": []}, ("pooling_pools",)),
    "zero processes": ({"pooling_services": {"web": {"processes": 0}}}, ("processes", "0")),
    "a negative number": ({"pooling_services": {"web": {"threads": -4}}}, ("threads", "-4")),
    "text for a number": (
        {"pooling_services": {"web": {"processes": "8 workers"}}},
        ("processes", "8 workers"),
    ),
    "an unknown key of a service": ({"pooling_services": {"web": {"process": 8}}}, ("process", "processes")),
    "an alias without a pool": (
        {"pooling_services": {"web": {**WEB, "databases": {"default": "other"}}}},
        ("pooling_services.web.databases.default", "other"),
    ),
    "an empty group": ({"pooling_pooler_group": "nobody"}, ("nobody", "no host")),
    "an unknown setting of PgBouncer": (
        {"pooling_pgbouncer_settings": {"default_pool_sise": 5}},
        ("pgbouncer_settings.default_pool_sise", "default_pool_size"),
    ),
    "a setting newer than the installed version": (
        {"pooling_pgbouncer_settings": {"transaction_timeout": 5}},
        ("pgbouncer_settings.transaction_timeout", "1.25", "1.24.1"),
    ),
    "a wrong type": (
        {"pooling_pgbouncer_settings": {"query_wait_timeout": "soon"}},
        ("pgbouncer_settings.query_wait_timeout", "soon"),
    ),
    "a negative size": (
        {"pooling_pgbouncer_settings": {"default_pool_size": -1}},
        ("pgbouncer_settings.default_pool_size", "-1"),
    ),
    "a size of zero": (
        {"pooling_pgbouncer_settings": {"default_pool_size": 0}},
        ("pgbouncer_settings.default_pool_size", "0"),
    ),
    "an unknown way to log in": (
        {"pooling_auth_type": "trust"},
        ("pooling_auth_type", "trust", "scram-sha-256"),
    ),
    "a user without a password": ({"pooling_users": {"app": {}}}, ("pooling_users", "app", "password")),
    "a user that is not declared": (
        {"pooling_users": {"other": {"password": "x"}}},
        ("pooling_users", "app", "password"),
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_is_refused_and_nothing_changes(
    case: str, playbook: Callable[..., Run], state: Callable[[], str]
) -> None:
    variables, expected = REFUSED[case]
    before = state()
    run = playbook(**variables)
    assert run.code != 0, run.output
    for text in expected:
        assert text in run.words, run.output
    assert state() == before


def test_bad_postgresql_setting_is_put_back(playbook: Callable[..., Run], state: Callable[[], str]) -> None:
    """What only the server itself can judge is written, refused by it, and put back byte by byte."""
    before = state()
    run = playbook(postgresql_settings={"work_mem": "a lot"})
    assert run.code != 0
    assert "work_mem" in run.words
    assert "previous files are back" in run.words

    def contents(text: str) -> list[str]:
        """Checksums and names; the times of files that were put back are new."""
        return sorted(
            line for line in text.splitlines() if "MainPID" in line or "/etc/" in line.split(" ")[-1]
        )

    # extra variables outrank the playbook's, so only the one bad setting was in the file meanwhile
    assert [line.split()[-2:] for line in contents(state())] == [
        line.split()[-2:] for line in contents(before)
    ]
