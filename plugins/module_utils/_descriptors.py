# Copyright: the djangoops.pooling authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Clients and file descriptors of one pooler process (docs/sizing.md 6.B, 6.K)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ansible_collections.djangoops.pooling.plugins.module_utils._demand import Instance
from ansible_collections.djangoops.pooling.plugins.module_utils._errors import SizingError, advice
from ansible_collections.djangoops.pooling.plugins.module_utils._exact import ceil_to, next_pow2
from ansible_collections.djangoops.pooling.plugins.module_utils._guards import auth_databases
from ansible_collections.djangoops.pooling.plugins.module_utils._inputs import Fleet
from ansible_collections.djangoops.pooling.plugins.module_utils._pools import SizedShare

NR_OPEN = 1_048_576  # fs.nr_open as Linux ships it
BASE = 16  # log, signals, listening sockets, resolver: 10 measured (E3)


@dataclass(frozen=True)
class Descriptors:
    """What one process opens; ``needed`` sums up all the others, ``logged`` is PgBouncer's own estimate."""

    max_client_conn: int
    servers: int
    auth: int
    peers: int
    listen_backlog: int
    needed: int
    logged: int
    limit_nofile: int


def descriptors(fleet: Fleet, instance: Instance, shares: Sequence[SizedShare]) -> Descriptors:
    """Count the descriptors of one process. Raises SizingError("E_NOFILE") above fs.nr_open."""
    clients = sum(instance.clients.values())
    max_client_conn = max(100, ceil_to(clients + fleet.poolers.console_clients, 50))
    pools = [pool for share in shares for pool in share.pools]
    # Cancel requests open up to another pool_size sockets, past every limit (E2).
    servers = sum(max(2 * pool.size, pool.most) for pool in pools)
    auth = 2 * sum(len(auth_databases(share, fleet.poolers)) for share in shares)
    peers = instance.peers * default_pool_size(shares) if fleet.poolers.peering else 0
    listen_backlog = min(4096, max(128, next_pow2(clients)))
    needed = max_client_conn + servers + auth + peers + listen_backlog + BASE
    logged = _logged_by_pgbouncer(fleet, max_client_conn, shares)
    limit_nofile = max(65536, ceil_to(2 * max(needed, logged), 1024))
    if limit_nofile > NR_OPEN:
        raise SizingError(
            "E_NOFILE",
            f"instance group {instance.name}: LimitNOFILE {limit_nofile} > fs.nr_open {NR_OPEN}"
            f" ({clients} clients in one process)",
            [
                advice(
                    "poolers.distribution",
                    fleet.poolers.distribution,
                    "balanced",
                    "poolers.distribution=balanced over more poolers.hosts, or fewer clients",
                )
            ],
        )
    return Descriptors(max_client_conn, servers, auth, peers, listen_backlog, needed, logged, limit_nofile)


def default_pool_size(shares: Sequence[SizedShare]) -> int:
    """Return the smallest pool: what an undeclared user gets. Never 0, which would mean unlimited (E1)."""
    return min((pool.size for share in shares for pool in share.pools), default=1)


def _logged_by_pgbouncer(fleet: Fleet, max_client_conn: int, shares: Sequence[SizedShare]) -> int:
    """What PgBouncer computes and logs at its start: as if every user came to every database."""
    largest: dict[str, int] = {}
    for share in shares:
        for pool in share.pools:
            database = pool.need.pool.database
            largest[database] = max(largest.get(database, 0), pool.size)
    users = len({pool.user for pool in fleet.pools}) + fleet.poolers.auth_query
    return max_client_conn + 12 + sum(largest.values()) * users
