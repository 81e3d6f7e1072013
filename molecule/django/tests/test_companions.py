"""The package djangoops_pooling against the running servers: what it says of poolers, and what it keeps and forgets."""

from __future__ import annotations

import io
import json
import subprocess
import tarfile
from pathlib import Path
from typing import Any

import pytest
from conftest import ENVIRONMENTS, HOSTS, Environment

FILES = Path(__file__).resolve().parents[3] / "roles/django_settings/files"
PLACE = "/tmp/companions"
# what a pool entry or a server lends, by the alias's strategy
LENT = {
    "pgbouncer_transaction": "transaction",
    "pgbouncer_session": "session",
    "pgbouncer_statement": "statement",
    "direct": "",
}
PRELUDE = f"""
import json, os, sys, time
sys.path[:0] = ["{PLACE}", "/etc/djangoops-pooling/" + os.path.basename(sys.prefix)]
from pooling_databases import DATABASES
from django.conf import settings
CHANGES = json.loads(sys.argv[1]) if len(sys.argv) > 1 else {{}}
for alias, change in CHANGES.items():
    DATABASES[alias].update(change)
settings.configure(DATABASES=DATABASES, INSTALLED_APPS=["djangoops_pooling"], USE_TZ=True,
                   DATABASE_ROUTERS=["djangoops_pooling.routers.DirectRouter"])
import django
django.setup()
from django.core.checks import run_checks
from django.core.management import call_command
from django.db import close_old_connections, connections
from djangoops_pooling.connections import lent, reconnect
from djangoops_pooling.middleware import measured

def backend(alias):
    with connections[alias].cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        return cursor.fetchone()[0]

def client(alias):
    return connections[alias].connection.info.backend_pid
"""


@pytest.fixture(scope="module", autouse=True)
def _package() -> None:
    """The package on each host, as the role or pip would have put it there."""
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        for path in FILES.glob("djangoops_pooling/**/*.py"):
            tar.add(path, str(path.relative_to(FILES)))
    for host in HOSTS:
        unpack = f"rm -rf {PLACE} && mkdir {PLACE} && tar -xC {PLACE}"
        subprocess.run(
            ["docker", "exec", "-i", host, "sh", "-c", unpack],
            input=archive.getvalue(),
            check=True,
            timeout=60,
        )


def run(environment: Environment, program: str, **changes: dict[str, Any]) -> Any:
    """Run a program in an environment, with settings of aliases changed; returns what it printed, read as JSON."""
    command = [*environment.command, "-c", PRELUDE + program, json.dumps(changes)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.fixture(params=ENVIRONMENTS, ids=str)
def environment(request: pytest.FixtureRequest) -> Environment:
    """Each virtual environment of each host, with psycopg 3 and psycopg2."""
    found: Environment = request.param
    return found


def test_poolers_are_told_apart(environment: Environment) -> None:
    """Without the console, and by three looks each, so that chance would show."""
    aliases = [alias for alias in LENT if alias in environment.aliases]
    assert len(aliases) == len(LENT)
    found = run(
        environment,
        f"""
print(json.dumps({{alias: [lent(connections[alias])[0] for _ in range(3)] for alias in {aliases!r}}}))
""",
    )
    assert found == {alias: [LENT[alias]] * 3 for alias in aliases}


def test_what_the_check_says(environment: Environment) -> None:
    """Nothing of the role's own settings, except in statement mode; and what each contradiction is called."""
    program = """
print(json.dumps({alias: [message.id.split(".")[1] for message in run_checks(databases=[alias])]
                  for alias in ("pgbouncer_transaction", "pgbouncer_session", "pgbouncer_statement", "direct")}))
"""
    right = {
        "pgbouncer_transaction": [],
        "pgbouncer_session": [],
        "pgbouncer_statement": ["E001"],
        "direct": [],
    }
    assert run(environment, program) == right
    wrong = {
        "pgbouncer_transaction": {"DISABLE_SERVER_SIDE_CURSORS": False, "CONN_MAX_AGE": None},
        "pgbouncer_session": {"DISABLE_SERVER_SIDE_CURSORS": True},
        "direct": {"CONN_MAX_AGE": 60, "CONN_HEALTH_CHECKS": False, "PORT": 1},
    }
    assert run(environment, program, **wrong) == {
        "pgbouncer_transaction": ["W003", "W006"],
        "pgbouncer_session": ["W002"],
        "pgbouncer_statement": ["E001"],
        "direct": ["W001"],
    }


def test_reconnecting(environment: Environment) -> None:
    """A new connection each time; by the command too, which names what is there."""
    program = """
import io
before = backend("direct")
seconds = reconnect("direct")
out = io.StringIO()
call_command("reconnect", "--database", "direct", "--database", "pgbouncer_transaction", stdout=out)
print(json.dumps([before != backend("direct"), 0 < seconds < 5, out.getvalue()]))
"""
    new, in_time, said = run(environment, program)
    assert new and in_time
    direct, pooled = said.splitlines()
    assert direct.startswith("direct: open after ") and direct.endswith(" ms, to PostgreSQL itself")
    assert pooled.endswith(" ms, to a pooler that lends by transaction")


def test_new_connections_are_counted(environment: Environment) -> None:
    """One for the first request, none while CONN_MAX_AGE keeps it, and one for each with 0."""
    program = """
counts = []
for alias in ("pgbouncer_transaction", "direct"):
    for _ in range(3):
        with measured() as opened:
            backend(alias)
        assert all(0 < seconds < 5 for _, seconds in opened)
        counts.append([name for name, _ in opened])
        close_old_connections()
print(json.dumps(counts))
"""
    assert run(environment, program) == [
        ["pgbouncer_transaction"],
        [],
        [],
        ["direct"],
        ["direct"],
        ["direct"],
    ]


def test_a_fork_leaves_the_parents_connection_alone(environment: Environment) -> None:
    """The child gets one of its own; when it is gone, the parent's is still there. So it is with Django's own pool."""
    aliases = [alias for alias in ("direct", "hybrid") if alias in environment.aliases]
    program = f"""
result = []
for alias in {aliases!r}:
    connections[alias].ensure_connection()
    mine = client(alias)
    reader, writer = os.pipe()
    child = os.fork()
    if not child:
        backend(alias)
        os.write(writer, str(client(alias)).encode())
        connections[alias].close()
        getattr(connections[alias], "close_pool", int)()
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    theirs = int(os.read(reader, 20))
    backend(alias)
    result.append([theirs != mine, client(alias) == mine])
    connections[alias].close()
    getattr(connections[alias], "close_pool", int)()
print(json.dumps(result))
"""
    assert run(environment, program) == [[True, True]] * len(aliases)


def test_celery_keeps_connections_as_their_age_says(environment: Environment) -> None:
    """A worker's signals, one task after another: the same connection, until it is too old."""
    program = """
from celery import Celery, signals
import djangoops_pooling.celery
app = Celery("companions")
djangoops_pooling.celery.install(app)

@app.task
def task():
    backend("pgbouncer_transaction")

def once():
    signals.task_prerun.send(sender=task)
    task.run()
    number = client("pgbouncer_transaction")
    signals.task_postrun.send(sender=task)
    return number

first, second = once(), once()
connections["pgbouncer_transaction"].close_at = time.monotonic()
third = once()
print(json.dumps([first == second, second != third, app.conf["CELERY_DB_REUSE_MAX"] > 1_000_000]))
"""
    assert run(environment, program) == [True, True, True]
