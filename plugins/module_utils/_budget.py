# Copyright: the djangoops.pooling authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What one PostgreSQL server can hold, and what each pooler process gets (docs/sizing.md 6.C to 6.E)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from heapq import heapify, heappop, heapreplace

from ansible_collections.djangoops.pooling.plugins.module_utils._apportion import apportion
from ansible_collections.djangoops.pooling.plugins.module_utils._demand import Instance
from ansible_collections.djangoops.pooling.plugins.module_utils._exact import show
from ansible_collections.djangoops.pooling.plugins.module_utils._inputs import Direct, Fleet, Pool, Server
from ansible_collections.djangoops.pooling.plugins.module_utils._queueing import erlangs


@dataclass(frozen=True)
class DirectUse:
    """Connections past the poolers: ``total``, and ``hard``, those outside the reserved slots."""

    hard: int
    total: int


@dataclass(frozen=True)
class Need:
    """What one pool needs in each process of one instance group.

    ``clients`` one process must accept, ``demand`` over all hosts, ``tps`` and ``erlangs`` (busy connections
    of one process) where the load is measured; the pool gets at least ``minimum``, at most ``cap``.
    """

    pool: Pool
    clients: int
    demand: int
    tps: Fraction | None
    erlangs: Fraction | None
    minimum: int
    cap: int


@dataclass(frozen=True)
class Share:
    """The part of one instance group in one server. ``auth``: backends of auth_query for each process."""

    instance: Instance
    needs: tuple[Need, ...]
    auth: int

    @property
    def minimum(self) -> int:
        """The least connections of one process."""
        return sum(need.minimum for need in self.needs)

    @property
    def cap(self) -> int:
        """The most connections of one process that can be of use."""
        return sum(need.cap for need in self.needs)

    @property
    def demand(self) -> int:
        """The clients of all processes."""
        return sum(need.demand for need in self.needs)


def cpu_optimum(server: Server) -> int | None:
    """Return the connections that keep the server's cores busy (6.C), None where the cores are not known."""
    if server.cores is None:
        return None
    executing = server.connections_per_core * server.cores + server.spindles
    return max(1, math.floor(server.hold_ratio * executing))


def usl_peak(alpha: Fraction, beta: Fraction) -> int:
    """Return the concurrency of the highest throughput: floor(sqrt((1 - alpha) / beta))."""
    return math.isqrt(math.floor((1 - alpha) / beta))


def target_connections(server: Server, pools: int) -> tuple[int, str]:
    """Return the connections to hold at once on a server with that many pools, and the derivation."""
    if server.target_connections is not None:
        return server.target_connections, f"declared {server.target_connections}"
    ratio = show(server.hold_ratio)
    if server.usl is not None:
        alpha, beta = server.usl
        target = max(1, math.floor(server.hold_ratio * usl_peak(alpha, beta)))
        return target, f"floor({ratio} x floor(sqrt((1 - {show(alpha)}) / {show(beta)}))) = {target}"
    optimum = cpu_optimum(server)
    if optimum is not None:
        executing = (
            f"{show(server.connections_per_core)} x {show(server.cores or 0)} cores"
            f" + {show(server.spindles)} spindles"
        )
        return optimum, f"floor({ratio} x ({executing})) = {optimum}"
    return 20 * pools, f"20 x {pools} pools, because neither cores nor a target are known = {20 * pools}"


def holds_slot(entry: Direct, server: Server) -> bool:
    """Whether a direct connection takes a slot of max_connections; walsenders do before PostgreSQL 12."""
    return not (entry.walsender and server.version >= 12)


def direct_use(server: Server) -> DirectUse:
    """Count the declared direct connections; each entry is of the first kind that applies."""
    plain = superuser = reserved = 0
    for entry in server.direct:
        if not holds_slot(entry, server):
            continue
        if entry.walsender:
            plain += entry.connections
        elif entry.superuser:
            superuser += entry.connections
        elif entry.reserved and server.version >= 16:
            reserved += entry.connections
        else:
            plain += entry.connections
    hard = (
        plain
        + max(0, reserved - server.reserved_connections)
        + max(0, superuser - server.superuser_reserved_connections)
    )
    return DirectUse(hard, plain + superuser + reserved)


def pool_locking_minimum(threads: int, connections: int) -> int:
    """Return the pool that cannot deadlock when each thread holds so many connections at once (HikariCP)."""
    return threads * (connections - 1) + 1


def shares_of(fleet: Fleet, server: Server, instances: Sequence[Instance]) -> list[Share]:
    """Return each instance group's needs on ``server``, in name order; groups with none are left out."""
    total_demand = {
        pool.name: sum(instance.demand.get(pool.name, 0) for instance in instances)
        for pool in fleet.pools_of(server)
    }
    shares = []
    for instance in instances:
        # A single group keeps pools that nobody uses (at size 1); of several, none is the one to keep them.
        needs = tuple(
            _need(pool, instance, total_demand[pool.name], fleet.pool_mode == "session")
            for pool in fleet.pools_of(server)
            if len(instances) == 1 or instance.clients.get(pool.name)
        )
        if needs:
            shares.append(Share(instance, needs, _auth_backends(fleet, needs)))
    return shares


def _need(pool: Pool, instance: Instance, total_demand: int, session: bool) -> Need:
    clients = instance.clients.get(pool.name, 0)
    demand = instance.demand.get(pool.name, 0)
    tps = busy = None
    if pool.tps is not None and pool.xact_ms is not None:
        tps = pool.tps * (Fraction(demand, total_demand) if total_demand else 1)
        busy = erlangs(tps, pool.xact_ms) / instance.serving
    threads = math.ceil(Fraction(max(clients, 1), pool.nested))
    minimum = max(
        pool.minimum,
        pool_locking_minimum(threads, pool.nested) if pool.nested > 1 else 1,
        clients if session else 1,
        math.floor(busy) + 1 if busy is not None else 1,
    )
    return Need(pool, clients, demand, tps, busy, minimum, max(minimum, clients))


def _auth_backends(fleet: Fleet, needs: Sequence[Need]) -> int:
    if not fleet.poolers.auth_query:
        return 0
    return 1 if fleet.poolers.auth_dbname else len({need.pool.database for need in needs})


@dataclass(frozen=True)
class Budget:
    """One server's sums. ``least``: the slots that even the smallest pools take."""

    server: Server
    shares: tuple[Share, ...]
    direct: DirectUse
    target: int
    target_why: str
    alert: Fraction

    @property
    def auth(self) -> int:
        """Backends of auth_query, in all processes that may hold connections."""
        return sum(share.instance.hold * share.auth for share in self.shares)

    @property
    def fixed(self) -> int:
        """Slots that no pool can have."""
        server = self.server
        reserved = server.superuser_reserved_connections + server.reserved_connections
        return reserved + self.direct.hard + self.auth

    @property
    def least_pools(self) -> int:
        """The smallest pools of all processes that may hold connections."""
        return sum(share.instance.hold * share.minimum for share in self.shares)

    @property
    def least(self) -> int:
        return self.fixed + self.least_pools

    @property
    def least_serving(self) -> int:
        """The smallest pools of the processes that carry load."""
        return sum(share.instance.serving * share.minimum for share in self.shares)

    @property
    def serving_auth(self) -> int:
        return sum(share.instance.serving * share.auth for share in self.shares)

    @property
    def room(self) -> int | None:
        """Slots for pools and reserves; None where max_connections is to be computed."""
        limit = self.server.max_connections
        return None if limit is None else limit - self.fixed

    @property
    def soft(self) -> int | None:
        """Slots for pools below the alert threshold, in the steady state without reserves."""
        limit = self.server.max_connections
        return (
            None if limit is None else math.floor(self.alert * limit) - self.direct.total - self.serving_auth
        )


def budget_of(fleet: Fleet, server: Server, instances: Sequence[Instance]) -> Budget:
    """Return the sums of one server that everything else is derived from."""
    target, target_why = target_connections(server, len(fleet.pools_of(server)))
    shares = tuple(shares_of(fleet, server, instances))
    return Budget(server, shares, direct_use(server), target, target_why, fleet.targets.alert)


def process_sizes(budget: Budget) -> list[int]:
    """Return for each share the connections of one process, over all its pools there (6.E).

    The caller has made sure that ``budget.least`` fits.
    """
    goal = max(budget.target, budget.least_serving)
    if budget.soft is not None:
        goal = max(budget.least_serving, min(goal, budget.soft))
    sizes = _distribute(goal, budget.shares)
    return sizes if budget.room is None else _shrink(sizes, budget.shares, budget.room)


def _distribute(goal: int, shares: Sequence[Share]) -> list[int]:
    """Divide by processes first: in all, that loses at most serving - 1 connections to rounding (9)."""
    serving = [share.instance.serving for share in shares]
    if len(shares) == 1:
        return [max(shares[0].minimum, min(shares[0].cap, goal // serving[0]))]
    quotas = apportion(
        goal,
        [share.demand for share in shares],
        [count * share.minimum for count, share in zip(serving, shares, strict=True)],
        [count * share.cap for count, share in zip(serving, shares, strict=True)],
    )
    sizes = [
        max(share.minimum, quota // count)
        for share, quota, count in zip(shares, quotas, serving, strict=True)
    ]
    rest = goal - sum(size * count for size, count in zip(sizes, serving, strict=True))
    # Whole increments (one connection in every process) to the group furthest below its quota.
    behind = [
        (sizes[index] - Fraction(quotas[index], serving[index]), serving[index], index)
        for index in range(len(shares))
    ]
    heapify(behind)
    while behind:
        distance, count, index = behind[0]
        if count > rest or sizes[index] >= shares[index].cap:
            heappop(behind)
            continue
        sizes[index] += 1
        rest -= count
        heapreplace(behind, (distance + 1, count, index))
    return sizes


def _shrink(sizes: Sequence[int], shares: Sequence[Share], room: int) -> list[int]:
    """Take connections from the group furthest above its minimum until all processes fit into ``room``."""
    result = list(sizes)
    excess = sum(share.instance.hold * size for share, size in zip(shares, sizes, strict=True)) - room
    above = [
        (-(size - share.minimum) * share.instance.hold, index)
        for index, (share, size) in enumerate(zip(shares, sizes, strict=True))
    ]
    heapify(above)
    while excess > 0:
        surplus, index = above[0]
        hold = shares[index].instance.hold
        result[index] -= 1
        excess -= hold
        heapreplace(above, (surplus + hold, index))
    return result
