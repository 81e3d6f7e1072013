"""The invariants I1 to I9 of docs/sizing.md 7, recomputed from inputs and outputs alone.

Nothing of the implementation is used here: a mistake in one of its helpers must not hide itself.
"""

from __future__ import annotations

from fractions import Fraction
from math import ceil
from typing import Any


def number(value: Any) -> Fraction:
    """An input as an exact number."""
    return Fraction(str(value))


def per_process(group: dict[str, Any]) -> int:
    """Connections of one process for each alias."""
    native = group.get("native_pool")
    if native is not None:
        return 4 if native is True else max(native["min_size"], native["max_size"])
    if group["interface"] in ("asgi", "gevent"):
        return int(group["concurrency"])
    return 1 if group["interface"] == "script" else int(group["threads"])


def demand(groups: list[dict[str, Any]], pool: str, *, hosts: int | None = None, peak: bool = True) -> int:
    """Clients of a pool; with ``hosts``, as if each group that runs had that many."""
    total = Fraction(0)
    for group in groups:
        clients = Fraction(group["pools"].count(pool) * group["processes"] * per_process(group))
        clients *= group["hosts"] if hosts is None or not group["hosts"] else hosts
        if group.get("conn_max_age", 0) == 0 and group.get("native_pool") is None:
            clients *= number(group.get("burst_factor", 1))
        total += clients * (number(group["deploy_overlap"]) if peak else 1)
    return ceil(total)


class Site:
    """One instance group as the inputs describe it."""

    def __init__(self, inputs: dict[str, Any], name: str) -> None:
        poolers, groups = inputs["poolers"], inputs["groups"]
        pools = [pool["name"] for pool in inputs["pools"]]
        processes = poolers["processes"]
        if poolers["placement"] == "central":
            self.hosts = poolers["hosts"]
            self.serving_hosts = poolers.get("serving_hosts", self.hosts)
            self.lost = poolers.get("tolerate_hosts_lost", 1 if self.serving_hosts > 1 else 0)
            self.clients = {pool: demand(groups, pool) for pool in pools}
            if poolers["distribution"] == "balanced":
                share = number(poolers["skew"]) / (self.serving_hosts - self.lost)
                self.clients = {pool: min(all_, ceil(all_ * share)) for pool, all_ in self.clients.items()}
            self.part = dict.fromkeys(pools, Fraction(1))
        else:
            members = [group for group in groups if group["host_group"] == name]
            self.hosts = self.serving_hosts = max(group["hosts"] for group in members)
            self.lost = 0
            self.clients = {pool: demand(members, pool, hosts=1) for pool in pools}
            everywhere = {
                pool: sum(
                    demand([group for group in groups if group["host_group"] == place], pool)
                    for place in {group["host_group"] for group in groups}
                )
                for pool in pools
            }
            self.part = {
                pool: Fraction(demand(members, pool), everywhere[pool]) if everywhere[pool] else Fraction(1)
                for pool in pools
            }
        self.hold = self.hosts * processes + poolers["restart_extra"]
        self.serving = self.serving_hosts * processes
        self.left = (self.serving_hosts - self.lost) * processes


def direct(server: dict[str, Any]) -> list[tuple[str, int, str | None]]:
    """The direct connections that take slots: (kind, connections, user)."""
    result = []
    for entry in server["direct"]:
        kind = "plain"
        if entry.get("walsender"):
            if server["version"] >= 12:
                continue
        elif entry.get("superuser"):
            kind = "superuser"
        elif entry.get("reserved") and server["version"] >= 16:
            kind = "reserved"
        result.append((kind, entry["connections"], entry.get("user")))
    return result


def direct_hard(server: dict[str, Any]) -> int:
    """Direct connections that the reserved slots do not cover."""
    of = {
        kind: sum(n for k, n, _user in direct(server) if k == kind)
        for kind in ("plain", "superuser", "reserved")
    }
    return int(
        of["plain"]
        + max(0, of["superuser"] - server["superuser_reserved_connections"])
        + max(0, of["reserved"] - server["reserved_connections"])
    )


def reserved_slots(server: dict[str, Any]) -> int:
    """Slots that PostgreSQL keeps for superusers and for pg_use_reserved_connections."""
    return int(server["superuser_reserved_connections"] + server["reserved_connections"])


def check(inputs: dict[str, Any], plan: dict[str, Any]) -> None:
    """Assert every invariant for a plan of ``inputs`` (all keys that ``fleets`` draws are there)."""
    sites = {name: Site(inputs, name) for name in plan["instances"]}
    for name, server in plan["servers"].items():
        check_server(inputs, plan, sites, name, server)
    for name, instance in plan["instances"].items():
        check_instance(inputs, plan, sites[name], instance)
    check_timeouts(inputs, plan["timeouts"])
    check_derivations(plan)
    names = [pool["name"] for pool in inputs["pools"]]
    assert plan["client_peak"] == sum(demand(inputs["groups"], name) for name in names)
    assert plan["client_base"] == sum(demand(inputs["groups"], name, peak=False) for name in names)


def pools_on(inputs: dict[str, Any], instance: dict[str, Any], server: str) -> dict[str, dict[str, Any]]:
    """The planned pools of an instance group on one server, with what was declared for them."""
    declared = {pool["name"]: pool for pool in inputs["pools"] if pool["server"] == server}
    return {name: {**declared[name], **pool} for name, pool in instance["pools"].items() if name in declared}


def auth_backends(inputs: dict[str, Any], pools: dict[str, dict[str, Any]]) -> int:
    """Connections of one process for auth_query on one server."""
    poolers = inputs["poolers"]
    if not poolers["auth_query"] or not pools:
        return 0
    return 1 if poolers["auth_dbname"] else len({pool["database"] for pool in pools.values()})


def check_server(
    inputs: dict[str, Any],
    plan: dict[str, Any],
    sites: dict[str, Site],
    name: str,
    planned: dict[str, Any],
) -> None:
    """I1, I2, I7 and I8 of one server."""
    server = inputs["postgres"][name]
    limit = planned["max_connections"]
    if server["max_connections"] is not None:
        assert limit == server["max_connections"]
    held = auth = pool_total = reserve_total = 0
    by_user: dict[str, int] = {}
    for where, instance in plan["instances"].items():
        site, pools = sites[where], pools_on(inputs, instance, name)
        auth += site.hold * auth_backends(inputs, pools)
        for pool in pools.values():
            most = pool["pool_size"] + pool["reserve_pool_size"]
            held += site.hold * most
            pool_total += site.serving * pool["pool_size"]
            reserve_total += site.serving * pool["reserve_pool_size"]
            by_user[pool["user"]] = by_user.get(pool["user"], 0) + site.hold * most
            check_pool(inputs, plan, site, pool)
    fixed = auth + direct_hard(server) + reserved_slots(server)

    assert held + fixed <= limit, "I1"
    assert planned["worst_case"] == held + fixed
    assert planned["headroom"] == limit - held - fixed
    assert (planned["pool_total"], planned["reserve_total"]) == (pool_total, reserve_total)
    assert planned["direct"] == sum(n for _kind, n, _user in direct(server))

    roles = planned["role_connection_limit"]
    own = {role: sum(n for _kind, n, user in direct(server) if user == role) for role in roles}
    assert set(roles) == set(by_user)
    assert all(roles[user] - own[user] >= count for user, count in by_user.items()), "I2"
    assert sum(roles[user] - own[user] for user in roles) + fixed <= limit, "I2"


def check_pool(inputs: dict[str, Any], plan: dict[str, Any], site: Site, pool: dict[str, Any]) -> None:
    """I5, I7, I8 of one pool."""
    size, reserve = pool["pool_size"], pool["reserve_pool_size"]
    clients = site.clients[pool["name"]]
    assert pool["clients"] == clients
    assert size >= 1 and 0 <= pool["min_pool_size"] <= size and reserve >= 0, "I5"
    assert size >= pool["min"]
    threads = ceil(Fraction(max(clients, 1), pool["nested"]))
    assert size >= threads * (pool["nested"] - 1) + 1, "threads that hold several connections can deadlock"
    if inputs["pool_mode"] == "session":
        assert size >= clients and reserve == 0
    if not any(warning.startswith("W_RESERVE_CUT") for warning in plan["warnings"]):
        assert site.left * (size + reserve) >= min(site.serving * size, site.left * clients), "I7"
    if "tps" in pool:
        busy = number(pool["tps"]) * site.part[pool["name"]] * number(pool["xact_ms"]) / 1000
        assert busy < site.serving * size, "I8"
        assert pool["predicted"]["normal"]["rho"] < 1 or busy / (site.serving * size) > Fraction("0.999")
        after_loss_warned = any(warning.startswith("W_LOSS_UNSTABLE") for warning in plan["warnings"])
        assert busy < site.left * (size + reserve) or after_loss_warned


def check_instance(
    inputs: dict[str, Any], plan: dict[str, Any], site: Site, instance: dict[str, Any]
) -> None:
    """I3, I4 and the sums of I5 of one process."""
    poolers = inputs["poolers"]
    clients = sum(site.clients.values())
    assert instance["hosts"] == site.hosts
    assert instance["client_peak"] == clients
    assert clients + poolers["console_clients"] <= instance["max_client_conn"], "I3"
    assert instance["fd_needed"] <= instance["limit_nofile"] <= 1_048_576, "I4"
    assert instance["listen_backlog"] >= min(clients, 4096)

    sockets = auth = 0
    databases: dict[str, int] = {}
    users: dict[str, int] = {}
    for server in plan["servers"]:
        pools = pools_on(inputs, instance, server)
        auth += auth_backends(inputs, pools)
        for pool in pools.values():
            most = pool["pool_size"] + pool["reserve_pool_size"]
            sockets += max(2 * pool["pool_size"], most)
            databases[pool["database"]] = databases.get(pool["database"], 0) + most
            users[pool["user"]] = users.get(pool["user"], 0) + most
    assert instance["fd_needed"] >= instance["max_client_conn"] + sockets + 2 * auth + 10, "I4"
    limits = instance["max_db_connections"]
    assert set(limits) == set(databases)
    assert all(limits[database] >= count for database, count in databases.items()), "I5"
    assert sum(limits.values()) == sum(databases.values()) + auth, "I5"
    assert instance["max_user_connections"] == users, "I5"
    sizes = [pool["pool_size"] for pool in instance["pools"].values()]
    assert instance["default_pool_size"] == min(sizes, default=1)


def check_timeouts(inputs: dict[str, Any], timeouts: dict[str, int]) -> None:
    """I6 and I6b."""
    ages = [group.get("conn_max_age", 0) for group in inputs["groups"] if group["interface"] != "asgi"]
    assert timeouts["conn_max_age"] == max(ages, default=0)
    assert timeouts["conn_max_age"] < timeouts["server_idle_timeout"], "I6"
    assert timeouts["client_idle_timeout"] == 0, "I6b"
    assert timeouts["server_lifetime"] >= timeouts["server_idle_timeout"]


def check_derivations(plan: dict[str, Any]) -> None:
    """I9: the keys of the specification's example, for every server, instance group and pool."""
    keys = {"client_peak", "timeouts.server_idle_timeout", "timeouts.query_wait_timeout"}
    for name in plan["servers"]:
        numbers = ("max_connections", "target_connections", "worst_case", "role_connection_limit")
        keys |= {f"servers.{name}.{key}" for key in numbers}
    for name, instance in plan["instances"].items():
        limits = (
            "max_client_conn",
            "default_pool_size",
            "max_db_connections",
            "max_user_connections",
            "reserve_pool_timeout",
            "listen_backlog",
            "limit_nofile",
        )
        keys |= {f"instances.{name}.{key}" for key in limits}
        keys |= {f"instances.{name}.pools.{pool}" for pool in instance["pools"]}
    assert set(plan["why"]) == keys, "I9"
    assert all(plan["why"].values()), "I9"
