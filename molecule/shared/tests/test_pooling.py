"""Pooling as the application sees it: behaviour of the running servers, not contents of files."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from typing import Any

from testinfra.host import Host

Python = Callable[[str], Any]
Query = Callable[[str], str]


def rows(text: str) -> list[dict[str, str]]:
    """CSV of the console as mappings."""
    return list(csv.DictReader(io.StringIO(text)))


def test_many_clients_share_few_backends(python: Python, console: Query) -> None:
    """100 clients that are connected at once and all get their transactions, on no more backends than the plan has."""
    database = next(row for row in rows(console("SHOW DATABASES")) if row["name"] == "app")
    allowed = int(database["max_connections"])
    result = python("""
import json
clients, done, pids = 100, [], set()
connected = threading.Barrier(clients + 1)
def client():
    with connect(autocommit=True) as connection:
        connected.wait(60)
        for _ in range(20):
            with connection.transaction():
                pids.add(backend(connection.cursor()))
                connection.execute("SELECT pg_sleep(0.001)")
        done.append(1)
threads = [threading.Thread(target=client) for _ in range(clients)]
for thread in threads: thread.start()
connected.wait(60)
direct = psycopg.connect(**{"host": DATABASES["default_direct"]["HOST"], "user": "app", "dbname": "app",
                            "password": POOLED["PASSWORD"], "autocommit": True})
most = 0
while any(thread.is_alive() for thread in threads):
    most = max(most, direct.execute("SELECT count(*) FROM pg_stat_activity WHERE usename = 'app' "
                                    "AND pid <> pg_backend_pid()").fetchone()[0])
    time.sleep(0.02)
print(json.dumps({"served": len(done), "backends": most, "pids": len(pids)}))
""")
    assert result["served"] == 100
    assert 1 < result["backends"] <= allowed < 100, result


def test_transactions_of_one_client_land_on_different_backends(python: Python) -> None:
    """A client gets another backend when the one it had is taken between two of its transactions."""
    assert python("""
import json
first, second = connect(autocommit=True), connect(autocommit=True)
for attempt in range(20):
    with first.transaction():
        before = backend(first.cursor())
    with second.transaction():
        if backend(second.cursor()) != before:
            continue
        with first.transaction():
            after = backend(first.cursor())
        break
print(json.dumps(before != after))
""")


def test_transaction_stays_on_its_backend(python: Python) -> None:
    """All statements of one transaction run on the same backend, whatever the others do."""
    pids = python("""
import json
stop = threading.Event()
def noise():
    with connect(autocommit=True) as connection:
        while not stop.is_set():
            connection.execute("SELECT 1")
threads = [threading.Thread(target=noise) for _ in range(5)]
for thread in threads: thread.start()
with connect() as connection:
    pids = [backend(connection.cursor()) for _ in range(50)]
stop.set()
print(json.dumps(sorted(set(pids))))
""")
    assert len(pids) == 1


def test_open_client_survives_a_reload(python: Python, pooler: Host) -> None:
    """A reload in the middle of a transaction leaves the client its connection and its backend."""
    reloaded = "systemctl show pgbouncer --property=StateChangeTimestampMonotonic --value"
    before = int(pooler.run(reloaded).stdout)
    assert (
        pooler.run(
            "systemd-run --on-active=2 --timer-property=AccuracySec=100ms systemctl reload pgbouncer"
        ).rc
        == 0
    )
    same = python("""
import json
with connect() as connection:
    pids = set()
    end = time.time() + 5
    while time.time() < end:
        pids.add(backend(connection.cursor()))
        time.sleep(0.1)
print(json.dumps(len(pids) == 1))
""")
    assert same
    assert int(pooler.run(reloaded).stdout) > before, "no reload happened meanwhile"


def test_wrong_password_is_refused(python: Python) -> None:
    """A wrong password is refused, and the right one works after it."""
    message = python("""
import json
try:
    connect(password="wrong")
    message = "logged in"
except psycopg.OperationalError as error:
    message = str(error)
connect().close()
print(json.dumps(message))
""")
    assert "authentication failed" in message


def test_console_is_closed_to_the_application(python: Python) -> None:
    """The application's user may not log in to the admin console."""
    message = python("""
import json
try:
    connect(dbname="pgbouncer", autocommit=True)
    message = "logged in"
except psycopg.OperationalError as error:
    message = str(error)
print(json.dumps(message))
""")
    assert "not allowed" in message, message


def test_django_reads_and_writes_through_both_aliases(python: Python) -> None:
    """The generated settings import, Django queries with them, and each alias goes where it says."""
    result = python("""
import json
from django.db import models
class Note(models.Model):
    text = models.TextField()
    class Meta:
        app_label = "proof"
with connections["default_direct"].schema_editor() as editor:
    editor.create_model(Note)
with transaction.atomic():
    Note.objects.create(text="ü ' %")
found = list(Note.objects.using("default_direct").values_list("text", flat=True))
iterated = [note.text for note in Note.objects.all().iterator(chunk_size=1)]
ports = {alias: connections[alias].settings_dict["PORT"] for alias in DATABASES}
with connections["default_direct"].schema_editor() as editor:
    editor.delete_model(Note)
print(json.dumps([found, iterated, ports]))
""")
    assert result == [["ü ' %"], ["ü ' %"], {"default": 6432, "default_direct": 5432}]


def test_verifier_is_the_servers(pooler: Host, sql: Query) -> None:
    """PgBouncer's userlist carries the verifier byte by byte as PostgreSQL stores it, readable by the service alone."""
    userlist = pooler.file("/etc/pgbouncer/userlist.txt")
    assert sql("SELECT rolpassword FROM pg_authid WHERE rolname = 'app'") in userlist.content_string
    assert (userlist.user, userlist.group, userlist.mode) == ("root", "postgres", 0o640)


def test_crashed_pooler_comes_back(pooler: Host, python: Python) -> None:
    """After kill -9 the service is up again within seconds and serves."""
    assert pooler.run("systemctl kill --signal=KILL pgbouncer").rc == 0
    assert python("""
import json
end = time.time() + 10
while True:
    try:
        print(json.dumps(connect(connect_timeout=2).execute("SELECT 1").fetchone()[0] == 1))
        break
    except psycopg.OperationalError:
        if time.time() > end: raise
        time.sleep(0.1)
""")


def test_file_limit_is_raised(pooler: Host) -> None:
    """The process may open more files than the 1024 of the package, or as many as the lab's kernel allows."""
    limits = "grep 'Max open files' /proc/$(systemctl show -p MainPID --value pgbouncer)/limits | awk '{print $4, $5}'"
    soft, hard = pooler.run(limits).stdout.split()
    assert int(soft) == min(65536, int(hard)) > 1024


def test_role_cannot_outgrow_the_plan(python: Python, sql: Query) -> None:
    """Clients that bypass the pooler are held to the role's connection limit by PostgreSQL itself."""
    limit = int(sql("SELECT rolconnlimit FROM pg_roles WHERE rolname = 'app'"))
    opened = python(f"""
import json
direct = {{"host": DATABASES["default_direct"]["HOST"], "port": 5432}}
opened, message = [], ""
try:
    for _ in range({limit} + 1):
        opened.append(connect(**direct))
except psycopg.OperationalError as error:
    message = str(error)
print(json.dumps([len(opened), message]))
""")
    assert opened[0] <= limit
    assert "too many connections for role" in opened[1]
