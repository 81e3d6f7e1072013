#!/opt/django/bin/python
"""Django under load on an app host: many client connections at once, each held and at work. Prints JSON.

Uses the settings file that the role django_settings wrote, nothing else knows where the database is. Each thread is one
client and does what a gunicorn thread does: connection housekeeping, one request with a few ORM queries in a
transaction, housekeeping.
"""

from __future__ import annotations

import argparse
import collections
import json
import multiprocessing
import sys
import threading
import time

import django
from django.conf import settings

sys.path.insert(0, "/etc/djangoops-pooling")
from pooling_databases import DATABASES  # type: ignore[import-not-found]  # written by the role, on the app hosts

# The direct alias closes after each use, being meant for migrations. To compare, it holds connections as the pooled one.
DATABASES["default_direct"]["CONN_MAX_AGE"] = DATABASES["default"]["CONN_MAX_AGE"]
settings.configure(DATABASES=DATABASES, USE_TZ=True)
django.setup()

from django.db import DatabaseError, close_old_connections, connections, models, transaction


class Visit(models.Model):
    """The table that the requests write to and read from."""

    page = models.IntegerField()
    at = models.DateTimeField(auto_now_add=True)

    class Meta:
        app_label = "lab"


def prepare() -> None:
    """Make the table, through the direct alias as a migration would."""
    with connections["default_direct"].schema_editor() as editor:
        if Visit._meta.db_table in connections["default_direct"].introspection.table_names():
            editor.delete_model(Visit)
        editor.create_model(Visit)


def request(alias: str, number: int) -> None:
    """One web request: an insert and two reads in one transaction."""
    with transaction.atomic(using=alias):
        Visit.objects.using(alias).create(page=number % 50)
        Visit.objects.using(alias).filter(page=number % 50).order_by("-id").first()
        list(Visit.objects.using(alias).order_by("-id").values_list("page", flat=True)[:10])


class Client(threading.Thread):
    """One client connection: connects, waits for the common start, and serves requests until the end."""

    def __init__(self, alias: str, start: float, end: float) -> None:
        super().__init__()
        self.alias, self.begin, self.end = alias, start, end
        self.milliseconds: list[float] = []
        self.errors: collections.Counter[str] = collections.Counter()

    def failed(self, error: DatabaseError) -> None:
        """Count an error by what the server said, without the address before it."""
        self.errors[str(error).strip().split("FATAL:")[-1].strip().splitlines()[-1]] += 1
        connections[self.alias].close()

    def attempt(self, number: int) -> None:
        """Serve one request and note how long it took, or the error."""
        started = time.monotonic()
        try:
            close_old_connections()
            request(self.alias, number)
            close_old_connections()
        except DatabaseError as error:
            self.failed(error)
            # what a client without a connection does costs nothing to wait for
            time.sleep(0.5)
        else:
            # after the end others let go of their connections: what is served only then does not count
            if time.time() <= self.end:
                self.milliseconds.append((time.monotonic() - started) * 1000)

    def run(self) -> None:
        try:
            connections[self.alias].ensure_connection()
        except DatabaseError as error:
            self.failed(error)
        time.sleep(max(0.0, self.begin - time.time()))
        number = 0
        while time.time() < self.end:
            self.attempt(number)
            number += 1
        connections.close_all()


def worker(alias: str, threads: int, start: float, end: float, results: multiprocessing.Queue) -> None:
    """One process with its threads, as gunicorn's gthread worker."""
    clients = [Client(alias, start, end) for _ in range(threads)]
    for client in clients:
        client.start()
    for client in clients:
        client.join()
    results.put([(client.milliseconds, dict(client.errors)) for client in clients])


def main() -> None:
    parser = argparse.ArgumentParser(description="Django under load; prints JSON")
    parser.add_argument("--prepare", action="store_true", help="make the table and end")
    parser.add_argument("--alias", default="default")
    parser.add_argument("--processes", type=int, default=40)
    parser.add_argument("--threads", type=int, default=4)
    parser.add_argument(
        "--start", type=float, default=0.0, help="when all clients begin, seconds since the epoch"
    )
    parser.add_argument("--seconds", type=float, default=10.0)
    arguments = parser.parse_args()
    if arguments.prepare:
        prepare()
        return

    start = arguments.start or time.time() + 1
    context = multiprocessing.get_context("fork")  # Django is loaded once, as with gunicorn --preload
    results = context.Queue()
    processes = [
        context.Process(
            target=worker,
            args=(arguments.alias, arguments.threads, start, start + arguments.seconds, results),
        )
        for _ in range(arguments.processes)
    ]
    for process in processes:
        process.start()
    clients = [client for _ in processes for client in results.get()]
    for process in processes:
        process.join()
    errors: collections.Counter[str] = collections.Counter()
    for _, found in clients:
        errors.update(found)
    print(
        json.dumps(
            {
                "clients": len(clients),
                "served": sum(1 for milliseconds, _ in clients if milliseconds),
                "errors": errors,
                "milliseconds": [round(value, 2) for milliseconds, _ in clients for value in milliseconds],
            }
        )
    )


if __name__ == "__main__":
    main()
