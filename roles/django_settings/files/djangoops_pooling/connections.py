# Copyright: the djangoops.pooling authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Ask what is at the other end of an alias; open it anew; forget what a fork has copied."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Iterator
from typing import Any

from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper

# How often to look whether the pooler lends a server connection to somebody else; once is enough when nobody else is there.
LOOKS = 5

_inherited: list[Any] = []


def forget_inherited() -> None:
    """Leave connections and pools to the parent process; this one opens its own when it needs them.

    Nothing is closed: a message of goodbye from here would end the session of the parent. The objects are kept, so that
    no destructor closes them either.
    """
    for connection in connections.all(initialized_only=True):
        _inherited.append(connection.connection)
        connection.connection = None
        # Django's own pools, by alias
        pools = getattr(connection, "_connection_pools", {})
        _inherited.append(pools.pop(connection.alias, None))
    if "dj_db_conn_pool" in sys.modules:
        from dj_db_conn_pool.core import pool_container

        _inherited.append(dict(pool_container))
        pool_container.clear()


def reconnect(alias: str, wait: float = 0) -> float:
    """Close an alias's connection and its pool, open them again, and return the seconds that the opening took.

    Tries again for `wait` seconds; raises Django's OperationalError when the last try fails too.
    """
    connection = connections[alias]
    connection.close()
    if hasattr(connection, "close_pool"):
        connection.close_pool()
    end = time.monotonic() + wait
    while True:
        begin = time.perf_counter()
        try:
            with connection.cursor() as cursor:
                cursor.execute("SELECT 1")
            return time.perf_counter() - begin
        except connection.Database.OperationalError:
            connection.close()
            if time.monotonic() >= end:
                raise
            time.sleep(0.2)


@contextlib.contextmanager
def _session(connection: BaseDatabaseWrapper) -> Iterator[Any]:
    """A connection of the driver with the alias's parameters, in autocommit; in no pool of the process."""
    raw = connection.Database.connect(**connection.get_connection_params())
    try:
        raw.autocommit = True
        yield raw
    finally:
        raw.close()


def _backend(raw: Any) -> int:
    with raw.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        return int(cursor.fetchone()[0])


def lent(connection: BaseDatabaseWrapper) -> tuple[str, int | None]:
    """For how long a pooler lends a server connection to this alias, and how many prepared statements it keeps.

    The first is session, transaction or statement, and empty where no pooler is; the second None where it is not known.
    PgBouncer 1.26 says both when a client logs in. Others are found out, with two connections and no console: a pooler
    hands out a process number of its own, and one that lends by transaction gives the same server connection to the
    second while the first is still there. Raises the driver's OperationalError when nobody answers.
    """
    with _session(connection) as first:
        mode = first.info.parameter_status("pgbouncer.pool_mode")
        if mode:
            return str(mode), int(first.info.parameter_status("pgbouncer.max_prepared_statements") or 0)
        backend = _backend(first)
        if backend == first.info.backend_pid:
            return "", None
        with _session(connection) as second:
            for _ in range(LOOKS):
                try:
                    with second.cursor() as cursor:
                        cursor.execute("BEGIN")
                    other = _backend(second)
                    with second.cursor() as cursor:
                        cursor.execute("ROLLBACK")
                except connection.Database.Error as exc:
                    if "statement pooling" in str(exc):
                        return "statement", None
                    raise
                if other == backend or _backend(first) != backend:
                    return "transaction", None
    return "session", None
