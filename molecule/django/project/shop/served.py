"""Requests and tasks in the servers that a project is deployed with: gunicorn with threads, uvicorn, a Celery worker.

    python -m shop.served PORT ALIAS...      prints {alias: {cell: null or message}} as JSON
"""

import concurrent.futures
import contextlib
import http.client
import json
import os
import subprocess
import sys
import time
from pathlib import Path

from shop.celery import app, ship

ROOT = Path(__file__).parents[1]
BIN = Path(sys.executable).parent
THREADS, REQUESTS = 4, 24
PATIENCE_SECONDS = 30


@contextlib.contextmanager
def running(*command):
    """A server, ended in the end."""
    process = subprocess.Popen([BIN / command[0], *command[1:]], cwd=ROOT, stdout=sys.stderr)
    try:
        yield process
    finally:
        process.terminate()
        process.wait(PATIENCE_SECONDS)


def get(port, path):
    """Status of a GET, or what went wrong."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE_SECONDS)
    try:
        connection.request("GET", path)
        return str(connection.getresponse().status)
    except OSError as error:
        return str(error)
    finally:
        connection.close()


def wait_until(ready, what):
    """Wait until a condition holds."""
    end = time.monotonic() + PATIENCE_SECONDS
    while not ready():
        assert time.monotonic() < end, f"{what} does not start"
        time.sleep(0.1)


def kept(process):
    """Connections to PostgreSQL and PgBouncer that a server and its children hold now."""
    pids = {str(process.pid), *subprocess.run(["pgrep", "-P", str(process.pid)], capture_output=True, text=True).stdout.split()}
    listed = subprocess.run(
        ["ss", "-Htnp", "state", "established", "( dport = :5432 or dport = :6432 )"], capture_output=True, text=True, check=True
    )
    return sum(any(f"pid={pid}," in line for pid in pids) for line in listed.stdout.splitlines())


def served(process, port, path):
    """None if all concurrent requests are served on no more connections than threads, else what is wrong."""
    before = kept(process)
    with concurrent.futures.ThreadPoolExecutor(THREADS) as clients:
        statuses = set(clients.map(lambda _: get(port, path), range(REQUESTS)))
    if statuses != {"200"}:
        return ", ".join(sorted(statuses - {"200"}))
    left = kept(process) - before
    return None if left <= THREADS else f"{REQUESTS} requests leave {left} connections open"


def shipped(alias):
    """None if tasks of both worker processes succeed, twice."""
    try:
        for _ in range(2):
            results = [ship.delay(alias) for _ in range(4)]
            amounts = {result.get(timeout=PATIENCE_SECONDS)[0] for result in results}
            assert amounts == {3}, amounts
    except Exception as error:  # whatever the task raised
        return f"{type(error).__name__}: {error}".splitlines()[0]
    return None


def main():
    port, aliases = int(sys.argv[1]), sys.argv[2:]
    app.conf.task_default_queue = f"queue-{port}"
    gunicorn = ["--workers", "1", "--threads", str(THREADS), "--bind", f"127.0.0.1:{port}"]
    uvicorn = ["--workers", "1", "--lifespan", "off", "--log-level", "warning", "--port", str(port + 1)]
    worker = f"shop-{port}@localhost"
    celery = ["--app", "shop", "worker", "--concurrency", "2", "--queues", f"queue-{port}", "--hostname", worker]
    with (
        running("gunicorn", *gunicorn, "shop.wsgi") as wsgi,
        running("uvicorn", *uvicorn, "shop.asgi:application") as asgi,
        running("celery", *celery, "--loglevel", "ERROR"),
    ):
        wait_until(lambda: get(port, "/") == "404", "gunicorn")
        wait_until(lambda: get(port + 1, "/") == "404", "uvicorn")
        wait_until(lambda: app.control.ping([worker], timeout=1), "celery")
        results = {
            alias: {
                "wsgi_request": served(wsgi, port, f"/order/{alias}/"),
                "asgi_request": served(asgi, port + 1, f"/aorder/{alias}/"),
                "celery_task": shipped(alias),
            }
            for alias in aliases
        }
    print(json.dumps(results))


if __name__ == "__main__":
    main()
