# Copyright: the djangoops.pooling authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How many clients ask for connections, and which poolers serve them (docs/sizing.md 6.A, 6.B)."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from fractions import Fraction

from ansible_collections.djangoops.pooling.plugins.module_utils._errors import SizingError, advice
from ansible_collections.djangoops.pooling.plugins.module_utils._inputs import (
    Fleet,
    Group,
    Poolers,
    out_of_range,
)


@dataclass(frozen=True)
class Demand:
    """Client connections of one pool: in the steady state, and while a deploy overlaps."""

    base: int
    peak: int


@dataclass(frozen=True)
class Instance:
    """Identical PgBouncer processes: all central ones, or those of one host group.

    ``hold`` processes may hold connections, ``serving`` carry the load, ``left`` after the tolerated losses.
    ``clients`` is what one process must accept per pool, ``demand`` what all of them get together.
    """

    name: str
    hosts: int
    serving_hosts: int
    hosts_lost: int
    processes: int
    hold: int
    serving: int
    left: int
    peers: int
    clients: Mapping[str, int]
    demand: Mapping[str, int]


def is_unbounded(group: Group) -> bool:
    """Whether nothing limits the requests in flight of one process, and so its connections."""
    concurrent = group.interface in ("asgi", "gevent")
    return concurrent and group.concurrency is None and group.native_pool is None


def in_flight(group: Group) -> int:
    """Return the requests, and so the connections, one process has in flight for each database alias.

    Raises SizingError("E_UNBOUNDED") where nothing limits them.
    """
    if group.interface in ("asgi", "gevent"):
        if group.concurrency is None:
            raise SizingError(
                "E_UNBOUNDED",
                f"group {group.name}: an {group.interface} process without a limit opens a connection"
                " for each request in flight",
                [
                    advice(
                        f"groups[{group.name}].concurrency",
                        None,
                        None,
                        "set OPTIONS['pool'] max_size (native pool), or declare"
                        f" groups[{group.name}].concurrency (uvicorn --limit-concurrency)",
                    )
                ],
            )
        return group.concurrency
    return group.threads if group.interface in ("wsgi", "celery") else 1


def client_demand(groups: Iterable[Group]) -> dict[str, Demand]:
    """Return the demand per pool name: exact sums over the groups, each rounded up once."""
    base: dict[str, Fraction] = {}
    peak: dict[str, Fraction] = {}
    for group in groups:
        per_process = group.native_pool.max_size if group.native_pool else in_flight(group)
        # Without a persistent connection, opening and closing ones overlap.
        bursts = group.conn_max_age == 0 and group.native_pool is None
        steady = group.hosts * group.processes * per_process * (group.burst_factor if bursts else Fraction(1))
        for pool in group.pools:  # the same pool twice: two aliases, two connections
            base[pool] = base.get(pool, Fraction(0)) + steady
            peak[pool] = peak.get(pool, Fraction(0)) + steady * group.deploy_overlap
    return {pool: Demand(math.ceil(base[pool]), math.ceil(peak[pool])) for pool in base}


def peaks(groups: Iterable[Group]) -> dict[str, int]:
    """Return the demand per pool name while a deploy overlaps."""
    return {pool: demand.peak for pool, demand in client_demand(groups).items()}


def instance_groups(fleet: Fleet) -> list[Instance]:
    """Return the instance groups in name order: "central", or one for each host group that has hosts.

    Raises SizingError("E_RANGE") where the hosts of the poolers contradict each other.
    """
    if fleet.poolers.placement == "central":
        return [_central(fleet)]
    members: dict[str, list[Group]] = {}
    for group in fleet.groups:
        if group.hosts:
            members.setdefault(group.host_group, []).append(group)
    return [_local(name, members[name], fleet.poolers) for name in sorted(members)]


def _central(fleet: Fleet) -> Instance:
    poolers = fleet.poolers
    serving, lost = _serving_and_lost(poolers)
    demand = peaks(fleet.groups)
    return Instance(
        name="central",
        hosts=poolers.hosts,
        serving_hosts=serving,
        hosts_lost=lost,
        processes=poolers.processes,
        hold=poolers.hosts * poolers.processes + poolers.restart_extra,
        serving=serving * poolers.processes,
        left=(serving - lost) * poolers.processes,
        peers=poolers.hosts * poolers.processes - 1,
        clients={pool: _accepted(peak, poolers, serving - lost) for pool, peak in demand.items()},
        demand=demand,
    )


def _local(name: str, groups: list[Group], poolers: Poolers) -> Instance:
    """No loss is tolerated: a pooler that dies takes only its own host's clients with it."""
    hosts = max(group.hosts for group in groups)
    return Instance(
        name=name,
        hosts=hosts,
        serving_hosts=hosts,
        hosts_lost=0,
        processes=poolers.processes,
        hold=hosts * poolers.processes + poolers.restart_extra,
        serving=hosts * poolers.processes,
        left=hosts * poolers.processes,
        peers=poolers.processes - 1,
        clients=peaks(replace(group, hosts=1) for group in groups),
        demand=peaks(groups),
    )


def _serving_and_lost(poolers: Poolers) -> tuple[int, int]:
    serving = poolers.hosts if poolers.serving_hosts is None else poolers.serving_hosts
    if serving > poolers.hosts:
        raise out_of_range("poolers.serving_hosts", serving, f"at most hosts {poolers.hosts}")
    derived = 1 if serving > 1 else 0
    lost = derived if poolers.tolerate_hosts_lost is None else poolers.tolerate_hosts_lost
    if lost >= serving:
        raise out_of_range("poolers.tolerate_hosts_lost", lost, f"less than serving hosts {serving}")
    return serving, lost


def _accepted(peak: int, poolers: Poolers, hosts_left: int) -> int:
    """Clients of one process. Never divided by so_reuseport processes: the kernel does not balance (E9)."""
    if poolers.distribution == "failover":
        return peak
    return min(peak, math.ceil(peak * poolers.skew / hosts_left))
