# Copyright: the djangoops.pooling authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The plan of a fleet: from the inputs of docs/sizing.md 0 to its outputs, every number with a reason."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from ansible_collections.djangoops.pooling.plugins.module_utils._budget import Budget, budget_of
from ansible_collections.djangoops.pooling.plugins.module_utils._demand import (
    Instance,
    client_demand,
    instance_groups,
)
from ansible_collections.djangoops.pooling.plugins.module_utils._derivation import (
    client_why,
    instance_why,
    server_why,
)
from ansible_collections.djangoops.pooling.plugins.module_utils._descriptors import (
    Descriptors,
    default_pool_size,
    descriptors,
)
from ansible_collections.djangoops.pooling.plugins.module_utils._errors import SizingError, advice, change
from ansible_collections.djangoops.pooling.plugins.module_utils._guards import (
    max_db_connections,
    max_user_connections,
    role_connection_limit,
)
from ansible_collections.djangoops.pooling.plugins.module_utils._inputs import Fleet, Server, read_fleet
from ansible_collections.djangoops.pooling.plugins.module_utils._memory import memory
from ansible_collections.djangoops.pooling.plugins.module_utils._pools import (
    ServerPlan,
    SizedPool,
    SizedShare,
    plan_pools,
    prediction,
)
from ansible_collections.djangoops.pooling.plugins.module_utils._timeouts import check_ages, timeouts
from ansible_collections.djangoops.pooling.plugins.module_utils._warnings import warnings_of

MAX_BACKENDS = 262_143  # PostgreSQL's MAX_BACKENDS, 2^18 - 1


def plan(inputs: Any) -> dict[str, Any]:
    """Return the plan of docs/sizing.md section 0 for ``inputs``, which are left as they are.

    Plain dicts, lists, strings, integers, floats, booleans and None. Raises SizingError for inputs that are
    wrong or cannot be served; the order of the checks is decision 24 of the specification's appendix.
    """
    fleet = read_fleet(inputs)
    _check_pools(fleet)
    demand = client_demand(fleet.groups)
    check_ages(fleet.groups)
    instances = instance_groups(fleet)
    seconds, why = timeouts(fleet)
    servers = [server for name in sorted(fleet.servers) if (server := _plan_server(fleet, name, instances))]
    why |= client_why(demand)
    shares_of: dict[str, list[SizedShare]] = {instance.name: [] for instance in instances}
    for server in servers:
        why |= server_why(server)
        for share in server.shares:
            shares_of[share.instance.name].append(share)
    planned_instances = {}
    for instance in instances:
        shares = shares_of[instance.name]
        limits = descriptors(fleet, instance, shares)
        planned_instances[instance.name] = _instance_output(fleet, instance, shares, limits)
        why |= instance_why(fleet, instance, limits, shares)
    return {
        "client_base": sum(pool.base for pool in demand.values()),
        "client_peak": sum(pool.peak for pool in demand.values()),
        "timeouts": seconds,
        "servers": {server.budget.server.name: _server_output(server) for server in servers},
        "instances": planned_instances,
        "warnings": warnings_of(fleet, servers, seconds),
        "why": why,
    }


def _check_pools(fleet: Fleet) -> None:
    for pool in fleet.pools:
        if pool.database == "*":
            raise SizingError(
                "E_WILDCARD",
                f"pool {pool.name}: nothing bounds the number of databases that * takes",
                [advice(f"pools[{pool.name}].database", "*", None, "declare every database by name")],
            )
    if fleet.pool_mode == "statement":
        raise SizingError(
            "E_STATEMENT_MODE",
            "pool_mode statement forbids transactions, Django needs them",
            [_transaction_mode(fleet)],
        )


def _transaction_mode(fleet: Fleet) -> dict[str, Any]:
    return advice("pool_mode", fleet.pool_mode, "transaction", "pool_mode=transaction")


def _plan_server(fleet: Fleet, name: str, instances: Sequence[Instance]) -> ServerPlan | None:
    """Return the plan of one server, None where nobody uses it."""
    budget = budget_of(fleet, fleet.servers[name], instances)
    if not budget.shares:
        return None
    declared = budget.server.max_connections
    # Before any size is computed: a limit beyond reason would only be split at great length.
    _check_max_backends(fleet, name, budget.least if declared is None else declared)
    if declared is not None and budget.least > declared:
        raise _over_budget(fleet, budget, declared)
    result = plan_pools(budget, fleet.targets, fleet.pool_mode == "session")
    _check_max_backends(fleet, name, result.max_connections)
    return result


def _check_max_backends(fleet: Fleet, name: str, needed: int) -> None:
    if needed <= MAX_BACKENDS:
        return
    path = f"postgres.{name}.max_connections"
    declared = fleet.servers[name].max_connections
    fixes = [] if declared is None else [change(path, declared, MAX_BACKENDS, "max_connections")]
    if declared is None and fleet.pool_mode == "session":
        fixes = [_transaction_mode(fleet)]
    raise SizingError(
        "E_MAX_BACKENDS",
        f"server {name}: max_connections {needed} > {MAX_BACKENDS}, PostgreSQL's own limit",
        fixes,
    )


def _over_budget(fleet: Fleet, budget: Budget, limit: int) -> SizingError:
    server = budget.server
    reserved = server.superuser_reserved_connections + server.reserved_connections
    error = SizingError("E_BUDGET", "", _budget_fixes(fleet, budget, limit))
    smallest = f"; smallest change: {error.fixes[0]['text']}" if error.fixes else ""
    return SizingError(
        "E_BUDGET",
        f"server {server.name}: {budget.least_pools} pool + {budget.auth} auth + {budget.direct.hard} direct"
        f" + {reserved} reserved = {budget.least} > max_connections {limit}{smallest}",
        error.fixes,
    )


def _budget_fixes(fleet: Fleet, budget: Budget, limit: int) -> list[dict[str, Any]]:
    """Return the single changes that make this server fit, each proven by planning with it."""
    server, hard, excess = budget.server, budget.direct.hard, budget.least - limit
    fixes = []
    if fleet.pool_mode == "session" and _fits(replace(fleet, pool_mode="transaction"), server, limit):
        fixes.append(_transaction_mode(fleet))
    if budget.least <= MAX_BACKENDS:
        path = f"postgres.{server.name}.max_connections"
        fixes.append(change(path, limit, budget.least, "max_connections"))
    for key in ("processes", "hosts") if fleet.poolers.placement == "central" else ("processes",):
        path, before = f"poolers.{key}", getattr(fleet.poolers, key)
        after = next(
            (value for value in _smaller(before, limit) if _fits_with(fleet, key, value, server, limit)), None
        )
        if after is not None:
            fixes.append(change(path, before, after, path))
    if hard >= excess:
        path = f"postgres.{server.name}.direct"
        fixes.append(change(path, hard, hard - excess, path))
    return fixes


def _smaller(value: int, limit: int) -> Iterator[int]:
    """Smaller values, largest first; each process takes a slot, so more than ``limit`` cannot fit."""
    return iter(range(min(value - 1, limit), 0, -1))


def _fits_with(fleet: Fleet, key: str, value: int, server: Server, limit: int) -> bool:
    changes: dict[str, Any] = {key: value}
    return _fits(replace(fleet, poolers=replace(fleet.poolers, **changes)), server, limit)


def _fits(fleet: Fleet, server: Server, limit: int) -> bool:
    try:
        return budget_of(fleet, server, instance_groups(fleet)).least <= limit
    except SizingError:  # fewer hosts than serving_hosts, for instance: that is not one change
        return False


def _server_output(plan: ServerPlan) -> dict[str, Any]:
    server = plan.budget.server
    backends = plan.pool_total + plan.reserve_total + plan.budget.direct.total
    return {
        "max_connections": plan.max_connections,
        "superuser_reserved_connections": server.superuser_reserved_connections,
        "reserved_connections": server.reserved_connections,
        "direct": plan.budget.direct.total,
        "target_connections": plan.budget.target,
        "pool_total": plan.pool_total,
        "reserve_total": plan.reserve_total,
        "worst_case": plan.worst_case,
        "headroom": plan.headroom,
        # PostgreSQL 14 is the first one that notices a vanished client during a query (E8).
        "client_connection_check_interval": "2s" if server.version >= 14 else None,
        "memory": memory(server, backends, plan.max_connections),
        "role_connection_limit": role_connection_limit(plan),
    }


def _instance_output(
    fleet: Fleet, instance: Instance, shares: Sequence[SizedShare], limits: Descriptors
) -> dict[str, Any]:
    pools = sorted((pool for share in shares for pool in share.pools), key=lambda pool: pool.need.pool.name)
    return {
        "hosts": instance.hosts,
        "processes": instance.processes,
        "max_client_conn": limits.max_client_conn,
        "client_peak": sum(instance.clients.values()),
        "default_pool_size": default_pool_size(shares),
        "pools": {pool.need.pool.name: _pool_output(fleet, instance, pool) for pool in pools},
        "max_db_connections": max_db_connections(shares, fleet.poolers),
        "max_user_connections": max_user_connections(shares),
        "reserve_pool_timeout": 1 if instance.hosts_lost else 3,
        "listen_backlog": limits.listen_backlog,
        "fd_needed": limits.needed,
        "limit_nofile": limits.limit_nofile,
    }


def _pool_output(fleet: Fleet, instance: Instance, pool: SizedPool) -> dict[str, Any]:
    predicted = prediction(pool, instance, fleet.targets)
    return {
        "pool_size": pool.size,
        "min_pool_size": pool.idle,
        "reserve_pool_size": pool.reserve,
        "clients": pool.need.clients,
    } | ({"predicted": predicted} if predicted is not None else {})
