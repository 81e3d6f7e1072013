"""Measuring the matrix: what works by each alias in each environment."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from conftest import ENVIRONMENTS, HOSTS, Environment, console, on_all_hosts, restart, restart_pgbouncer, sql

# alias -> cell -> None if it works, else what one sees
Seen = dict[str, dict[str, str | None]]
IDLE_SECONDS = 4.0


def measure() -> dict[Environment, Seen]:
    """Every cell of every alias in every environment."""
    seen: dict[Environment, Seen] = {}
    with ThreadPoolExecutor(len(HOSTS)) as workers:
        # the environments of a host share its servers: one after another
        for found in workers.map(_undisturbed, HOSTS):
            seen.update(found)
    for environment, more in _lived_through().items():
        for alias, cells in more.items():
            seen[environment][alias].update(cells)
    return seen


def _undisturbed(host: str) -> dict[Environment, Seen]:
    result: dict[Environment, Seen] = {}
    for number, environment in enumerate(each for each in ENVIRONMENTS if each.host == host):
        cells = environment.run("shop.cells", *environment.aliases)
        served = environment.run("shop.served", str(8100 + 10 * number), *environment.aliases)
        result[environment] = {alias: {**cells[alias], **served[alias]} for alias in environment.aliases}
    return result


class _Process:
    """A process of the project that sends a request by each alias whenever it is told to."""

    def __init__(self, environment: Environment) -> None:
        self.process = subprocess.Popen(
            [*environment.command, "-m", "shop.phases", *environment.aliases],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def visit(self) -> dict[str, str | None]:
        """Alias -> None if the request was served, else what one saw."""
        assert self.process.stdin
        assert self.process.stdout
        print(file=self.process.stdin, flush=True)
        result: dict[str, str | None] = json.loads(self.process.stdout.readline())
        return result


def _lived_through() -> dict[Environment, Seen]:
    """The first request after each event, of processes that had their connections before it."""
    processes = {environment: _Process(environment) for environment in ENVIRONMENTS}
    events = {
        "database_restart": lambda host: restart(host, "postgresql", lambda at: sql(at, "SELECT 1")),
        "pgbouncer_restart": restart_pgbouncer,
        "idle": lambda _: time.sleep(IDLE_SECONDS),
    }
    result: dict[Environment, Seen] = {
        environment: {alias: {} for alias in environment.aliases} for environment in ENVIRONMENTS
    }
    try:
        for event, happens in events.items():
            for _ in range(2):  # the second finds what the last event has broken, and has it repaired
                before = {environment: process.visit() for environment, process in processes.items()}
            assert not any(message for seen in before.values() for message in seen.values()), before
            with _short_timeouts() if event == "idle" else _nothing():
                on_all_hosts(happens)
            for environment, process in processes.items():
                for alias, message in process.visit().items():
                    result[environment][alias][event] = message
    finally:
        for process in processes.values():
            process.process.kill()
            process.process.wait()
    return result


@contextmanager
def _nothing() -> Iterator[None]:
    yield


@contextmanager
def _short_timeouts() -> Iterator[None]:
    """Every server and pooler that closes what is idle for a second or two."""

    def shorten(host: str) -> None:
        sql(host, "ALTER SYSTEM SET idle_session_timeout = '1s'", "SELECT pg_reload_conf()")
        for setting in ("server_idle_timeout = 1", "client_idle_timeout = 2"):
            console(host, f"SET {setting}")

    def lengthen(host: str) -> None:
        sql(host, "ALTER SYSTEM RESET idle_session_timeout", "SELECT pg_reload_conf()")
        console(host, "RELOAD")

    on_all_hosts(shorten)
    try:
        yield
    finally:
        on_all_hosts(lengthen)
