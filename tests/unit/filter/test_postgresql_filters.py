"""The glue of the filters of the role postgresql."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.djangoops.pooling.plugins.filter.postgresql_access_changes import (
    postgresql_access_changes,
)
from ansible_collections.djangoops.pooling.plugins.filter.postgresql_access_problems import (
    postgresql_access_problems,
)
from ansible_collections.djangoops.pooling.plugins.filter.postgresql_database_changes import (
    postgresql_database_changes,
)
from ansible_collections.djangoops.pooling.plugins.filter.postgresql_session_budget import (
    postgresql_session_budget,
)
from ansible_collections.djangoops.pooling.plugins.filter.postgresql_settings_check import (
    postgresql_settings_check,
)

# the module gives an empty mapping for a query without rows
EMPTY: dict[str, Any] = {"roles": {}, "databases": {}, "owned": {}, "sessions": {}}


def test_salts() -> None:
    """Random where the verifier can be read back, derived from the names where it cannot."""
    users = {"app": {"password": "secret"}, "jobs": {"password": "secret"}}

    def verifiers(server: str | None) -> dict[str, str]:
        result: dict[str, str] = postgresql_access_changes(users, {}, EMPTY, server=server)["verifiers"]
        return result

    assert verifiers(None)["app"] != verifiers(None)["app"]
    assert verifiers("db1") == verifiers("db1")
    assert verifiers("db1")["app"] != verifiers("db2")["app"]
    assert verifiers("db1")["app"].split("$")[1] != verifiers("db1")["jobs"].split("$")[1]


def test_databases_that_lack_nothing_are_left_out() -> None:
    here = {
        "has_public": True,
        "public_connects": True,
        "public_creates": True,
        "owner_creates": True,
        "settings": [],
    }
    results = [{"item": "app", "query_all_results": [[here], {}, {}]}]
    databases = {"app": {"owner": "app"}}
    assert postgresql_database_changes(databases, results)["databases"] == []
    (one,) = postgresql_database_changes(databases, results, public_access=False)["databases"]
    assert one["name"] == "app" and len(one["statements"]) == 3


def test_errors_begin_with_the_name() -> None:
    with pytest.raises(
        AnsibleFilterError, match=r"^djangoops\.pooling\.postgresql_settings_check: a mapping of settings"
    ):
        postgresql_settings_check(["work_mem"], [])  # type: ignore[arg-type]
    with pytest.raises(
        AnsibleFilterError, match=r"^djangoops\.pooling\.postgresql_access_problems: a mapping"
    ):
        postgresql_access_problems([], {})  # type: ignore[arg-type]
    with pytest.raises(
        AnsibleFilterError, match=r"^djangoops\.pooling\.postgresql_access_changes: '' is no name"
    ):
        postgresql_access_changes({"": {"password": "x"}}, {}, EMPTY)
    with pytest.raises(
        AnsibleFilterError, match="postgresql_session_budget: postgresql_expected_sessions: unknown key"
    ):
        postgresql_session_budget([], {"x": 1}, 100)
