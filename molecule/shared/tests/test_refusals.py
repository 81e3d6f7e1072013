"""What cannot work is refused with the name of the variable and a remedy, before anything on any host changes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from runs import Run
from testinfra.host import Host

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
        {"pooling_pgbouncer_settings": {"min_pool_sise": 5}},
        ("pgbouncer_settings.min_pool_sise", "min_pool_size"),
    ),
    "a wrong type": (
        {"pooling_pgbouncer_settings": {"query_timeout": "soon"}},
        ("pgbouncer_settings.query_timeout", "soon"),
    ),
    "a negative size": (
        {"pooling_pgbouncer_settings": {"reserve_pool_size": -1}},
        ("pgbouncer_settings.reserve_pool_size", "-1"),
    ),
    "a size of zero": (
        {"pooling_pgbouncer_settings": {"default_pool_size": 0}},
        ("pgbouncer_settings.default_pool_size", "0"),
    ),
    "a setting that the plan stands on": (
        {"pooling_pgbouncer_settings": {"listen_port": 7000}},
        ("pooling_pgbouncer_settings.listen_port", "7000", "6432"),
    ),
    "a password that is a number": (
        {"pooling_users": {"app": {"password": 12345}}},
        ("pooling_users", "quotes"),
    ),
    "an md5 hash where SCRAM is asked for": (
        {"pooling_users": {"app": {"verifier": "md5" + "0" * 32}}},
        ("postgresql_users.app", "pooling_auth_type"),
    ),
    "an unknown setting of PostgreSQL": (
        {"pooling_postgresql_settings": {"work_memory": "8MB"}},
        ("work_memory", "PostgreSQL"),
    ),
    "a value that PostgreSQL does not take": (
        {"pooling_postgresql_settings": {"work_mem": "a lot"}},
        ("work_mem", "a lot"),
    ),
    "an unknown way to log in": (
        {"pooling_auth_type": "trust"},
        ("pooling_auth_type", "trust", "scram-sha-256"),
    ),
    "a user without a password": ({"pooling_users": {"app": {}}}, ("pooling_users", "app", "password")),
    # with a change of the server, which comes later
    "a Django that the app host does not have": (
        {"pooling_django": {"version": "4.2"}, "pooling_postgresql_settings": {"work_mem": "8MB"}},
        ("django_settings_version is 4.2", "has no Django"),
    ),
    "a user that is not declared": (
        {"pooling_users": {"other": {"password": "x"}}},
        ("pooling_users", "app", "password"),
    ),
}


# PgBouncer as installed on the three Debians -> a setting that it does not have, and the version that brought or removed it
NOT_THERE = {
    "1.18": ("max_prepared_statements", "1.21"),
    "1.24": ("transaction_timeout", "1.25"),
    "1.26": ("suspend_timeout", "1.26"),
}


Refuse = Callable[[dict[str, Any], tuple[str, ...]], None]


@pytest.fixture(scope="module")
def before(state: Callable[[], list[str]]) -> list[str]:
    """Files, services and roles of all hosts as none of the runs below may leave them otherwise."""
    return state()


@pytest.fixture
def refused(playbook: Callable[..., Run], state: Callable[[], list[str]], before: list[str]) -> Refuse:
    """Run with variables: it fails and says why, and all is as it was."""

    def start(variables: dict[str, Any], expected: tuple[str, ...]) -> None:
        run = playbook(**variables)
        assert run.code != 0, run.output
        for text in expected:
            assert text in run.words, run.output
        assert state() == before

    return start


def test_state_sees_what_the_roles_write(before: list[str]) -> None:
    """What is compared below contains what a run could change."""
    for known in ("pg_hba.conf", "pgbouncer.ini", "pooling_databases.py", "Id=pgbouncer", "SCRAM-SHA-256"):
        assert any(known in line for line in before), known


@pytest.mark.parametrize("case", REFUSED)
def test_is_refused_and_nothing_changes(case: str, refused: Refuse) -> None:
    """Input that cannot work."""
    refused(*REFUSED[case])


def test_setting_that_the_version_does_not_have(refused: Refuse, pooler: Host) -> None:
    """A key that PgBouncer has in another version than the installed one."""
    installed = pooler.run("pgbouncer --version").stdout.split()[1]
    key, version = NOT_THERE[installed.rpartition(".")[0]]
    refused({"pooling_pgbouncer_settings": {key: 5}}, (f"pgbouncer_settings.{key}", version, installed))


def test_setting_of_a_killed_run_is_put_back(
    killed_playbook: Callable[..., None],
    playbook: Callable[..., Run],
    state: Callable[[], list[str]],
    before: list[str],
) -> None:
    """Killed between writing and checking, the next run begins with the files as they were."""
    killed_playbook("Have the server read them", pooling_postgresql_settings={"work_mem": "8MB"})
    assert state() != before
    run = playbook()
    assert run.code == 0, run.output
    assert state() == before
