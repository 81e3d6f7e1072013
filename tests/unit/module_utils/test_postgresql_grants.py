"""Privileges inside a database, and the function of auth_query: added where they lack, repaired where stale."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.djangoops.pooling.plugins.module_utils._postgresql_grants import (
    AUTH_CONFIG,
    AUTH_RESULT,
    AUTH_SOURCE,
    database_changes,
)

STRICT = {
    "has_public": True,
    "public_connects": False,
    "public_creates": False,
    "owner_creates": True,
    "settings": [],
}
AUTH = {"user": "pgb", "password": "p", "databases": ["app"]}
FUNCTION = {
    "schema_owner": "postgres",
    "schema_owner_superuser": True,
    "schema_grantees": ["pgb"],
    "source": AUTH_SOURCE,
    "config": AUTH_CONFIG,
    "result": AUTH_RESULT,
    "security_definer": True,
    "owner_superuser": True,
    "grantees": ["pgb"],
}


def grantee(role: str, **more: Any) -> dict[str, Any]:
    """A row of grantees.sql for a role that may write everything, now and later."""
    missing = {
        "TABLES": {"SELECT": 0, "INSERT": 0, "UPDATE": 0, "DELETE": 0},
        "SEQUENCES": {"SELECT": 0, "USAGE": 0},
    }
    defaults = ["r:SELECT", "r:INSERT", "r:UPDATE", "r:DELETE", "S:SELECT", "S:USAGE"]
    return {"role": role, "connects": True, "uses": True, "missing": missing, "defaults": defaults, **more}


def changes(
    here: dict[str, Any],
    grantees: list[dict[str, Any]] | None = None,
    functions: list[dict[str, Any]] | None = None,
    auth: dict[str, Any] | None = None,
    **database: Any,
) -> dict[str, list[str]]:
    rows = [[{**STRICT, **here}], grantees or [], functions or []]
    return database_changes("app", {"owner": "web", **database}, rows, auth, public_access=False)


def test_nothing_lacks() -> None:
    result = changes(
        {},
        [grantee("jobs"), grantee("report"), grantee("pgb")],
        [FUNCTION],
        AUTH,
        writers=["jobs"],
        readers=["report"],
    )
    assert result == {"problems": [], "changes": [], "statements": []}


def test_public() -> None:
    """Before PostgreSQL 15 everybody creates in schema public; who owns the database keeps that right."""
    result = changes({"public_connects": True, "public_creates": True})
    assert result["statements"] == [
        'REVOKE CONNECT, TEMPORARY ON DATABASE "app" FROM PUBLIC',
        "REVOKE CREATE ON SCHEMA public FROM PUBLIC",
        'GRANT USAGE, CREATE ON SCHEMA public TO "web"',
    ]
    assert changes({"public_connects": True, "public_creates": True}, public_access=True)["statements"] == []
    assert changes({"has_public": False, "owner_creates": False})["statements"] == []


def test_writers_and_readers() -> None:
    result = changes({}, writers=["jobs"], readers=["report"])
    assert result["statements"] == [
        'GRANT CONNECT ON DATABASE "app" TO "jobs"',
        'GRANT USAGE ON SCHEMA public TO "jobs"',
        'GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO "jobs"',
        'ALTER DEFAULT PRIVILEGES FOR ROLE "web" IN SCHEMA public GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO "jobs"',
        'GRANT SELECT, USAGE ON ALL SEQUENCES IN SCHEMA public TO "jobs"',
        'ALTER DEFAULT PRIVILEGES FOR ROLE "web" IN SCHEMA public GRANT SELECT, USAGE ON SEQUENCES TO "jobs"',
        'GRANT CONNECT ON DATABASE "app" TO "report"',
        'GRANT USAGE ON SCHEMA public TO "report"',
        'GRANT SELECT ON ALL TABLES IN SCHEMA public TO "report"',
        'ALTER DEFAULT PRIVILEGES FOR ROLE "web" IN SCHEMA public GRANT SELECT ON TABLES TO "report"',
        'GRANT SELECT ON ALL SEQUENCES IN SCHEMA public TO "report"',
        'ALTER DEFAULT PRIVILEGES FOR ROLE "web" IN SCHEMA public GRANT SELECT ON SEQUENCES TO "report"',
    ]


def test_a_table_that_a_writer_may_not_write() -> None:
    row = grantee("jobs")
    row["missing"]["TABLES"]["DELETE"] = 1
    (statement,) = changes({}, [row], writers=["jobs"])["statements"]
    assert statement == 'GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO "jobs"'
    assert changes({}, [row], readers=["jobs"])["statements"] == []


def test_settings_where_there_is_no_file() -> None:
    rows = [[{**STRICT, "settings": ["work_mem=8MB"]}], [], []]
    wanted = {"work_mem": "8MB", "idle_in_transaction_session_timeout": "1min"}
    assert database_changes("app", {"owner": "web"}, rows, settings=wanted)["statements"] == [
        "ALTER DATABASE \"app\" SET idle_in_transaction_session_timeout = '1min'"
    ]


def test_the_function_is_made() -> None:
    result = changes({}, [grantee("pgb", connects=False)], [], AUTH)
    assert result["changes"] == [
        "database app: pgb may connect",
        "database app: function pgbouncer.get_auth created",
    ]
    assert any(
        "SECURITY DEFINER SET search_path = pg_catalog, pg_temp" in text for text in result["statements"]
    )
    assert result["statements"][-2:] == [
        'REVOKE ALL ON FUNCTION "pgbouncer".get_auth(text) FROM PUBLIC',
        'GRANT EXECUTE ON FUNCTION "pgbouncer".get_auth(text) TO "pgb"',
    ]
    assert changes({}, [], [], {**AUTH, "databases": ["other"]})["statements"] == []


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("source", " SELECT usename, passwd FROM pg_shadow "),
        ("config", None),
        ("result", "record"),
        ("security_definer", False),
        ("owner_superuser", False),
        ("grantees", ["PUBLIC", "pgb"]),
        ("schema_grantees", []),
    ],
)
def test_a_stale_function_is_replaced(key: str, value: object) -> None:
    result = changes({}, [grantee("pgb")], [{**FUNCTION, key: value}], AUTH)
    assert result["changes"] == [f"database app: function pgbouncer.get_auth replaced ({key} differed)"]


def test_a_schema_of_somebody_else_is_refused() -> None:
    function = {**FUNCTION, "schema_owner": "web", "schema_owner_superuser": False}
    result = changes({}, [grantee("pgb")], [function], AUTH)
    assert result["statements"] == []
    assert "belongs to web, who could replace the function" in result["problems"][0]
