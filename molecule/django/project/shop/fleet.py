"""A deployed fleet under load: groups of gunicorn workers, as many clients as they have threads, and what it takes.

    python -m shop.fleet JSON      arguments of main() as JSON; prints what was counted as JSON

Each group stands for a server or a container. A worker takes no more requests than it has threads (--worker-connections),
so that the load spreads evenly, all threads work, and each has its connection.
"""

import collections
import contextlib
import dataclasses
import http.client
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "shop.settings")
django.setup()

from django.core.management import call_command
from django.db import connections

from shop.connections import client, query

ROOT = Path(__file__).parents[1]
GUNICORN = Path(sys.executable).parent / "gunicorn"
FIRST_PORT = 8200
PATIENCE_SECONDS, REQUEST_SECONDS = 180, 120


class Group:
    """A gunicorn with its workers."""

    def __init__(self, number, workers, threads, scratch):
        self.port, self.workers = FIRST_PORT + number, workers
        self.pidfile = Path(scratch) / f"{self.port}.pid"
        options = ["--preload", "--workers", workers, "--threads", threads, "--worker-connections", threads]
        options += [
            "--no-control-socket",
            "--keep-alive",
            0,
            "--bind",
            f"127.0.0.1:{self.port}",
            "--pid",
            self.pidfile,
        ]
        options += [
            "--log-level",
            "error",
            "--graceful-timeout",
            REQUEST_SECONDS,
            "--timeout",
            REQUEST_SECONDS,
        ]
        self.started = [subprocess.Popen([str(part) for part in [GUNICORN, *options, "shop.wsgi"]], cwd=ROOT)]

    def running_workers(self, master):
        """Number of a master's workers that have replaced their command line's process."""
        return len(
            subprocess.run(["pgrep", "-P", str(master)], capture_output=True, text=True).stdout.split()
        )

    def wait(self):
        """Until all workers of the first master are there and one answers."""
        master = self.started[0].pid
        wait_until(
            lambda: self.running_workers(master) == self.workers and get(self.port, "/") == "404", self.port
        )

    def second(self):
        """Start a second master with its workers beside the first, on the same socket (USR2)."""
        os.kill(self.started[0].pid, signal.SIGUSR2)

    def wait_for_second(self):
        """Until the workers of the second master are there; returns its process."""
        pidfile = self.pidfile.with_name(f"{self.pidfile.name}.2")
        wait_until(lambda: pidfile.exists() and pidfile.read_text().strip(), pidfile)
        master = int(pidfile.read_text())
        wait_until(lambda: self.running_workers(master) >= self.workers, f"second master of {self.port}")
        return master


def wait_until(ready, what):
    """Wait until a condition holds."""
    end = time.monotonic() + PATIENCE_SECONDS
    while not ready():
        assert time.monotonic() < end, f"{what} does not come up"
        time.sleep(0.1)


def get(port, path):
    """Status of a GET, or what went wrong."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=REQUEST_SECONDS)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        response.read()
        return str(response.status)
    except (OSError, http.client.HTTPException) as error:
        return f"{type(error).__name__}: {error}"
    finally:
        connection.close()


@dataclasses.dataclass
class Phase:
    """What was counted in a part of the run."""

    backends: int = 0
    clients: int = 0
    samples: int = 0
    milliseconds: list = dataclasses.field(default_factory=list)
    failures: collections.Counter = dataclasses.field(default_factory=collections.Counter)

    def summary(self, seconds):
        ordered = sorted(self.milliseconds)
        return {
            "backends": self.backends,
            "clients": self.clients,
            "samples": self.samples,
            "requests": len(ordered),
            "failures": self.failures,
            "seconds": seconds,
            "per_second": len(ordered) / seconds,
            "p95": ordered[int(0.95 * len(ordered))] if ordered else None,
        }


class Load:
    """Clients that send one request after another, and a sampler of what the servers hold meanwhile."""

    def __init__(self, alias, ports, clients_per_port, think, sampler):
        self.path = f"/order/{alias}/?think={think}"
        self.database_port = connections[alias].settings_dict["PORT"]
        self.sampler = sampler
        self.phase, self.ended = Phase(), threading.Event()
        self.threads = [
            threading.Thread(target=self._client, args=(port,))
            for port in ports
            for _ in range(clients_per_port)
        ]

    def _client(self, port):
        while not self.ended.is_set():
            begin = time.monotonic()
            status = get(port, self.path)
            if status == "200":
                self.phase.milliseconds.append((time.monotonic() - begin) * 1000)
            else:
                self.phase.failures[status] += 1
                time.sleep(0.2)

    def sample(self):
        """Count the role's backends in PostgreSQL, and the connections that Django has open."""
        counted = (
            "SELECT count(*) FROM pg_stat_activity WHERE usename = current_user AND pid <> pg_backend_pid()"
        )
        self.phase.backends = max(self.phase.backends, query(self.sampler, counted))
        sockets = ["ss", "-Htn", "state", "established", f"( dport = :{self.database_port} )"]
        listed = subprocess.run(sockets, capture_output=True, text=True, check=True).stdout
        self.phase.clients = max(self.phase.clients, len(listed.splitlines()))
        self.phase.samples += 1

    def run_for(self, seconds, happening=None):
        """A phase of so many seconds, and until there were as many answers as there are clients and something happened.

        Returns what was counted in it.
        """
        self.phase, begin = Phase(), time.monotonic()
        if happening:
            thread = threading.Thread(target=happening)
            thread.start()
        while (
            time.monotonic() - begin < seconds
            or (happening and thread.is_alive())
            or len(self.phase.milliseconds) + self.phase.failures.total() < len(self.threads)
        ):
            assert time.monotonic() - begin < 2 * PATIENCE_SECONDS, "the fleet does not answer"
            self.sample()
            time.sleep(0.25)
        return self.phase.summary(time.monotonic() - begin)

    @contextlib.contextmanager
    def running(self):
        """The clients, until the block ends."""
        for thread in self.threads:
            thread.start()
        try:
            yield
        finally:
            self.ended.set()
            for thread in self.threads:
                thread.join()


def main(alias, groups, workers, threads, seconds, think, deploy=False, warm_up=0.0):
    """Run the fleet by an alias; phases `steady` and, with a deploy, `overlap` and `after`."""
    result = {}
    call_command("migrate", "shop", database="direct", verbosity=0)
    connections.close_all()  # what the migration has opened is none of the fleet's
    with tempfile.TemporaryDirectory() as scratch, client("direct") as sampler:
        query(sampler, "SELECT 1")  # before the fleet takes all that there is
        fleet = [Group(number, workers, threads, scratch) for number in range(groups)]
        masters = [group.started[0].pid for group in fleet]
        try:
            for group in fleet:
                group.wait()
            load = Load(alias, [group.port for group in fleet], workers * threads, think, sampler)
            with load.running():
                if warm_up:
                    load.run_for(warm_up)
                result["steady"] = load.run_for(seconds)
                if deploy:

                    def overlap():
                        for group in fleet:
                            group.second()
                        masters.extend(group.wait_for_second() for group in fleet)
                        time.sleep(seconds)  # both serve
                        for group in fleet:
                            group.started[0].terminate()
                        for group in fleet:
                            group.started[0].wait(PATIENCE_SECONDS)

                    result["overlap"] = load.run_for(0, overlap)
                    result["after"] = load.run_for(seconds)
        finally:
            for master in masters:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(master, signal.SIGTERM)
            for master in masters:
                wait_until(lambda pid=master: not _alive(pid), "the end of the fleet")
    return result


def _alive(pid):
    """Whether a process runs; one that nobody has waited for does not."""
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


if __name__ == "__main__":
    print(json.dumps(main(**json.loads(sys.argv[1]))))
