#!/usr/bin/env python
"""Drive the lab: 320 Django clients at once, first straight at PostgreSQL, then through PgBouncer. Prints a table.

The clients run on the app hosts (lab/load_client.py). Meanwhile pg_stat_activity on the database host and SHOW POOLS on
the pooler are sampled; every number in the table is counted, none is computed from the plan.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

DATABASE, POOLER, APPS = "pooling-db", "pooling-pgbouncer", ("pooling-app1", "pooling-app2")
PROCESSES, THREADS = 40, 4  # on each app host, which stands for five servers of 8 workers with 4 threads
CLIENT = Path(__file__).with_name("load_client.py")
BACKENDS = "SELECT 'sample', count(*) FROM pg_stat_activity WHERE usename = 'app' AND backend_type = 'client backend'"


def docker(host: str, *command: str, password: str = "") -> list[str]:
    """Command line that runs a command on a lab host; the password goes in through the environment."""
    return ["docker", "exec", "--interactive", "--env", f"APP_DB_PASSWORD={password}", host, *command]


def as_postgres(host: str, *command: str) -> list[str]:
    """The same as the operating system user of both servers."""
    return docker(host, "runuser", "-u", "postgres", "--", *command)


def sql(statement: str) -> str:
    """Run one statement on the database host and return its single value."""
    command = as_postgres(DATABASE, "psql", "-XAtd", "app", "-c", statement)
    return subprocess.run(command, check=True, capture_output=True, text=True, cwd="/").stdout.strip()


class Samples(threading.Thread):
    """Rows that psql's watch command prints every quarter of a second."""

    def __init__(self, command: list[str], statement: str) -> None:
        super().__init__(daemon=True)
        self.rows: list[list[str]] = []
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        assert self.process.stdin
        self.process.stdin.write(f"{statement} \\watch 0.25\n")
        self.process.stdin.flush()

    def run(self) -> None:
        assert self.process.stdout
        for line in self.process.stdout:
            if line.startswith(("sample|", "app|")):
                self.rows.append(line.strip().split("|"))

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait()


@contextlib.contextmanager
def sampled() -> Iterator[tuple[Samples, Samples]]:
    """Samples of the server and of the pooler while the block runs."""
    server = Samples(as_postgres(DATABASE, "psql", "-XAtqd", "postgres"), BACKENDS)
    console = as_postgres(POOLER, "psql", "-XAtqh", "/var/run/postgresql", "-p", "6432", "-U", "pgbouncer")
    pooler = Samples([*console, "pgbouncer"], "SHOW POOLS")
    server.start()
    pooler.start()
    try:
        yield server, pooler
    finally:
        server.stop()
        pooler.stop()


@contextlib.contextmanager
def without_connection_limit() -> Iterator[None]:
    """Lift the role's CONNECTION LIMIT, which belongs to the plan: without a pooler there is only max_connections."""
    limit = sql("SELECT rolconnlimit FROM pg_roles WHERE rolname = 'app'")
    sql("ALTER ROLE app CONNECTION LIMIT -1")
    try:
        yield
    finally:
        sql(f"ALTER ROLE app CONNECTION LIMIT {limit}")


def progress(text: str) -> None:
    """One line that is overwritten on a terminal, and a line each where there is none."""
    print(
        f"\r  {text:<90}" if sys.stderr.isatty() else f"  {text}",
        end="" if sys.stderr.isatty() else "\n",
        file=sys.stderr,
    )


def run(alias: str, seconds: float, password: str) -> dict[str, Any]:
    """Run the clients of all app hosts against an alias and return what was counted."""
    for host in APPS:
        subprocess.run(["docker", "cp", "-q", str(CLIENT), f"{host}:/root/load_client.py"], check=True)
    client = ["/opt/django/bin/python", "/root/load_client.py", "--alias", alias]
    subprocess.run(docker(APPS[0], *client, "--prepare", password=password), check=True)
    start = time.time() + 6
    client += ["--processes", str(PROCESSES), "--threads", str(THREADS)]
    client += ["--start", str(start), "--seconds", str(seconds)]
    with sampled() as (server, pooler):
        clients = [
            subprocess.Popen(docker(host, *client, password=password), stdout=subprocess.PIPE)
            for host in APPS
        ]
        while time.time() < start + seconds:
            time.sleep(2)
            backends = server.rows[-1][1] if server.rows else "?"
            pooled = pooler.rows[-1] if pooler.rows and alias == "default" else None
            clients_now = (
                f", PgBouncer has {pooled[2]} clients at work and {pooled[3]} waiting" if pooled else ""
            )
            progress(
                f"{max(0, time.time() - start):3.0f} of {seconds:.0f} s: {backends} backends{clients_now}"
            )
        results = [json.loads(process.communicate()[0]) for process in clients]
    print(file=sys.stderr)
    milliseconds = sorted(value for result in results for value in result["milliseconds"])
    percentiles = statistics.quantiles(milliseconds, n=100) if len(milliseconds) > 1 else [float("nan")] * 99
    errors: dict[str, int] = {}
    for result in results:
        for message, count in result["errors"].items():
            errors[message] = errors.get(message, 0) + count
    return {
        "asked": sum(result["clients"] for result in results),
        "served": sum(result["served"] for result in results),
        # a client is a backend without the pooler; with it, one that SHOW POOLS has as active or waiting
        "held": max((int(row[2]) + int(row[3]) for row in pooler.rows), default=0)
        if alias == "default"
        else max(int(row[1]) for row in server.rows),
        "requests": len(milliseconds),
        "errors": errors,
        "backends": max(int(row[1]) for row in server.rows),
        "p50": percentiles[49],
        "p95": percentiles[94],
    }


def table(direct: dict[str, Any], pooled: dict[str, Any]) -> str:
    """The two runs side by side."""
    rows = [
        ("", "straight at PostgreSQL", "through PgBouncer"),
        ("clients asked", direct["asked"], pooled["asked"]),
        ("clients connected at once", direct["held"], pooled["held"]),
        ("clients served", direct["served"], pooled["served"]),
        ("clients never served", direct["asked"] - direct["served"], pooled["asked"] - pooled["served"]),
        ("errors", sum(direct["errors"].values()), sum(pooled["errors"].values())),
        ("requests served", direct["requests"], pooled["requests"]),
        ("PostgreSQL backends at most", direct["backends"], pooled["backends"]),
        ("p50 of served requests", f"{direct['p50']:.0f} ms", f"{pooled['p50']:.0f} ms"),
        ("p95 of served requests", f"{direct['p95']:.0f} ms", f"{pooled['p95']:.0f} ms"),
    ]
    return "\n".join(f"  {name:<30}{first!s:>24}{second!s:>20}" for name, first, second in rows)


def main() -> None:
    parser = argparse.ArgumentParser(
        description="Load on the lab: straight at PostgreSQL, then through PgBouncer"
    )
    parser.add_argument("--seconds", type=float, default=15.0, help="length of each of the two runs")
    parser.add_argument("--inventory", type=Path, default=Path(__file__).with_name("inventory"))
    arguments = parser.parse_args()
    inventory = subprocess.run(
        ["ansible-inventory", "--inventory", str(arguments.inventory), "--host", DATABASE],
        check=True,
        capture_output=True,
        text=True,
    )
    password = json.loads(inventory.stdout)["pooling_users"]["app"]["password"]
    asked = len(APPS) * PROCESSES * THREADS

    print(
        f"{asked} clients straight at PostgreSQL, max_connections {sql('SHOW max_connections')}",
        file=sys.stderr,
    )
    with without_connection_limit():
        direct = run("default_direct", arguments.seconds, password)
    print(f"{asked} clients through PgBouncer", file=sys.stderr)
    pooled = run("default", arguments.seconds, password)

    print()
    print(table(direct, pooled))
    for name, result in (("straight at PostgreSQL", direct), ("through PgBouncer", pooled)):
        for message, count in result["errors"].items():
            print(f"\n  {name}: {count} times {message}")
    if pooled["errors"] or min(pooled["served"], pooled["held"]) < asked or not direct["errors"]:
        sys.exit("\nNot as promised: without the pooler clients must fail, and with it none.")


if __name__ == "__main__":
    main()
