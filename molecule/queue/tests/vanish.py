"""Clients that vanish in mid-query, while others come and go, and the backends sampled meanwhile. Run on the host as root.

Argument: {"rounds": number, "clients": number that vanish at once in each round, "settle": seconds to wait at the end for
the backends of the vanished}. Output: {"role": most backends of the role, "total": most backends of all roles, "samples":
number, "seconds": time sampled, "gone": seconds from the last kill until no vanished client's query ran any more, null if
some still did after settle, "served": what those that come and go were served after the last kill, "refused": their
errors}
"""

from __future__ import annotations

import contextlib
import json
import os
import pwd
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator

import psycopg  # type: ignore[import-not-found]  # on the app hosts, not where the tests start

sys.path.insert(0, "/etc/djangoops-pooling")
from pooling_databases import DATABASES  # type: ignore[import-not-found]  # written by the role, on the app hosts

POOLED = DATABASES["default"]
LONG = "SELECT pg_sleep(30)"
SAMPLE_SECONDS = 0.05
PATIENCE_SECONDS = 30
CHURNERS = 2
BACKENDS = """
SELECT count(*), count(*) FILTER (WHERE usename = %s),
       coalesce(array_agg(query) FILTER (WHERE state = 'active' AND starts_with(query, %s)), '{}')
FROM pg_stat_activity WHERE backend_type = 'client backend'
"""


@contextlib.contextmanager
def superuser() -> Iterator[psycopg.Connection]:
    """A connection past the pooler and past the role's limit: by the socket, as the server's own user."""
    os.seteuid(pwd.getpwnam("postgres").pw_uid)
    try:
        connection = psycopg.connect(
            "host=/var/run/postgresql user=postgres dbname=postgres", autocommit=True
        )
    finally:
        os.seteuid(0)
    with connection:
        yield connection


class Sampler(threading.Thread):
    """The most backends that were ever there, and the long queries that are running now."""

    def __init__(self, server: psycopg.Connection) -> None:
        super().__init__()
        self.server = server
        self.stop = threading.Event()
        self.samples = self.total = self.role = 0
        self.sleepers: list[str] = []

    def run(self) -> None:
        while not self.stop.is_set():
            row = self.server.execute(BACKENDS, (POOLED["USER"], LONG)).fetchone()
            assert row
            self.total, self.role = max(self.total, row[0]), max(self.role, row[1])
            self.sleepers = row[2]
            self.samples += 1
            self.stop.wait(SAMPLE_SECONDS)


class Churner(threading.Thread):
    """A client that comes, asks and goes, again and again."""

    def __init__(self) -> None:
        super().__init__()
        self.stop = threading.Event()
        self.served = 0
        self.refused: Counter[str] = Counter()

    def run(self) -> None:
        while not self.stop.is_set():
            try:
                with psycopg.connect(
                    host=POOLED["HOST"],
                    port=POOLED["PORT"],
                    dbname=POOLED["NAME"],
                    user=POOLED["USER"],
                    password=POOLED["PASSWORD"],
                    connect_timeout=PATIENCE_SECONDS,
                    autocommit=True,
                ) as client:
                    client.execute("SELECT 1")
                self.served += 1
            except psycopg.Error as error:
                self.refused[str(error).strip().splitlines()[-1].split("FATAL:")[-1].strip()] += 1


def wait_until(condition: Callable[[], bool], seconds: float) -> bool:
    """Wait for a condition; whether it came true in time."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(SAMPLE_SECONDS / 5)
    return True


def long_query(mark: str) -> subprocess.Popen[bytes]:
    """A client process whose query runs much longer than the client lives."""
    target = f"host={POOLED['HOST']} port={POOLED['PORT']} dbname={POOLED['NAME']} user={POOLED['USER']}"
    return subprocess.Popen(
        ["psql", "--no-psqlrc", target, "--command", f"{LONG} /* {mark} */"],
        env={**os.environ, "PGPASSWORD": POOLED["PASSWORD"]},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def vanish(sampler: Sampler, mark: str, count: int) -> float:
    """Start clients, wait until the queries of all are running, kill all at once; returns when that was."""
    clients = [long_query(mark) for _ in range(count)]

    def all_running() -> bool:
        for index, client in enumerate(clients):
            if client.poll() is not None:  # refused, because the backends of the vanished hold the slots
                clients[index] = long_query(mark)
        return sum(mark in query for query in sampler.sleepers) == count

    try:
        assert wait_until(all_running, PATIENCE_SECONDS), f"{mark}: only {sampler.sleepers} came to run"
    finally:
        for client in clients:
            client.kill()
        killed = time.monotonic()
        for client in clients:
            client.wait()
    return killed


def main(rounds: int, clients: int, settle: float) -> dict[str, object]:
    """Let clients vanish in several rounds and return what was sampled."""
    with superuser() as server:
        sampler = Sampler(server)
        churners = [Churner() for _ in range(CHURNERS)]
        threads: list[Sampler | Churner] = [sampler, *churners]
        began = time.monotonic()
        for thread in threads:
            thread.start()
        try:
            for number in range(rounds):
                killed = vanish(sampler, f"round {number}", clients)
            before = sum(churner.served for churner in churners)
            gone = wait_until(lambda: not sampler.sleepers, killed + settle - time.monotonic())
            seconds = time.monotonic() - killed
            wait_until(lambda: sum(churner.served for churner in churners) > before, PATIENCE_SECONDS)
        finally:
            for thread in threads:
                thread.stop.set()
            for thread in threads:
                thread.join()
        return {
            "role": sampler.role,
            "total": sampler.total,
            "samples": sampler.samples,
            "seconds": time.monotonic() - began,
            "gone": seconds if gone else None,
            "served": sum(churner.served for churner in churners) - before,
            "refused": sum((churner.refused for churner in churners), Counter()),
        }


if __name__ == "__main__":
    print(json.dumps(main(**json.loads(sys.argv[1]))))
