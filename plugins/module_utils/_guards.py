# Copyright: the djangoops.pooling authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Limits that hold even where the plan is not kept (docs/sizing.md 6.I, E8)."""

from __future__ import annotations

from collections.abc import Iterable

from ansible_collections.djangoops.pooling.plugins.module_utils._budget import holds_slot
from ansible_collections.djangoops.pooling.plugins.module_utils._inputs import Poolers
from ansible_collections.djangoops.pooling.plugins.module_utils._pools import ServerPlan, SizedShare


def auth_databases(share: SizedShare, poolers: Poolers) -> list[str]:
    """Return the databases of one server where each process keeps one backend for auth_query."""
    if not poolers.auth_query:
        return []
    databases = sorted({pool.need.pool.database for pool in share.pools})
    return databases[:1] if poolers.auth_dbname else databases


def max_db_connections(shares: Iterable[SizedShare], poolers: Poolers) -> dict[str, int]:
    """Return the limit of each database in one process: all its pools, reserves and auth_query."""
    limits: dict[str, int] = {}
    for share in shares:
        for pool in share.pools:
            database = pool.need.pool.database
            limits[database] = limits.get(database, 0) + pool.most
        for database in auth_databases(share, poolers):
            limits[database] += 1
    return dict(sorted(limits.items()))


def max_user_connections(shares: Iterable[SizedShare]) -> dict[str, int]:
    """Return the limit of each user in one process, over all databases."""
    limits: dict[str, int] = {}
    for share in shares:
        for pool in share.pools:
            limits[pool.need.pool.user] = limits.get(pool.need.pool.user, 0) + pool.most
    return dict(sorted(limits.items()))


def role_connection_limit(plan: ServerPlan) -> dict[str, int]:
    """Return CONNECTION LIMIT of each pool user: the plan, its share of the headroom, its direct connections.

    PostgreSQL itself enforces it, so it also stops backends of vanished clients. The shares of the headroom
    are rounded down: all limits together stay within max_connections.
    """
    planned: dict[str, int] = {}
    for share in plan.shares:
        for pool in share.pools:
            user = pool.need.pool.user
            planned[user] = planned.get(user, 0) + share.instance.hold * pool.most
    server = plan.budget.server
    direct: dict[str, int] = {}
    for entry in server.direct:
        if entry.user is not None and holds_slot(entry, server):
            direct[entry.user] = direct.get(entry.user, 0) + entry.connections
    return {
        user: held + min(held, plan.headroom * held // plan.held) + direct.get(user, 0)
        for user, held in sorted(planned.items())
    }
