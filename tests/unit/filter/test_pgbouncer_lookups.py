"""The glue of the filter pgbouncer_lookups."""

from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.djangoops.pooling.plugins.filter.pgbouncer_lookups import FilterModule

pgbouncer_lookups = FilterModule().filters()["pgbouncer_lookups"]


def test_where_is_asked() -> None:
    settings = {"auth_user": "o'q", "server_tls_sslmode": "verify-full", "server_tls_ca_file": "/ca"}
    databases = {
        "app": {"host": ["a", "b"], "port": 5433},
        "again": {"host": ["a", "b"], "port": 5433, "dbname": "app"},
        "forced": {"host": "a", "user": "x"},
        "local": {"auth_user": "own", "auth_dbname": "app"},
        "*": {"host": "c"},
    }
    tls = "connect_timeout='10' sslmode='verify-full' sslrootcert='/ca'"
    assert pgbouncer_lookups(settings, databases) == [
        f"host='a,b' port='5433' dbname='app' user='o\\'q' {tls}",
        f"host='a,b' port='5433' dbname='app' user='own' {tls}",
    ]
    assert pgbouncer_lookups({}, {"app": {}}) == []
    assert pgbouncer_lookups({"auth_user": "q"}, {"app": {}}) == [
        "host='/var/run/postgresql' port='5432' dbname='app' user='q' connect_timeout='10'"
    ]


def test_errors_begin_with_the_name() -> None:
    with pytest.raises(AnsibleFilterError, match=r"^djangoops\.pooling\.pgbouncer_lookups: "):
        pgbouncer_lookups("x", {})
