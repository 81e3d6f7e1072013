"""Hosts of the scenario; Django, psql and the console on them; and the playbooks as an operator runs them."""

from __future__ import annotations

import functools
import json
import os
import shlex
from collections.abc import Callable
from typing import Any

import pytest
import testinfra
from runs import Run, kill, run
from testinfra.host import Host
from testinfra.utils.ansible_runner import AnsibleRunner

SITE = "djangoops.pooling.site"
RUNNER = AnsibleRunner(os.environ["MOLECULE_INVENTORY_FILE"])
PASSWORD: str = RUNNER.get_variables(RUNNER.get_hosts()[0])["pooling_users"]["app"]["password"]
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


@pytest.fixture(scope="session")
def login(app: Host, pooler: Host) -> Callable[[str], str]:
    """Log in through PgBouncer with a password; returns the error, empty when it worked."""

    def run(password: str) -> str:
        program = PRELUDE + "connect(password=sys.argv[1]).execute('SELECT 1')"
        result = app.run("APP_DB_PASSWORD=none /opt/django/bin/python -c %s %s", program, password)
        return "" if result.rc == 0 else str(result.stderr)

    return run


@pytest.fixture(scope="session")
def playbook() -> Callable[..., Run]:
    """Run a playbook with options and extra variables."""

    def start(*arguments: str, name: str = SITE, **variables: Any) -> Run:
        return run(name, *arguments, **variables)

    return start


@pytest.fixture(scope="session")
def killed_playbook() -> Callable[..., None]:
    """Run the playbook site and kill it as soon as a task of the given name begins."""
    return functools.partial(kill, SITE)


# every file with its time, mode and owner, and what is in it; every service with its process and its last reload. The time
# of a directory tells only that something was put there and taken away again.
STATE = r"""
set -e
for directory in /etc/postgresql /etc/pgbouncer /etc/systemd/system /etc/djangoops-pooling; do
    [ -e $directory ] || continue
    find $directory -printf '%p %y %m %u %g %l ' '(' -type d -printf '\n' -o -printf '%s %T@\n' ')' | sort
    find $directory -type f -exec sha256sum {} + | sort
done
systemctl show --property=Id,ActiveState,MainPID,ActiveEnterTimestampMonotonic,StateChangeTimestampMonotonic \
    'postgresql@*.service' pgbouncer.service
"""


@pytest.fixture(scope="session")
def state(database: Host, pooler: Host, app: Host, sql: Callable[[str], str]) -> Callable[[], list[str]]:
    """Everything that a run could change on any host: files, services, roles of the server."""

    def look() -> list[str]:
        lines = []
        for host in dict.fromkeys((database, pooler, app)):
            result = host.run(STATE)
            assert result.rc == 0, result.stderr
            lines += str(result.stdout).splitlines()
        lines += sql("SELECT rolname, rolconnlimit, rolpassword FROM pg_authid ORDER BY 1").splitlines()
        return [*lines, sql("SELECT pg_conf_load_time()")]

    return look
