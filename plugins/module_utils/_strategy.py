# Copyright: the djangoops.pooling authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether a fleet needs PgBouncer, and how it does without one (docs/sizing.md 12, 6.N)."""

from __future__ import annotations

import math
from collections.abc import Iterable
from fractions import Fraction
from typing import Any

from ansible_collections.djangoops.pooling.plugins.module_utils._budget import (
    cpu_optimum,
    direct_use,
    target_connections,
)
from ansible_collections.djangoops.pooling.plugins.module_utils._demand import in_flight, is_unbounded, peaks
from ansible_collections.djangoops.pooling.plugins.module_utils._errors import SizingError, advice, change
from ansible_collections.djangoops.pooling.plugins.module_utils._inputs import (
    Fleet,
    Group,
    Server,
    read_fleet,
)
from ansible_collections.djangoops.pooling.plugins.module_utils._warnings import churns

DEFAULT_MAX_CONNECTIONS = 100  # PostgreSQL's own


def choose(inputs: Any) -> dict[str, Any]:
    """Return ``{strategy, reasons}`` for the inputs of a plan.

    The strategy is one of ``pgbouncer``, ``hybrid`` (Django's native pool in front of PgBouncer),
    ``native_pool``, ``conn_max_age`` and ``none``; every reason for it is listed. Demand against budget
    decides, not the number of hosts. Raises SizingError("E_UNBOUNDED") for ASGI that nothing can bound.
    """
    fleet = read_fleet(inputs)
    native = fleet.django >= (5, 1) and fleet.psycopg == 3
    unbounded = [group for group in fleet.groups if is_unbounded(group)]
    if unbounded:
        if not native:
            raise _unbounded_for_good(unbounded[0])
        reasons = [
            f"group {group.name}: no limit of concurrency; the native pool bounds its connections"
            for group in unbounded
        ]
        return {"strategy": "hybrid", "reasons": reasons}

    demand = sum(peaks(fleet.groups).values())
    reasons = _pgbouncer_reasons(fleet, demand)
    asgi = any(group.interface == "asgi" for group in fleet.groups)
    if reasons:
        hybrid = native and (asgi or any(churns(group) for group in fleet.groups))
        return {"strategy": "hybrid" if hybrid else "pgbouncer", "reasons": reasons}
    fits = f"demand {demand} fits the budget {_budget(fleet, _primary(fleet))}"
    if native and (asgi or any(group.threads > 1 for group in fleet.groups)):
        return {"strategy": "native_pool", "reasons": [f"{fits}; threads/ASGI share a process pool"]}
    if _is_idle(fleet.groups):
        idle = "under one request per process per minute: a persistent connection would not be reused"
        return {"strategy": "none", "reasons": [idle]}
    reuse = f"{fits}; single-threaded WSGI workers reuse their connection"
    return {"strategy": "conn_max_age", "reasons": [reuse]}


def _unbounded_for_good(group: Group) -> SizingError:
    return SizingError(
        "E_UNBOUNDED",
        f"group {group.name}: nothing limits its connections; the native pool needs Django 5.1 and psycopg 3",
        [
            advice(
                f"groups[{group.name}].concurrency",
                None,
                None,
                f"declare groups[{group.name}].concurrency (uvicorn --limit-concurrency), or use"
                " Django >= 5.1 with psycopg 3",
            )
        ],
    )


def _pgbouncer_reasons(fleet: Fleet, demand: int) -> list[str]:
    primary = _primary(fleet)
    budget = _budget(fleet, primary)
    reasons = []
    if demand > budget:
        limit = primary.max_connections or DEFAULT_MAX_CONNECTIONS
        reasons.append(f"peak client demand {demand} > connection budget {budget} (max_connections {limit})")
    if fleet.other_apps:
        reasons.append("other applications share the server")
    if fleet.serverless:
        reasons.append("serverless processes come and go with their connections")
    requests = sum((group.rps_per_host or 0) * group.hosts for group in fleet.groups)
    if requests >= 1000:
        reasons.append(f"{float(requests):g} requests/s >= 1000")
    if cpu_optimum(primary) is not None:
        target, _why = target_connections(primary, len(fleet.pools_of(primary)))
        if demand > 2 * target:
            reasons.append(f"peak client demand {demand} > 2 x CPU optimum {target}")
    reasons += [
        f"group {group.name}: ASGI without the native pool opens a connection for each request"
        for group in fleet.groups
        if group.interface == "asgi" and group.native_pool is None
    ]
    return reasons


def _is_idle(groups: Iterable[Group]) -> bool:
    """Whether every WSGI process sees less than a request a minute; unknown rates count as busy."""
    wsgi = [group for group in groups if group.interface == "wsgi"]
    return bool(wsgi) and all(
        group.rps_per_host is not None and group.rps_per_host * 60 < group.processes for group in wsgi
    )


def _primary(fleet: Fleet) -> Server:
    if "primary" not in fleet.servers:
        raise SizingError("E_RANGE", "postgres: given no server 'primary', which the strategy is chosen for")
    return fleet.servers["primary"]


def _budget(fleet: Fleet, server: Server) -> int:
    """Return the connections that clients may open without a pooler (6.N)."""
    limit = server.max_connections or DEFAULT_MAX_CONNECTIONS
    direct = direct_use(server)
    reserved = server.superuser_reserved_connections + server.reserved_connections
    return min(limit - reserved - direct.hard, math.floor(fleet.targets.alert * limit) - direct.total)


def plan_direct(inputs: Any) -> dict[str, dict[str, int]]:
    """Return ``{client_peak, budget, headroom}`` of each server that has pools, without any pooler.

    Raises SizingError("E_DIRECT") where the clients can open more connections than the server has for them.
    """
    fleet = read_fleet(inputs)
    demand = peaks(fleet.groups)
    result = {}
    for name in sorted({pool.server for pool in fleet.pools}):
        server = fleet.servers[name]
        peak = sum(demand.get(pool.name, 0) for pool in fleet.pools_of(server))
        budget = _budget(fleet, server)
        if peak > budget:
            raise _needs_pooler(fleet, server, peak, budget)
        result[name] = {"client_peak": peak, "budget": budget, "headroom": budget - peak}
    return result


def native_pools(inputs: Any) -> dict[str, dict[str, int]]:
    """Return ``{min_size, max_size}`` of Django's native pool for each group, without any pooler.

    All groups get the same ``max_size`` for each connection they share a server with, at most what a process
    can use: its threads or concurrency. Raises SizingError("E_DIRECT") where not even 1 fits.
    """
    fleet = read_fleet(inputs)
    sizes = {group.name: _useful_size(group) for group in fleet.groups}
    for name in sorted({pool.server for pool in fleet.pools}):
        server = fleet.servers[name]
        names = {pool.name for pool in fleet.pools_of(server)}
        aliases = {group.name: sum(pool in names for pool in group.pools) for group in fleet.groups}
        processes = sum(
            (
                group.hosts * group.processes * aliases[group.name] * group.deploy_overlap
                for group in fleet.groups
            ),
            Fraction(0),
        )
        if not processes:
            continue
        budget = _budget(fleet, server)
        largest = native_max_size(budget, processes)
        if largest < 1:
            raise _needs_pooler(fleet, server, math.ceil(processes), budget)
        for group in fleet.groups:
            if aliases[group.name]:
                sizes[group.name] = min(largest, sizes[group.name] or largest)
    return {
        name: {"min_size": min(2, size), "max_size": size} for name, size in sizes.items() if size is not None
    }


def native_max_size(budget: int, processes: Fraction) -> int:
    """Return the pool of each process: ``processes`` counts old and new ones of a deploy, once per alias."""
    return max(0, math.floor(budget / processes))


def _useful_size(group: Group) -> int | None:
    """Return the connections a process can use at once, None where nothing limits them."""
    concurrent = group.interface in ("asgi", "gevent")
    return None if concurrent and group.concurrency is None else in_flight(group)


def _needs_pooler(fleet: Fleet, server: Server, peak: int, budget: int) -> SizingError:
    limit = server.max_connections or DEFAULT_MAX_CONNECTIONS
    direct = direct_use(server)
    reserved = server.superuser_reserved_connections + server.reserved_connections
    needed = max(peak + reserved + direct.hard, math.ceil((peak + direct.total) / fleet.targets.alert))
    return SizingError(
        "E_DIRECT",
        f"server {server.name}: without a pooler {peak} clients > {budget} connections"
        f" of max_connections {limit}",
        [
            advice("strategy", "direct", "pgbouncer", "strategy pgbouncer"),
            change(f"postgres.{server.name}.max_connections", limit, needed, "max_connections"),
        ],
    )
