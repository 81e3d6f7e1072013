"""What is wanted against SHOW DATABASES, whose columns changed between PgBouncer 1.18 and 1.24."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.djangoops.pooling.plugins.module_utils._compare import COLUMNS, database_differences

WANTED = {
    "app": {
        "host": "db1",
        "port": 5432,
        "dbname": "app_main",
        "pool_size": 8,
        "min_pool_size": 2,
        "reserve_pool_size": 3,
        "max_db_connections": 11,
    }
}
COMMON = {
    "name": "app",
    "host": "db1",
    "port": "5432",
    "database": "app_main",
    "force_user": "",
    "pool_size": "8",
    "min_pool_size": "2",
    "pool_mode": "",
    "max_connections": "11",
    "current_connections": "0",
    "paused": "0",
    "disabled": "0",
}
RUNNING: dict[str, dict[str, str]] = {
    "1.18": {**COMMON, "reserve_pool": "3"},
    "1.24": {
        **COMMON,
        "reserve_pool_size": "3",
        "server_lifetime": "3600",
        "load_balance_hosts": "",
        "max_client_connections": "0",
        "current_client_connections": "0",
    },
}
CONSOLE = {"name": "pgbouncer", "host": "", "port": "6432", "database": "pgbouncer", "pool_size": "2"}
VERSIONS = pytest.mark.parametrize("version", RUNNING)


@VERSIONS
def test_as_wanted(version: str) -> None:
    assert database_differences(WANTED, [CONSOLE, RUNNING[version]]) == []


@VERSIONS
@pytest.mark.parametrize("key", list(WANTED["app"]))
def test_each_key_is_compared(version: str, key: str) -> None:
    """Every key that the plan sets is found under the column of both versions."""
    [column] = [name for name in COLUMNS[key] if name in RUNNING[version]]
    running = {**RUNNING[version], column: "7"}
    assert database_differences(WANTED, [running]) == [f"app.{key}: running 7, wanted {WANTED['app'][key]}"]


@VERSIONS
def test_missing_and_foreign_databases(version: str) -> None:
    foreign = {**RUNNING[version], "name": "other"}
    assert database_differences(WANTED, [CONSOLE, foreign]) == [
        "app: wanted, not running",
        "other: running, not wanted",
    ]


def test_the_user_of_an_entry() -> None:
    assert database_differences({"app": {"user": "web"}}, [RUNNING["1.24"]]) == [
        "app.user: running , wanted web"
    ]


def test_what_the_console_does_not_report_is_not_compared() -> None:
    assert database_differences({"app": {"connect_query": "select 1"}}, [RUNNING["1.18"]]) == []


def test_nothing_wanted_and_nothing_running() -> None:
    assert database_differences({}, [CONSOLE]) == []


@pytest.mark.parametrize("wanted", [None, "app", ["app"], {"app": None}, {"app": "pool_size=5"}])
def test_wanted_is_a_mapping_of_mappings(wanted: Any) -> None:
    with pytest.raises(ValueError, match=r"^a mapping of databases is expected"):
        database_differences(wanted, [])


@pytest.mark.parametrize("running", [None, 7, "name,host\n", ["app"], [{"host": "db1"}]])
def test_running_is_rows(running: Any) -> None:
    with pytest.raises(ValueError, match=r"^the rows of SHOW DATABASES are expected"):
        database_differences({}, running)
