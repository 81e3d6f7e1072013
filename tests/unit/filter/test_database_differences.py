"""The glue of the filter database_differences."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.djangoops.pooling.plugins.filter.console_rows import console_rows
from ansible_collections.djangoops.pooling.plugins.filter.database_differences import FilterModule

database_differences = FilterModule().filters()["database_differences"]

OUTPUT = {
    "1.18": "name,host,port,database,force_user,pool_size,min_pool_size,reserve_pool,pool_mode,max_connections,"
    "current_connections,paused,disabled\napp,db1,5432,app,,20,2,3,,11,0,0,0\npgbouncer,,6432,pgbouncer,pgbouncer,"
    "2,0,0,statement,0,0,0,0\n",
    "1.24": "name,host,port,database,force_user,pool_size,min_pool_size,reserve_pool_size,server_lifetime,pool_mode,"
    "load_balance_hosts,max_connections,current_connections,max_client_connections,current_client_connections,"
    "paused,disabled\napp,db1,5432,app,,20,2,3,3600,,,11,0,0,0,0,0\npgbouncer,,6432,pgbouncer,pgbouncer,2,0,0,"
    "3600,statement,,0,0,0,1,0,0\n",
}


@pytest.mark.parametrize("version", OUTPUT)
def test_the_sentences(version: str) -> None:
    """As the console prints it, from both sides of the change of columns."""
    rows = console_rows(OUTPUT[version])
    wanted = {"app": {"host": "db1", "pool_size": 20, "reserve_pool_size": 3, "max_db_connections": 11}}
    assert database_differences(wanted, rows) == []
    wanted["app"] |= {"pool_size": 5, "reserve_pool_size": 1}
    assert database_differences(wanted, rows) == [
        "app.pool_size: running 20, wanted 5",
        "app.reserve_pool_size: running 3, wanted 1",
    ]


@pytest.mark.parametrize(
    ("wanted", "running", "message"),
    [
        ("app", [], "a mapping of databases is expected"),
        ({"app": {}}, "name\napp\n", "the rows of SHOW DATABASES are expected"),
    ],
)
def test_errors_begin_with_the_name(wanted: Any, running: Any, message: str) -> None:
    with pytest.raises(AnsibleFilterError, match=rf"^djangoops\.pooling\.database_differences: {message}"):
        database_differences(wanted, running)
