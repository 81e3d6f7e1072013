"""Requests, and other clients beside them."""

import contextlib
import itertools
import subprocess
import threading
import time

from django.core.signals import request_finished, request_started
from django.db import connections
from django.db.backends.postgresql.base import DatabaseWrapper

PATIENCE_SECONDS = 30
PGBOUNCER_PORT = 6432
_numbers = itertools.count(int(time.time() * 1000) % 1_000_000_000)


def unique():
    """A number that nobody else uses: what one check leaves behind in a shared server connection misleads no other."""
    return next(_numbers)


@contextlib.contextmanager
def request():
    """One request as Django's handlers frame it; between two of them connections are kept, tested or closed."""
    request_started.send(None, environ={})
    try:
        yield
    finally:
        request_finished.send(None)


def query(connection, statement, *parameters):
    """First column of the first row, None without rows."""
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        row = cursor.fetchone() if cursor.description else None
    return row and row[0]


def raw(connection):
    """The driver's own connection, below Django and below a pool."""
    connection.ensure_connection()
    return getattr(connection.connection, "driver_connection", connection.connection)


@contextlib.contextmanager
def client(alias):
    """Another client of the same database entry, by Django's plain backend whatever the alias has."""
    settings = {**connections[alias].settings_dict, "ENGINE": "django.db.backends.postgresql", "OPTIONS": {}}
    connection = DatabaseWrapper(settings, f"{alias}_client")
    try:
        yield connection
    finally:
        connection.close()


@contextlib.contextmanager
def busy_others(alias):
    """Other clients that keep those server connections busy which are free now.

    Whoever goes on meanwhile gets another server connection, if the pooler hands them out anew. They wait for a lock in
    one single statement, so that this works without transactions too.
    """
    key = unique()
    with client("direct") as gate:
        query(gate, "SELECT pg_advisory_lock(%s)", key)
        threads = [threading.Thread(target=_wait_for, args=(alias, key)) for _ in range(2)]
        for thread in threads:
            thread.start()
        waiting = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objid = %s AND NOT granted"
        end = time.monotonic() + PATIENCE_SECONDS
        while query(gate, waiting, key) < len(threads):
            assert time.monotonic() < end, "the other clients got no server connection"
            time.sleep(0.005)
        try:
            yield
        finally:
            query(gate, "SELECT pg_advisory_unlock(%s)", key)
            for thread in threads:
                thread.join()


def fresh_server_connections(alias):
    """Have PgBouncer drop its server connections: what an earlier check left there by the same name would be found."""
    settings = connections[alias].settings_dict
    if settings["PORT"] == PGBOUNCER_PORT:
        console = [
            "psql",
            "-Xqh",
            "/var/run/postgresql",
            "-p",
            str(PGBOUNCER_PORT),
            "-U",
            "pgbouncer",
            "pgbouncer",
        ]
        command = ["runuser", "-u", "postgres", "--", *console, "-c", f"RECONNECT {settings['NAME']}"]
        subprocess.run(command, check=True, capture_output=True, cwd="/")


def _wait_for(alias, key):
    with client(alias) as connection:
        query(connection, "SELECT pg_advisory_xact_lock_shared(%s)", key)
