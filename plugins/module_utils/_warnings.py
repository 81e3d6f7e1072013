# Copyright: the djangoops.pooling authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a plan that fits should still be watched for (docs/sizing.md 11): "CODE: sentence"."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from ansible_collections.djangoops.pooling.plugins.module_utils._inputs import Fleet, Group, Pool
from ansible_collections.djangoops.pooling.plugins.module_utils._pools import (
    ServerPlan,
    SizedPool,
    SizedShare,
    capacity_kept,
)

EPHEMERAL_PORTS = 28232  # net.ipv4.ip_local_port_range as Linux ships it
TIME_WAIT_SECONDS = 60
CHURN_PER_SECOND = EPHEMERAL_PORTS // TIME_WAIT_SECONDS


def churns(group: Group) -> bool:
    """Whether a host of this group opens more connections than TIME_WAIT gives it ports for."""
    persistent = group.conn_max_age != 0 or group.native_pool is not None or group.unix_socket
    return not persistent and group.rps_per_host is not None and group.rps_per_host > CHURN_PER_SECOND


def warnings_of(fleet: Fleet, servers: Sequence[ServerPlan], timeouts: Mapping[str, int]) -> list[str]:
    """Return the warnings of a whole plan."""
    result = [*_fleet_warnings(fleet, timeouts)]
    for group in fleet.groups:
        result += _group_warnings(group, fleet.poolers.placement == "central")
    for server in servers:
        result += _server_warnings(server)
        for share in server.shares:
            for pool in share.pools:
                result += _pool_warnings(server, share, pool)
    return result


def _fleet_warnings(fleet: Fleet, timeouts: Mapping[str, int]) -> Iterator[str]:
    if fleet.pool_mode == "session":
        yield "W_SESSION: session mode pins one server connection per client; pool_size equals client demand"
    if fleet.poolers.processes > 1:
        yield (
            f"W_PROCESSES: {fleet.poolers.processes} so_reuseport processes per host have separate pools;"
            " peer them for cancellation"
        )
    if _is_matrix(fleet.pools):
        yield (
            "W_MATRIX: a database has several users and a user several databases; pool_size is set per"
            " database or per user, not per pair: use separate [databases] entries"
        )
    wait, request = timeouts["query_wait_timeout"], fleet.timeouts.request_timeout
    if wait == 0 or wait >= request:  # 0 is "for ever" in PgBouncer
        yield f"W_QWT: query_wait_timeout {wait} does not end before the request timeout {request}"


def _is_matrix(pools: Sequence[Pool]) -> bool:
    pairs = {(pool.database, pool.user) for pool in pools}
    databases = {database for database, _user in pairs}
    users = {user for _database, user in pairs}
    return len(pairs) > len(databases) and len(pairs) > len(users)


def _group_warnings(group: Group, central: bool) -> Iterator[str]:
    if group.interface == "asgi" and group.conn_max_age:
        yield (
            f"W_ASGI_AGE: group {group.name}: CONN_MAX_AGE {group.conn_max_age} leaks connections under ASGI,"
            " whose requests end with their thread; use 0 or the native pool"
        )
    if group.interface == "celery" and (group.conn_max_age or 0) > 60:
        yield (
            f"W_CELERY_AGE: group {group.name}: CONN_MAX_AGE {group.conn_max_age} > 60 keeps connections"
            " of idle Celery workers"
        )
    if central and churns(group):
        yield (
            f"W_CHURN: group {group.name}: {float(group.rps_per_host or 0):g} new connections/s per host x"
            f" {TIME_WAIT_SECONDS} s TIME_WAIT > {EPHEMERAL_PORTS} ephemeral ports (limit"
            f" {CHURN_PER_SECOND}/s per pooler address); use CONN_MAX_AGE>0 or the native pool"
        )


def _server_warnings(plan: ServerPlan) -> Iterator[str]:
    budget, server = plan.budget, plan.budget.server
    if server.cores is None and server.target_connections is None and server.usl is None:
        yield f"W_NO_CORES: server {server.name}: cores are not known, the target {budget.target} is a guess"
    fragments = sum(share.instance.serving * len(share.pools) for share in plan.shares)
    if fragments > budget.target:
        yield (
            f"W_FRAGMENTED: server {server.name}: one connection per pool and process is {fragments} >"
            f" target {budget.target}; use fewer pools or processes"
        )
    elif budget.least_serving > budget.target:
        yield (
            f"W_OVER_KNEE: server {server.name}: the pools need {budget.least_serving} > target"
            f" {budget.target}; it needs more cores or shorter transactions"
        )
    if budget.soft is not None and budget.soft < budget.least_serving:
        yield (
            f"W_ALERT: server {server.name}: the pools need {budget.least_serving}, only {budget.soft} are"
            " left below the alert threshold"
        )


def _pool_warnings(server: ServerPlan, share: SizedShare, pool: SizedPool) -> Iterator[str]:
    where = f"server {server.budget.server.name}, {share.instance.name}, pool {pool.need.pool.name}"
    kept, wanted = capacity_kept(pool, share.instance)
    if share.instance.hosts_lost and kept < wanted:
        yield f"W_RESERVE_CUT: {where}: after the loss of a host {kept} of {wanted} connections remain"
    if pool.required is not None and pool.size < pool.required:
        yield f"W_WAIT: {where}: pool_size {pool.size} < {pool.required}, which the wait target needs"
    if pool.need.erlangs is not None:
        load = pool.need.erlangs * share.instance.serving
        if load >= share.instance.left * pool.most:
            yield f"W_LOSS_UNSTABLE: {where}: after the loss of a host it cannot keep up with its load"
