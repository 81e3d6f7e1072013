"""Hosts of the scenario, and Django, psql and the console on them."""

from __future__ import annotations

import json
import os
import shlex
from collections.abc import Callable
from typing import Any

import pytest
import testinfra
from testinfra.host import Host
from testinfra.utils.ansible_runner import AnsibleRunner

RUNNER = AnsibleRunner(os.environ["MOLECULE_INVENTORY_FILE"])
PASSWORD: str = RUNNER.get_variables(RUNNER.get_hosts("database")[0])["pooling_users"]["app"]["password"]
# a program on an app host that has the generated settings and psycopg
PRELUDE = """
import sys, threading, time
sys.path.insert(0, "/etc/djangoops-pooling")
import django, psycopg
from django.conf import settings
from pooling_databases import DATABASES
settings.configure(DATABASES=DATABASES)
django.setup()
from django.db import connection, connections, transaction

POOLED = DATABASES["default"]

def connect(**changes):
    login = {"host": POOLED["HOST"], "port": POOLED["PORT"], "user": POOLED["USER"], "dbname": POOLED["NAME"],
             "password": POOLED["PASSWORD"], "connect_timeout": 10, "prepare_threshold": None, **changes}
    return psycopg.connect(**login)

def backend(cursor):
    return cursor.execute("SELECT pg_backend_pid()").fetchone()[0]
"""


def _host(group: str) -> Host:
    return testinfra.get_host(f"docker://{RUNNER.get_hosts(group)[0]}")


@pytest.fixture(scope="session")
def database() -> Host:
    """The PostgreSQL host."""
    return _host("database")


@pytest.fixture(scope="session")
def pooler() -> Host:
    """The PgBouncer host."""
    return _host("pooler")


@pytest.fixture(scope="session")
def app() -> Host:
    """The app host."""
    return _host("app")


@pytest.fixture(scope="session")
def python(app: Host) -> Callable[[str], Any]:
    """Run a program on the app host with Django's Python; returns what it printed, read as JSON."""

    def run(program: str) -> Any:
        environment = f"APP_DB_PASSWORD={shlex.quote(PASSWORD)} PGPASSWORD={shlex.quote(PASSWORD)}"
        result = app.run(f"{environment} /opt/django/bin/python -c {shlex.quote(PRELUDE + program)}")
        assert result.rc == 0, result.stderr
        return json.loads(result.stdout)

    return run


@pytest.fixture(scope="session")
def sql(database: Host) -> Callable[[str], str]:
    """Run a statement on the server as its superuser, past the pooler."""

    def run(statement: str) -> str:
        result = database.run(f"cd / && runuser -u postgres -- psql -XAtd app -c {shlex.quote(statement)}")
        assert result.rc == 0, result.stderr
        return str(result.stdout).strip()

    return run


@pytest.fixture(scope="session")
def console(pooler: Host) -> Callable[[str], str]:
    """Run a command on PgBouncer's console as its operating system user; returns CSV."""

    def run(command: str) -> str:
        psql = "psql -Xh /var/run/postgresql -p 6432 -U pgbouncer --csv -d pgbouncer"
        result = pooler.run(f"cd / && runuser -u postgres -- {psql} -c {shlex.quote(command)}")
        assert result.rc == 0, result.stderr
        return str(result.stdout)

    return run
