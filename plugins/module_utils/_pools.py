# Copyright: the djangoops.pooling authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The pools of one server: sizes, reserves and minimums in each process (docs/sizing.md 6.F to 6.H, 6.J)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

from ansible_collections.djangoops.pooling.plugins.module_utils._apportion import apportion
from ansible_collections.djangoops.pooling.plugins.module_utils._budget import (
    Budget,
    Need,
    Share,
    process_sizes,
)
from ansible_collections.djangoops.pooling.plugins.module_utils._demand import Instance
from ansible_collections.djangoops.pooling.plugins.module_utils._exact import ceil_to
from ansible_collections.djangoops.pooling.plugins.module_utils._inputs import Targets
from ansible_collections.djangoops.pooling.plugins.module_utils._queueing import min_servers, wait_stats


@dataclass(frozen=True)
class SizedPool:
    """One pool in one process: ``pool_size``, ``reserve_pool_size``, ``min_pool_size``, and why.

    ``required`` is the size the queue model asks for, None where the load is not measured.
    """

    need: Need
    size: int
    reserve: int
    idle: int
    burst: int
    failover: int
    weight: str
    required: int | None

    @property
    def most(self) -> int:
        """The connections PostgreSQL sees at most."""
        return self.size + self.reserve


@dataclass(frozen=True)
class SizedShare:
    """The pools of one instance group on one server."""

    share: Share
    size: int
    pools: tuple[SizedPool, ...]

    @property
    def instance(self) -> Instance:
        return self.share.instance

    @property
    def most(self) -> int:
        return sum(pool.most for pool in self.pools)


@dataclass(frozen=True)
class ServerPlan:
    """One server with its pools; all sums are over the whole server."""

    budget: Budget
    shares: tuple[SizedShare, ...]
    max_connections: int

    @property
    def pool_total(self) -> int:
        return sum(share.instance.serving * pool.size for share in self.shares for pool in share.pools)

    @property
    def reserve_total(self) -> int:
        return sum(share.instance.serving * pool.reserve for share in self.shares for pool in share.pools)

    @property
    def held(self) -> int:
        """Pools and reserves of every process that may hold connections."""
        return sum(share.instance.hold * share.most for share in self.shares)

    @property
    def worst_case(self) -> int:
        return self.budget.fixed + self.held

    @property
    def headroom(self) -> int:
        return self.max_connections - self.worst_case


def plan_pools(budget: Budget, targets: Targets, session: bool) -> ServerPlan:
    """Split the budget into pools; the caller has made sure that ``budget.least`` fits."""
    sizes = process_sizes(budget)
    shares = [_sized(share, size, targets, session) for share, size in zip(budget.shares, sizes, strict=True)]
    if budget.room is not None:
        shares = _cut_reserves(shares, budget.room)
    limit = budget.server.max_connections
    return ServerPlan(budget, tuple(shares), _computed_limit(budget, shares) if limit is None else limit)


def burst_reserve(size: int) -> int:
    """Return a quarter of a small pool, a fifth of a large one: 5 for pools of 20 and of 25."""
    return min(math.ceil(Fraction(size, 4)), max(5, size // 5))


def failover_reserve(size: int, instance: Instance) -> int:
    """Return what each process must add so that the hosts that are left replace the lost ones."""
    left = instance.serving_hosts - instance.hosts_lost
    return math.ceil(Fraction(size * instance.serving_hosts, left)) - size


def idle_size(size: int, busy: Fraction | None) -> int:
    """Return min_pool_size: the connections that are busy on average, a quarter where that is not known."""
    return min(size, math.ceil(Fraction(size, 4) if busy is None else busy))


def _sized(share: Share, total: int, targets: Targets, session: bool) -> SizedShare:
    required = [_required(need, share.instance, targets) for need in share.needs]
    weights, label = _weights(share.needs, required)
    sizes = apportion(
        total, weights, [need.minimum for need in share.needs], [need.cap for need in share.needs]
    )
    pools = []
    for need, size, weight, servers in zip(share.needs, sizes, weights, required, strict=True):
        burst, failover = burst_reserve(size), failover_reserve(size, share.instance)
        # In session mode a client keeps its connection: a reserve would serve nobody.
        reserve = 0 if session else max(0, min(max(burst, failover), need.cap - size))
        idle = idle_size(size, need.erlangs)
        pools.append(SizedPool(need, size, reserve, idle, burst, failover, f"{label} {weight}", servers))
    return SizedShare(share, sum(sizes), tuple(pools))


def _required(need: Need, instance: Instance, targets: Targets) -> int | None:
    if need.tps is None or need.pool.xact_ms is None:
        return None
    return min_servers(
        need.tps / instance.serving,
        need.pool.xact_ms,
        utilisation=targets.utilisation,
        wait_ms=targets.wait_ms,
        percentile=targets.percentile,
        cs2=targets.cs2,
    )


def _weights(needs: Sequence[Need], required: Sequence[int | None]) -> tuple[list[Fraction | int], str]:
    """Return what the pools are weighted by; a kind counts only where every pool has it."""
    declared = [need.pool.weight for need in needs if need.pool.weight is not None]
    if len(declared) == len(needs):
        return list(declared), "declared weight"
    measured = [servers for servers in required if servers is not None]
    if len(measured) == len(needs):
        return list(measured), "Erlang-C need"
    return [need.demand for need in needs], "client demand"


def _cut_reserves(shares: Sequence[SizedShare], room: int) -> list[SizedShare]:
    """Cut reserves, never pools, until the worst case fits into ``room``."""
    spare = room - sum(share.instance.hold * share.size for share in shares)
    wants = [share.instance.hold * (share.most - share.size) for share in shares]
    if sum(wants) <= spare:
        return list(shares)
    return [
        _with_reserve(share, granted // share.instance.hold)
        for share, granted in zip(shares, apportion(spare, wants, caps=wants), strict=True)
    ]


def _with_reserve(share: SizedShare, total: int) -> SizedShare:
    wants = [pool.reserve for pool in share.pools]
    reserves = apportion(total, wants, caps=wants)
    pools = [replace(pool, reserve=reserve) for pool, reserve in zip(share.pools, reserves, strict=True)]
    return replace(share, pools=tuple(pools))


def _computed_limit(budget: Budget, shares: Sequence[SizedShare]) -> int:
    """Return a max_connections that holds the worst case and keeps the steady state below the alert."""
    worst = budget.fixed + sum(share.instance.hold * share.most for share in shares)
    steady = (
        budget.direct.total
        + budget.serving_auth
        + sum(share.instance.serving * share.size for share in shares)
    )
    return max(100, ceil_to(max(worst, math.ceil(steady / budget.alert)), 10))


def capacity_kept(pool: SizedPool, instance: Instance) -> tuple[int, int]:
    """Return the connections of one pool after the tolerated losses, and those it should have (I7)."""
    kept = instance.left * pool.most
    return kept, min(instance.serving * pool.size, instance.left * pool.need.cap)


def prediction(pool: SizedPool, instance: Instance, targets: Targets) -> dict[str, Any] | None:
    """Return what the queue model says about a pool (section 8), None where the load is not measured."""
    need = pool.need
    if need.tps is None or need.pool.xact_ms is None or need.erlangs is None:
        return None
    shape = {"percentile": targets.percentile, "cs2": targets.cs2}
    xact_ms = need.pool.xact_ms
    return {
        "offered_erlangs": round(float(need.erlangs * instance.serving), 6),
        "required_pool_size": pool.required,
        "normal": wait_stats(pool.size, need.tps / instance.serving, xact_ms, **shape),
        "after_loss": wait_stats(pool.most, need.tps / instance.left, xact_ms, **shape),
        "if_one_pool": wait_stats(pool.size * instance.serving, need.tps, xact_ms, **shape),
    }
