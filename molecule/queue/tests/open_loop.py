"""Open-loop load through the pooler, run on the app host: each request starts at its time, whatever the others do.

Argument: {"clients": number, "arrivals": [seconds], "sleeps": [seconds]}. Output, a value for each request in order:
{"extra": [seconds that the answer took beyond the sleep], "late": [seconds that the request was sent too late],
"starved": requests that had to wait for a free client, "backends": server processes that did the work}
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from typing import Any

import psycopg  # type: ignore[import-not-found]  # on the app hosts, not where the tests start

sys.path.insert(0, "/etc/djangoops-pooling")
from pooling_databases import DATABASES  # type: ignore[import-not-found]  # written by the role, on the app hosts

POOLED = DATABASES["default"]
LOGIN = {
    "host": POOLED["HOST"],
    "port": POOLED["PORT"],
    "dbname": POOLED["NAME"],
    "user": POOLED["USER"],
    "password": POOLED["PASSWORD"],
    "prepare_threshold": None,
    "autocommit": True,
}


class OpenLoop:
    """Clients that are connected beforehand, and what was measured with them."""

    def __init__(self, clients: list[Any], requests: int) -> None:
        self.clients: asyncio.LifoQueue[Any] = asyncio.LifoQueue()
        for client in clients:
            self.clients.put_nowait(client)
        self.extra = [0.0] * requests
        self.late = [0.0] * requests
        self.backends: set[int] = set()
        self.starved = 0

    async def request(self, number: int, due: float, sleep: float) -> None:
        """One transaction of one statement, sent when it is due."""
        await asyncio.sleep(due - time.perf_counter())
        self.starved += self.clients.empty()
        client = await self.clients.get()
        sent = time.perf_counter()
        cursor = await client.execute(f"SELECT pg_backend_pid(), pg_sleep({sleep:.6f})")
        self.extra[number] = time.perf_counter() - sent - sleep
        self.late[number] = sent - due
        self.backends.update(pid for pid, _ in await cursor.fetchall())
        self.clients.put_nowait(client)


async def run(clients: int, arrivals: list[float], sleeps: list[float]) -> dict[str, Any]:
    """Connect, make all requests, and return what was measured."""
    connections = [await psycopg.AsyncConnection.connect(**LOGIN) for _ in range(clients)]
    loop = OpenLoop(connections, len(arrivals))
    start = time.perf_counter() + 0.1
    requests = zip(arrivals, sleeps, strict=True)
    await asyncio.gather(*(loop.request(i, start + at, sleep) for i, (at, sleep) in enumerate(requests)))
    for connection in connections:
        await connection.close()
    return {"extra": loop.extra, "late": loop.late, "starved": loop.starved, "backends": len(loop.backends)}


if __name__ == "__main__":
    print(json.dumps(asyncio.run(run(**json.loads(sys.argv[1])))))
