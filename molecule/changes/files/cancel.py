"""Cancel queries through the pooler, each by a connection of its own as clients do it. Run with Django's Python.

Prints how many of the queries ended early. Argument: number of queries.
"""

from __future__ import annotations

import sys
import threading
import time

import psycopg

number = int(sys.argv[1])
cancelled: list[int] = []
ready = threading.Barrier(number)


def client(which: int) -> None:
    login = "host=127.0.0.1 port=6432 user=app password=app dbname=app"
    with psycopg.connect(login, autocommit=True, prepare_threshold=None) as connection:
        ready.wait(30)
        threading.Timer(0.5, connection.cancel).start()
        begin = time.monotonic()
        try:
            connection.execute("SELECT pg_sleep(4)")
        except psycopg.errors.QueryCanceled:
            if time.monotonic() - begin < 3.5:
                cancelled.append(which)


threads = [threading.Thread(target=client, args=(which,)) for which in range(number)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(len(cancelled))
