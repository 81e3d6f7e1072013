# Copyright: the djangoops.pooling authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is wanted against what a running PgBouncer reports of its databases.

Private to this collection.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

# Key of [databases] -> the columns of SHOW DATABASES that report it; their names changed between 1.18 and 1.24.
COLUMNS = {
    "host": ("host",),
    "port": ("port",),
    "dbname": ("database",),
    "pool_size": ("pool_size",),
    "min_pool_size": ("min_pool_size",),
    "reserve_pool_size": ("reserve_pool_size", "reserve_pool"),
    "max_db_connections": ("max_connections",),
    "pool_mode": ("pool_mode",),
    "user": ("force_user",),
}


def database_differences(
    wanted: Mapping[str, Mapping[str, Any]], running: Sequence[Mapping[str, str]]
) -> list[str]:
    """Sentences such as "app.pool_size: running 20, wanted 5"; an empty list when the pooler is as wanted.

    wanted is [databases] as the pgbouncer role takes it, running the rows of SHOW DATABASES. Keys that SHOW DATABASES
    does not report are not compared. The console's own entry is left out. Raises ValueError for anything else.
    """
    if not isinstance(wanted, Mapping) or not all(isinstance(keys, Mapping) for keys in wanted.values()):
        raise ValueError("a mapping of databases is expected, each a mapping")
    if (
        not isinstance(running, Sequence)
        or isinstance(running, str)
        or not all(isinstance(row, Mapping) and "name" in row for row in running)
    ):
        raise ValueError("the rows of SHOW DATABASES are expected, mappings with a name")
    rows = {row["name"]: row for row in running if row["name"] != "pgbouncer"}
    differences = [f"{name}: wanted, not running" for name in wanted if name not in rows]
    differences += [f"{name}: running, not wanted" for name in rows if name not in wanted]
    for name, keys in wanted.items():
        for key, value in keys.items():
            column = next((column for column in COLUMNS.get(key, ()) if column in rows.get(name, {})), None)
            if column is not None and rows[name][column] != str(value):
                differences.append(f"{name}.{key}: running {rows[name][column]}, wanted {value}")
    return differences
