# Copyright: the djangoops.pooling authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Why each number of the plan is what it is (docs/sizing.md 13): its formula with the values put in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ansible_collections.djangoops.pooling.plugins.module_utils._demand import Demand, Instance
from ansible_collections.djangoops.pooling.plugins.module_utils._descriptors import (
    BASE,
    Descriptors,
    default_pool_size,
)
from ansible_collections.djangoops.pooling.plugins.module_utils._exact import show
from ansible_collections.djangoops.pooling.plugins.module_utils._inputs import Fleet
from ansible_collections.djangoops.pooling.plugins.module_utils._pools import (
    ServerPlan,
    SizedPool,
    SizedShare,
)


def client_why(demand: Mapping[str, Demand]) -> dict[str, str]:
    """Derive the clients of all pools."""
    parts = " + ".join(f"{name} {demand[name].peak}" for name in sorted(demand))
    peak, base = (sum(pool.peak for pool in demand.values()), sum(pool.base for pool in demand.values()))
    return {"client_peak": f"{parts} = {peak} (base {base} x deploy overlap, rounded up per pool)"}


def server_why(plan: ServerPlan) -> dict[str, str]:
    """Derive the numbers of one server and its pools."""
    budget, server = plan.budget, plan.budget.server
    path = f"servers.{server.name}"
    reserved = server.superuser_reserved_connections + server.reserved_connections
    processes = sum(share.instance.hold for share in plan.shares)
    why = {
        f"{path}.max_connections": f"declared {server.max_connections}"
        if server.max_connections is not None
        else f"max(100, round up to 10 of what holds the worst case {plan.worst_case} and keeps"
        f" {plan.pool_total} pools + {budget.serving_auth} auth + {budget.direct.total} direct within"
        f" {show(budget.alert)} of it) = {plan.max_connections}",
        f"{path}.target_connections": budget.target_why,
        f"{path}.worst_case": f"{plan.held} pools and reserves in {processes} processes + {budget.auth} auth"
        f" + {budget.direct.hard} direct + {reserved} reserved = {plan.worst_case} <= {plan.max_connections}",
        f"{path}.role_connection_limit": f"planned + min(planned, share of {plan.headroom} unused slots)"
        " + direct of that role; the sum stays within max_connections",
    }
    for share in plan.shares:
        total = share.size * share.instance.serving
        origin = (
            f"server target {budget.target} -> {total} for this instance group"
            f" = {share.size} per process x {share.instance.serving}"
        )
        for pool in share.pools:
            key = f"instances.{share.instance.name}.pools.{pool.need.pool.name}"
            why[key] = f"{origin}; {_pool_why(pool)}"
    return why


def _pool_why(pool: SizedPool) -> str:
    need = pool.need
    return (
        f"share by {pool.weight}, minimum {need.minimum}, cap {need.cap} clients -> pool_size {pool.size};"
        f" reserve max(burst {pool.burst}, failover {pool.failover}) -> {pool.reserve};"
        f" min_pool_size {pool.idle}"
    )


def instance_why(
    fleet: Fleet, instance: Instance, limits: Descriptors, shares: Sequence[SizedShare]
) -> dict[str, str]:
    """Derive the numbers that belong to a whole PgBouncer process."""
    clients = sum(instance.clients.values())
    path = f"instances.{instance.name}"
    logged = f", PgBouncer's own estimate {limits.logged}" if limits.logged > limits.needed else ""
    return {
        f"{path}.max_client_conn": f"max(100, round up to 50 of ({clients} peak clients,"
        f" {instance.hosts_lost} of {instance.serving_hosts} hosts lost"
        f" + {fleet.poolers.console_clients} console)) = {limits.max_client_conn};"
        " not divided by so_reuseport processes because the kernel hash does not"
        " rebalance",
        f"{path}.default_pool_size": f"smallest declared pool = {default_pool_size(shares)}, so an undeclared"
        " user or database never gets more (0 would mean unlimited)",
        f"{path}.max_db_connections": "sum over users of pool_size + reserve_pool_size"
        + (" + 1 for auth_query" if fleet.poolers.auth_query else ""),
        f"{path}.max_user_connections": "sum over databases of pool_size + reserve_pool_size",
        f"{path}.reserve_pool_timeout": "1 s: the reserve is the failover capacity"
        if instance.hosts_lost
        else "3 s: the reserve is for bursts",
        f"{path}.listen_backlog": f"min(4096, max(128, next power of two of {clients})) ="
        f" {limits.listen_backlog} (net.core.somaxconn must be at least this)",
        f"{path}.limit_nofile": f"max(65536, 2 x ({limits.max_client_conn} clients + {limits.servers} servers"
        f" incl. cancel requests + {limits.auth} auth + {limits.peers} peers + {limits.listen_backlog}"
        f" backlog + {BASE} base = {limits.needed}{logged}) rounded up to 1024) = {limits.limit_nofile}",
    }
