"""What the matrix asks of each strategy. A cell works if its function returns; what it raises is what one sees.

    python -m shop.cells ALIAS...        prints {alias: {cell: null or message}} as JSON

A check that only asks whether a statement runs would find everything to work: most of what breaks behind a pooler breaks
when the next statement lands on another server connection, without an error. So each check has others take the server
connection between two statements, and then looks for the effect.
"""

import contextlib
import json
import os
import select
import subprocess
import sys
from pathlib import Path
from unittest import mock

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "shop.settings")
django.setup()

from django.core.management import call_command
from django.db import connections, transaction

from shop.connections import busy_others, client, fresh_server_connections, query, raw, request, unique
from shop.models import Order

try:
    import psycopg
except ImportError:
    psycopg = None

CELLS = {}
NOTIFIED_WITHIN_SECONDS = 1
REQUESTS = 6


def cell(function):
    """Register a check by its name."""
    CELLS[function.__name__] = function
    return function


@cell
def reads_and_writes(alias):
    """Create, read, update and delete."""
    orders = Order.objects.using(alias)
    new = orders.create(item=f"lamp {unique()}")
    assert orders.get(item=new.item).pk == new.pk
    assert orders.filter(pk=new.pk).update(amount=2) == 1
    new.refresh_from_db(using=alias)
    assert new.amount == 2
    new.delete(using=alias)
    assert not orders.filter(pk=new.pk).exists()


def _seen_by_others(item):
    with client("direct") as other:
        return query(other, "SELECT count(*) FROM shop_order WHERE item = %s", item)


@cell
def atomic(alias):
    """A block that is left by an exception leaves nothing behind, one that ends is there for others."""
    orders, item = Order.objects.using(alias), f"lamp {unique()}"
    try:
        with transaction.atomic(using=alias):
            orders.create(item=item)
            raise KeyError
    except KeyError:
        pass
    assert not orders.filter(item=item).exists(), "not rolled back"
    with transaction.atomic(using=alias):
        orders.create(item=item)
        with busy_others(alias):
            assert orders.filter(item=item).exists(), "the transaction changed its server connection"
        assert not _seen_by_others(item), "seen before the commit"
    assert _seen_by_others(item), "not committed"


@cell
def nested_atomic(alias):
    """The inner block is rolled back alone."""
    orders, item = Order.objects.using(alias), f"lamp {unique()}"
    with transaction.atomic(using=alias):
        orders.create(item=item)
        try:
            with transaction.atomic(using=alias):
                orders.create(item=item)
                raise KeyError
        except KeyError:
            pass
    assert orders.filter(item=item).count() == 1


def _iterate(alias):
    """Read rows in chunks while others take the server connections."""
    orders, item = Order.objects.using(alias), f"lamp {unique()}"
    for _ in range(5):
        orders.create(item=item)
    rows = orders.filter(item=item).iterator(chunk_size=2)
    next(rows)
    with busy_others(alias):
        assert sum(1 for _ in rows) == 4


def _server_side_cursors(alias):
    return mock.patch.dict(connections[alias].settings_dict, {"DISABLE_SERVER_SIDE_CURSORS": False})


@cell
def iterator(alias):
    """iterator() with the settings as the role wrote them."""
    _iterate(alias)


@cell
def server_side_cursor(alias):
    """iterator() with DISABLE_SERVER_SIDE_CURSORS false."""
    fresh_server_connections(alias)
    with _server_side_cursors(alias):
        _iterate(alias)


@cell
def server_side_cursor_in_atomic(alias):
    """The same in a transaction."""
    with _server_side_cursors(alias), transaction.atomic(using=alias):
        _iterate(alias)


def prepared_statements(alias):
    """The driver's own, which Django leaves off: the same statement again on another server connection."""
    fresh_server_connections(alias)
    connection = raw(connections[alias])
    connection.prepare_threshold = 0
    with contextlib.closing(psycopg.Cursor(connection)) as cursor:
        assert cursor.execute("SELECT %s::int", [1]).fetchone() == (1,)
        with busy_others(alias):
            assert cursor.execute("SELECT %s::int", [2]).fetchone() == (2,)
    connection.prepare_threshold = None


if psycopg:  # psycopg2 prepares none
    cell(prepared_statements)


@cell
def sql_prepare(alias):
    """PREPARE and EXECUTE written as SQL."""
    name = f"prepared_{unique()}"
    query(connections[alias], f"PREPARE {name} AS SELECT 1")
    with busy_others(alias):
        assert query(connections[alias], f"EXECUTE {name}") == 1


@cell
def select_for_update(alias):
    """A row that is locked in a transaction is locked for others until its end."""
    new = Order.objects.using(alias).create(item="lamp")
    row = "SELECT id FROM shop_order WHERE id = %s FOR UPDATE SKIP LOCKED"
    with client("direct") as other:
        with transaction.atomic(using=alias):
            Order.objects.using(alias).select_for_update().get(pk=new.pk)
            with busy_others(alias):
                assert query(other, row, new.pk) is None, "not locked"
        assert query(other, row, new.pk) == new.pk, "still locked"


@cell
def session_advisory_lock(alias):
    """A lock that is taken in one statement and given back in another."""
    connection, key = connections[alias], unique()
    query(connection, "SELECT pg_advisory_lock(%s)", key)
    with client("direct") as other:
        assert not query(other, "SELECT pg_try_advisory_lock(%s)", key), "not locked"
    with busy_others(alias):
        assert query(connection, "SELECT pg_advisory_unlock(%s)", key), (
            "the lock stays: not its holder any more"
        )


@cell
def transaction_advisory_lock(alias):
    """A lock until the end of the transaction."""
    key = unique()
    with client("direct") as other:
        with transaction.atomic(using=alias):
            query(connections[alias], "SELECT pg_advisory_xact_lock(%s)", key)
            with busy_others(alias):
                assert not query(other, "SELECT pg_try_advisory_xact_lock(%s)", key), "not locked"
        assert query(other, "SELECT pg_try_advisory_xact_lock(%s)", key), "still locked"


def _notified(connection):
    """Whether a notification arrives within a second."""
    driver = raw(connection)
    if psycopg:
        return any(True for _ in driver.notifies(timeout=NOTIFIED_WITHIN_SECONDS, stop_after=1))
    select.select([driver], [], [], NOTIFIED_WITHIN_SECONDS)
    driver.poll()
    return bool(driver.notifies)


@cell
def listen(alias):
    """Be told what others NOTIFY."""
    channel = f"channel_{unique()}"
    query(connections[alias], f"LISTEN {channel}")
    with busy_others(alias):
        query(connections["direct"], f"NOTIFY {channel}")
    assert _notified(connections[alias]), "the notification does not arrive"


@cell
def notify(alias):
    """NOTIFY others."""
    channel = f"channel_{unique()}"
    with client("direct") as other:
        query(other, f"LISTEN {channel}")
        query(connections[alias], f"NOTIFY {channel}")
        assert _notified(other), "the notification does not arrive"


@cell
def temporary_table(alias):
    """A temporary table for more than one transaction."""
    table = f"temporary_{unique()}"
    query(connections[alias], f"CREATE TEMPORARY TABLE {table} (id int)")
    with busy_others(alias):
        query(connections[alias], f"SELECT count(*) FROM {table}")


@cell
def temporary_table_in_atomic(alias):
    """One that the transaction's end drops."""
    table = f"temporary_{unique()}"
    with transaction.atomic(using=alias):
        query(connections[alias], f"CREATE TEMPORARY TABLE {table} (id int) ON COMMIT DROP")
        with busy_others(alias):
            query(connections[alias], f"SELECT count(*) FROM {table}")


def _setting(connection, name):
    return query(connection, "SELECT coalesce(nullif(current_setting(%s, true), ''), 'default')", name)


@cell
def set_holds(alias):
    """SET is in force until the request ends."""
    name = f"shop.parameter_{unique()}"
    query(connections[alias], f"SET {name} = 'mine'")
    with busy_others(alias):
        assert _setting(connections[alias], name) == "mine", "the setting is lost"


@cell
def set_ends(alias):
    """SET is not in force any more in the next request, nor for another client."""
    name = f"shop.parameter_{unique()}"
    query(connections[alias], f"SET {name} = 'mine'")
    with request():
        pass
    with client(alias) as other:
        assert _setting(other, name) == "default", "another client has it"
    for _ in range(REQUESTS):  # a pool has several connections to choose from
        with request():
            assert _setting(connections[alias], name) == "default", "the next request has it"


@cell
def set_local(alias):
    """SET LOCAL holds for the transaction and ends with it."""
    name = f"shop.parameter_{unique()}"
    with transaction.atomic(using=alias):
        query(connections[alias], f"SET LOCAL {name} = 'mine'")
        with busy_others(alias):
            assert _setting(connections[alias], name) == "mine", "the setting is lost"
    assert _setting(connections[alias], name) == "default", "still in force"


@cell
def time_zone(alias):
    """Django's UTC is in force on every server connection, although the role has another time zone."""
    assert query(connections[alias], "SHOW TimeZone") == "UTC"
    with busy_others(alias):
        assert query(connections[alias], "SHOW TimeZone") == "UTC"


@cell
def statement_timeout_of_role(alias):
    """ALTER ROLE … SET statement_timeout holds on every server connection."""
    assert query(connections[alias], "SHOW statement_timeout") == "20s"
    with busy_others(alias):
        assert query(connections[alias], "SHOW statement_timeout") == "20s"


@cell
def statement_timeout_of_options(alias):
    """OPTIONS = {"options": "-c statement_timeout=…"}, which asks for it at the login."""
    options = {**connections[alias].settings_dict["OPTIONS"], "options": "-c statement_timeout=7s"}
    options.pop("pool", None)
    with client(alias) as other:
        other.settings_dict["OPTIONS"] = options
        assert query(other, "SHOW statement_timeout") == "7s", "dropped silently"


def _migrated():
    """Whether the real database has the table of the application catalog."""
    return "catalog_item" in connections["direct"].introspection.table_names()


def _migrate_back():
    call_command("migrate", "catalog", "zero", database="direct", verbosity=0)


@cell
def migrations(alias):
    """Forwards, with data and an index that is made concurrently, and back."""
    assert not _migrated()
    try:
        call_command("migrate", "catalog", database=alias, verbosity=0)
        assert _migrated()
    finally:
        _migrate_back()


@cell
def test_runner(alias):
    """manage.py test makes a test database, runs a test in it and drops it; the real one it leaves alone."""
    done = subprocess.run(
        [sys.executable, "manage.py", "test", "--noinput", "shop"],
        cwd=Path(__file__).parents[1],
        env={**os.environ, "SHOP_DATABASE": alias},
        capture_output=True,
        text=True,
        timeout=120,
    )
    name = f"test_{connections[alias].settings_dict['NAME']}"
    found = query(connections["direct"], "SELECT count(*) FROM pg_database WHERE datname = %s", name)
    if found:
        query(connections["direct"], f"DROP DATABASE {name} WITH (FORCE)")
    if _migrated():
        _migrate_back()
        raise AssertionError("the tests ran on the real database, and migrated it")
    assert not done.returncode, done.stderr.strip().splitlines()[-1]
    assert not found, "the test database stays"


def message(error):
    """An error on one line, without addresses."""
    lines = [line for line in str(error).strip().splitlines() if line.strip()]
    text = lines[0] if lines else type(error).__name__
    return text.rsplit("FATAL:", 1)[-1].rsplit("ERROR:", 1)[-1].strip()


def check(alias, function):
    """None if it works, else what one sees."""
    try:
        with request():
            function(alias)
    except Exception as error:  # psycopg2 raises some of its own past Django
        return message(error)
    finally:
        # whatever went wrong is no concern of the next check
        if connections[alias].connection is not None and connections[alias].errors_occurred:
            connections[alias].close()
    return None


def main():
    call_command("migrate", "shop", database="direct", verbosity=0)
    results = {
        alias: {name: check(alias, function) for name, function in CELLS.items()} for alias in sys.argv[1:]
    }
    print(json.dumps(results))


if __name__ == "__main__":
    main()
