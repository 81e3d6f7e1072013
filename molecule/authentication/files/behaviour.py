"""How pools and timeouts behave; prints what was seen as JSON."""

from __future__ import annotations

import json
import threading
import time

import psycopg


def connect(database: str) -> psycopg.Connection:
    """A client that runs each statement by itself."""
    return psycopg.connect(
        host="127.0.0.1",
        port=6432,
        user="plain",
        password="right",
        dbname=database,
        autocommit=True,
        prepare_threshold=None,
        connect_timeout=10,
    )


def backend(connection: psycopg.Connection) -> int:
    """The server process that answers."""
    return connection.execute("SELECT pg_backend_pid()").fetchone()[0]


def session() -> object:
    """Two clients that take turns: the backends of each."""
    clients = [connect("session"), connect("session")]
    seen = [[backend(client) for client in clients] for _turn in range(4)]
    return [sorted(set(pids)) for pids in zip(*seen, strict=True)]


def transaction() -> object:
    """Clients at once, each with transactions one after another: how many clients, and how many backends they had."""
    pids: set[int] = set()
    clients = [connect("app") for _number in range(12)]

    def work(client: psycopg.Connection) -> None:
        for _number in range(5):
            with client.transaction():
                first = backend(client)
                client.execute("SELECT pg_sleep(0.01)")
                assert backend(client) == first
                pids.add(first)

    threads = [threading.Thread(target=work, args=(client,)) for client in clients]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return [len(clients), len(pids)]


def failure(client: psycopg.Connection, statement: str) -> list[object]:
    """The message of a statement, and the seconds until it came."""
    begin = time.monotonic()
    try:
        client.execute(statement)
        return ["", 0]
    except psycopg.Error as error:
        return [str(error), time.monotonic() - begin]


def statement() -> object:
    """Single statements work, a transaction does not."""
    client = connect("statement")
    backend(client)
    return failure(client, "BEGIN")


def query_wait() -> object:
    """A client waits for the only backend, which another one keeps."""
    keeper, waiting = connect("one"), connect("one")
    thread = threading.Thread(target=keeper.execute, args=("SELECT pg_sleep(5)",))
    thread.start()
    time.sleep(0.5)
    seen = failure(waiting, "SELECT 1")
    thread.join()
    return [*seen, keeper.execute("SELECT 1").fetchone()[0]]


def idle_transaction() -> object:
    """A client that begins a transaction and forgets it, and another one that does not."""
    idle, other = connect("app"), connect("app")
    idle.execute("BEGIN")
    pid = backend(idle)
    time.sleep(3.5)
    seen = failure(idle, "SELECT 1")
    left = other.execute(
        f"SELECT count(*) FROM pg_stat_activity WHERE pid = {pid} AND state = 'idle in transaction'"
    ).fetchone()[0]
    return [*seen, left]


results: dict[str, object] = {}
slow = [
    threading.Thread(target=lambda name, run: results.update({name: run()}), args=(run.__name__, run))
    for run in (query_wait, idle_transaction)
]
for run in (session, transaction, statement):
    results[run.__name__] = run()
for thread in slow:
    thread.start()
for thread in slow:
    thread.join()
print(json.dumps(results))
