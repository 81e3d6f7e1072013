"""Requests and tasks in the servers that a project is deployed with: gunicorn with threads, uvicorn, a Celery worker.

python -m shop.served PORT ALIAS...      prints {alias: {cell: null or message}} as JSON
"""

import concurrent.futures
import contextlib
import http.client
import json
import subprocess
import sys
import time
from pathlib import Path

from django.db import connections

from shop.celery import app, ship

ROOT = Path(__file__).parents[1]
BIN = Path(sys.executable).parent
THREADS, REQUESTS = 4, 24
PATIENCE_SECONDS, ENDED_WITHIN_SECONDS = 60, 10


@contextlib.contextmanager
def running(*command):
    """A server, ended in the end, and killed if it does not end."""
    process = subprocess.Popen([BIN / command[0], *command[1:]], cwd=ROOT, stdout=sys.stderr)
    try:
        yield
    finally:
        process.terminate()
        try:
            process.wait(ENDED_WITHIN_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def get(port, path):
    """Status and text of a GET, or what went wrong."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE_SECONDS)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        return str(response.status), response.read().decode()
    except OSError as error:
        return str(error), ""
    finally:
        connection.close()


def wait_until(ready, what):
    """Wait until a condition holds."""
    end = time.monotonic() + PATIENCE_SECONDS
    while not ready():
        assert time.monotonic() < end, f"{what} does not start"
        time.sleep(0.1)


def served(port, path, alias):
    """None if all concurrent requests are served, and kept connections are used again."""
    before = int(get(port, f"/opened/{alias}/")[1])
    with concurrent.futures.ThreadPoolExecutor(THREADS) as clients:
        statuses = set(clients.map(lambda _: get(port, f"/{path}/{alias}/")[0], range(REQUESTS)))
    if statuses != {"200"}:
        return ", ".join(sorted(statuses - {"200"}))
    opened = int(get(port, f"/opened/{alias}/")[1]) - before
    if connections[alias].settings_dict["CONN_MAX_AGE"] and opened > THREADS:
        return f"kept connections are never used again: {opened} opened for {REQUESTS} requests"
    return None


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
    celery = [
        "--app",
        "shop",
        "worker",
        "--concurrency",
        "2",
        "--queues",
        f"queue-{port}",
        "--hostname",
        worker,
    ]
    with (
        running("gunicorn", *gunicorn, "shop.wsgi"),
        running("uvicorn", *uvicorn, "shop.asgi:application"),
        running("celery", *celery, "--loglevel", "CRITICAL"),
    ):
        wait_until(lambda: get(port, "/")[0] == "404", "gunicorn")
        wait_until(lambda: get(port + 1, "/")[0] == "404", "uvicorn")
        wait_until(lambda: app.control.ping([worker], timeout=1), "celery")
        results = {
            alias: {
                "wsgi_request": served(port, "order", alias),
                "asgi_request": served(port + 1, "aorder", alias),
                "celery_task": shipped(alias),
            }
            for alias in aliases
        }
    print(json.dumps(results))


if __name__ == "__main__":
    main()
