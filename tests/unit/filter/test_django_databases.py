"""The glue of the filter django_databases."""

from __future__ import annotations

import ast
from typing import Any

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.djangoops.pooling.plugins.filter.django_databases import FilterModule

django_databases = FilterModule().filters()["django_databases"]

ALIAS = {
    "strategy": "pgbouncer_transaction",
    "NAME": "app",
    "USER": "app",
    "HOST": "pooler1",
    "PORT": 6432,
    "password_variable": "APP_DB_PASSWORD",
}


def test_the_source_is_one_import_and_one_assignment() -> None:
    statements = ast.parse(django_databases({"default": ALIAS})).body
    assert [type(statement) for statement in statements] == [ast.Import, ast.Assign]


@pytest.mark.parametrize(
    ("databases", "message"),
    [
        ({}, "django_settings_databases: at least one alias"),
        ({"default": {**ALIAS, "PORT": 0}}, r"django_settings_databases\.default\.PORT: '0' is not"),
        (
            {"default": {**ALIAS, "strategy": "hybrid", "CONN_MAX_AGE": 60}},
            r"django_settings_databases\.default\.CONN_MAX_AGE: 60 and Django's own pool exclude each other",
        ),
    ],
)
def test_errors_begin_with_the_name(databases: Any, message: str) -> None:
    with pytest.raises(AnsibleFilterError, match=rf"^djangoops\.pooling\.django_databases: {message}"):
        django_databases(databases)
