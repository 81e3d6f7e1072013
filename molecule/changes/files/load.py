"""Clients that run transactions through the pooler without pause until standard input ends. Run with Django's Python.

Argument: {"user", "password", "dbname", "port", "persistent", "short"}: numbers of clients that keep their connection and
that make a new one for each transaction. Prints for both kinds {"done": transactions, "refused": connections that nobody
accepted, "failed": connections or transactions that broke off, "longest": seconds the slowest took, with its login}, and
"errors": message -> number.
"""

from __future__ import annotations

import collections
import json
import sys
import threading
import time

import psycopg

argument = json.loads(sys.argv[1])
login = {key: argument[key] for key in ("user", "password", "dbname", "port")}
login |= {"host": "127.0.0.1", "connect_timeout": 30, "prepare_threshold": None}
stop = threading.Event()
counts = {kind: {"done": 0, "refused": 0, "failed": 0, "longest": 0.0} for kind in ("persistent", "short")}
errors: collections.Counter[str] = collections.Counter()
lock = threading.Lock()


def transact(connection: psycopg.Connection) -> None:
    with connection.transaction():
        connection.execute("SELECT 1")
        connection.execute("SELECT 2")


def attempt(kind: str, connection: psycopg.Connection | None) -> psycopg.Connection | None:
    """One transaction; returns the connection if it may be used again."""
    begin = time.monotonic()
    try:
        if connection is None:
            connection = psycopg.connect(**login)
        transact(connection)
        if kind == "short":
            connection.close()
            connection = None
        outcome = "done"
    except psycopg.Error as error:
        message = " ".join(str(error).split())
        outcome = "refused" if "Connection refused" in message else "failed"
        with lock:
            errors[f"{kind}: {message}"] += 1
        if connection is not None:
            connection.close()
        connection = None
    with lock:
        counts[kind][outcome] += 1
        counts[kind]["longest"] = max(counts[kind]["longest"], round(time.monotonic() - begin, 3))
    return connection


def client(kind: str) -> None:
    connection = None
    while not stop.is_set():
        connection = attempt(kind, connection)
        time.sleep(0.02 if kind == "persistent" else 0.04)


threads = [threading.Thread(target=client, args=(kind,)) for kind in counts for _ in range(argument[kind])]
for thread in threads:
    thread.start()
print("running", flush=True)
sys.stdin.read()
stop.set()
for thread in threads:
    thread.join()
print(json.dumps({**counts, "errors": errors}))
