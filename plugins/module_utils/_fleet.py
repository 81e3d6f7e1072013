# Copyright: the djangoops.pooling authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From an Ansible inventory (groups and host variables) to the fleet that the sizing formula takes.

Private to this collection. Only reads; the shapes are those of docs/sizing.md section 5.
"""

from __future__ import annotations

import dataclasses
import difflib
import json
from collections.abc import Mapping, Sequence
from typing import Any

# What a service of pooling_services may say; `hosts`, `name` and `pools` are derived from the inventory.
SERVICE_KEYS = (
    "burst_factor",
    "concurrency",
    "conn_max_age",
    "databases",
    "deploy_overlap",
    "host_group",
    "interface",
    "native_pool",
    "processes",
    "rps_per_host",
    "threads",
    "unix_socket",
)
# Declared once for the whole fleet, usually in group_vars/all.
FLEET_KEYS = ("pools", "pool_mode", "targets", "timeouts")
# How Django reaches a pooler that the provider runs; some want a suffix to the user's name (Supabase: .project), or have
# a strategy of their own in _django_strategies (neon, supabase).
PROVIDER_POOLER_KEYS = ("host", "port", "strategy", "user_suffix")
# docs/sizing.md section 12: behind a pooler persistent connections save the login; under ASGI they would leak.
CONN_MAX_AGE = {"wsgi": 60, "celery": 60}


@dataclasses.dataclass(frozen=True)
class Inventory:
    """Ansible's `groups` and `hostvars`, and the names of the groups that matter here."""

    groups: Mapping[str, Sequence[str]]
    hostvars: Mapping[str, Mapping[str, Any]]
    app: str = "app"
    pooler: str = "pooler"
    database: str = "database"
    # what was read before: in Ansible every look at a host's variables costs milliseconds
    known: dict[tuple[str, str], Any] = dataclasses.field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    def hosts(self, group: str) -> list[str]:
        """Hosts of a group in inventory order. Raises ValueError when the group is absent or empty."""
        hosts = list(self.groups.get(group) or [])
        if not hosts:
            raise ValueError(f"the inventory has no host in group '{group}'; add one, or name another group")
        return hosts

    def get(self, host: str, name: str, default: Any = None) -> Any:
        """A host's variable, or the default."""
        if (host, name) not in self.known:
            self.known[host, name] = self.hostvars[host].get(name)
        value = self.known[host, name]
        return default if value is None else value

    def address(self, host: str) -> str:
        """Name or address under which other hosts reach this one."""
        return str(self.get(host, "pooling_address", self.get(host, "ansible_host", host)))

    def provider_poolers(self) -> dict[str, Mapping[str, Any]]:
        """Server -> how its provider's own pooler is reached (pooling_provider_pooler); empty where PgBouncer pools."""
        hosts = self.hosts(self.database)
        declared = {host: self.get(host, "pooling_provider_pooler") for host in hosts}
        if not any(declared.values()):
            return {}
        for host, value in declared.items():
            if not isinstance(value, Mapping) or not value.get("host"):
                raise ValueError(
                    f"host {host}: pooling_provider_pooler is a mapping with the host, and port, of the provider's pooler; "
                    f"give it on every host of group '{self.database}' or on none"
                )
            if unknown := sorted(set(value) - set(PROVIDER_POOLER_KEYS)):
                raise ValueError(
                    f"host {host}: pooling_provider_pooler: unknown key '{unknown[0]}'; known are "
                    f"{', '.join(PROVIDER_POOLER_KEYS)}"
                )
        if self.groups.get(self.pooler):
            raise ValueError(
                f"pooling_provider_pooler says that the provider pools, so a second pooler has no use; empty the group "
                f"'{self.pooler}', or take the variable away"
            )
        return {self.server(host): value for host, value in declared.items() if value is not None}

    def poolers(self) -> list[str]:
        """Hosts of PgBouncer; none where the provider of the servers pools."""
        return [] if self.provider_poolers() else self.hosts(self.pooler)

    def server(self, host: str) -> str:
        """Name of the PostgreSQL server that runs on this host: pooling_server, 'primary' if there is only one."""
        name = self.get(host, "pooling_server")
        if name is None and len(self.hosts(self.database)) > 1:
            raise ValueError(
                f"host {host}: with several hosts in group '{self.database}' each needs pooling_server, the name "
                f"that pooling_pools[].server uses"
            )
        return "primary" if name is None else str(name)


def fleet(inventory: Inventory) -> tuple[dict[str, Any], list[str]]:
    """The inputs of the sizing formula, and a sentence for each fact that is missing.

    Raises ValueError for an empty group, an unknown key, a service without databases that exist, or hosts that
    contradict each other about what is declared for the whole fleet.
    """
    shared = {key: _agreed(inventory, f"pooling_{key}") for key in FLEET_KEYS}
    result: dict[str, Any] = {key: value for key, value in shared.items() if value is not None}
    _check_pools(result.get("pools"))
    result["poolers"] = _poolers(inventory)
    result["groups"] = _groups(inventory, local=result["poolers"].get("placement") == "local")
    result["postgres"], warnings = _servers(inventory)
    return result, warnings


def _check_pools(pools: Any) -> None:
    if not isinstance(pools, Sequence) or isinstance(pools, str) or not pools:
        raise ValueError("pooling_pools: a list with at least one pool is expected, in group_vars/all")
    seen: dict[tuple[str, str, str], int] = {}
    for index, pool in enumerate(pools):
        path = f"pooling_pools[{index}]"
        if not isinstance(pool, Mapping) or not pool.get("name"):
            raise ValueError(f"{path}: a mapping with a name is expected, for instance {{name: app}}")
        server, database, user = (
            str(pool.get(key) or default)
            for key, default in (("server", "primary"), ("database", pool["name"]), ("user", "app"))
        )
        first = seen.setdefault((server, database, user), index)
        if first != index:
            raise ValueError(
                f"{path}: database '{database}' and user '{user}' on server '{server}' are declared twice, first in "
                f"pooling_pools[{first}]; share that pool: several aliases may name the same pool"
            )


def services(inventory: Inventory, host: str) -> dict[str, dict[str, Any]]:
    """What runs on an app host: service name -> its keys, defaults for CONN_MAX_AGE and databases filled in."""
    declared = inventory.get(host, "pooling_services")
    if not isinstance(declared, Mapping) or not declared:
        raise ValueError(
            f"host {host}: pooling_services is missing, a mapping of service name to its processes"
        )
    pools = _agreed(inventory, "pooling_pools") or []
    result = {}
    for name, service in declared.items():
        path = f"host {host}: pooling_services.{name}"
        if not isinstance(service, Mapping):
            raise ValueError(f"{path}: a mapping is expected, for instance {{processes: 8, threads: 4}}")
        for key in service:
            if key not in SERVICE_KEYS:
                near = difflib.get_close_matches(str(key), SERVICE_KEYS, 1)
                hint = f"; did you mean {near[0]}?" if near else f"; known are {', '.join(SERVICE_KEYS)}"
                raise ValueError(f"{path}: unknown key '{key}'{hint}")
        filled = dict(service)
        if filled.get("native_pool") in (None, False):
            age = CONN_MAX_AGE.get(str(filled.get("interface", "wsgi")), 0)
            filled.setdefault("conn_max_age", age)
        filled.setdefault("databases", {"default": pools[0]["name"]} if pools else {})
        _check_databases(path, filled["databases"], [pool.get("name") for pool in pools])
        result[str(name)] = filled
    return result


def _check_databases(path: str, databases: Any, pools: list[Any]) -> None:
    if not isinstance(databases, Mapping) or not databases:
        raise ValueError(f"{path}.databases: a mapping of Django's database alias to a pool is expected")
    for alias, pool in databases.items():
        if pool not in pools:
            raise ValueError(
                f"{path}.databases.{alias}: there is no pool '{pool}' in pooling_pools "
                f"({', '.join(str(name) for name in pools)})"
            )


def local_instances(inventory: Inventory) -> dict[str, str]:
    """Instance group of each app host under local placement: one for all hosts that run the same services."""
    apps, poolers = inventory.hosts(inventory.app), inventory.hosts(inventory.pooler)
    if alone := set(apps) ^ set(poolers):
        raise ValueError(
            f"pooling_poolers.placement local: every host of '{inventory.app}' runs a pooler of its own, so the hosts "
            f"of '{inventory.pooler}' have to be the same; only in one of the groups: {', '.join(sorted(alone))}"
        )
    names: dict[tuple[str, str], str] = {}
    result = {}
    for host in apps:
        running = services(inventory, host)
        declared = {str(service["host_group"]) for service in running.values() if "host_group" in service}
        if len(declared) > 1:
            raise ValueError(
                f"host {host}: its services name several host groups: {', '.join(sorted(declared))}"
            )
        name = declared.pop() if declared else "+".join(sorted(running))
        key = (name, _text(running))
        if key not in names:
            names[key] = name if name not in names.values() else f"{name}@{host}"
        result[host] = names[key]
    return result


def _text(value: Any) -> str:
    """Text that is equal for equal values."""
    return json.dumps(value, sort_keys=True, default=str)


def _groups(inventory: Inventory, *, local: bool) -> list[dict[str, Any]]:
    """One sizing group for each set of hosts that run a service with the same numbers."""
    instances = local_instances(inventory) if local else {}
    members: dict[tuple[str, str], list[str]] = {}
    parameters: dict[tuple[str, str], dict[str, Any]] = {}
    for host in inventory.hosts(inventory.app):
        for name, service in services(inventory, host).items():
            inputs = {key: value for key, value in service.items() if key != "databases"}
            inputs["pools"] = list(service["databases"].values())
            if local:
                inputs["host_group"] = instances[host]
            key = (name, _text(inputs))
            members.setdefault(key, []).append(host)
            parameters[key] = inputs
    names = [name for name, _inputs in members]
    return [
        {
            "name": key[0] if names.index(key[0]) == position else f"{key[0]}@{hosts[0]}",
            "hosts": len(hosts),
            **parameters[key],
        }
        for position, (key, hosts) in enumerate(members.items())
    ]


def _poolers(inventory: Inventory) -> dict[str, Any]:
    hosts = inventory.poolers()
    if not hosts:
        return {"hosts": 1}  # the provider's, planned as one that never fails
    declared = [inventory.get(host, "pooling_poolers") or {} for host in hosts]
    for host, value in zip(hosts, declared, strict=True):
        if not isinstance(value, Mapping) or "hosts" in value:
            raise ValueError(
                f"host {host}: pooling_poolers is a mapping; its hosts are the group's, not declared"
            )
        if value != declared[0]:
            raise ValueError(
                f"pooling_poolers differs between {hosts[0]} and {host}; declare it in group_vars"
            )
    return {**declared[0], "hosts": len(hosts)}


def _servers(inventory: Inventory) -> tuple[dict[str, dict[str, Any]], list[str]]:
    servers: dict[str, dict[str, Any]] = {}
    warnings = []
    for host in inventory.hosts(inventory.database):
        name = inventory.server(host)
        if name in servers:
            raise ValueError(f"host {host}: pooling_server '{name}' is taken by another host")
        declared = inventory.get(host, "pooling_postgres") or {}
        if not isinstance(declared, Mapping):
            raise ValueError(
                f"host {host}: pooling_postgres is a mapping, for instance {{max_connections: 200}}"
            )
        # the facts of a managed server's host are those of whoever speaks SQL for it
        facts = {} if inventory.get(host, "pooling_managed") else inventory.get(host, "ansible_facts") or {}
        given = {key for key in declared if declared[key] is not None}
        servers[name] = dict(declared)
        if not given & {"cores", "vcpus"}:
            # 0 is what Ansible reports where it cannot tell
            if facts.get("processor_vcpus"):
                servers[name]["vcpus"] = facts["processor_vcpus"]
                if "threads_per_core" not in given:
                    servers[name]["threads_per_core"] = facts.get("processor_threads_per_core") or 2
            elif not given & {"target_connections", "usl"}:
                warnings.append(
                    f"host {host}: number of CPUs unknown, so 20 connections are planned for each pool. "
                    f"Gather facts, or declare pooling_postgres.cores."
                )
        if "ram_mib" not in given:
            if facts.get("memtotal_mb"):
                servers[name]["ram_mib"] = facts["memtotal_mb"]
            else:
                warnings.append(
                    f"host {host}: memory unknown, so the plan says nothing about it. "
                    f"Gather facts, or declare pooling_postgres.ram_mib."
                )
    return servers, warnings


def _agreed(inventory: Inventory, name: str) -> Any:
    """The value of a variable that has to be the same on all hosts of the fleet, or None."""
    found: dict[str, Any] = {}
    hosts = [*inventory.hosts(inventory.app), *inventory.poolers(), *inventory.hosts(inventory.database)]
    for host in hosts:
        if inventory.get(host, name) is not None:
            found[host] = inventory.get(host, name)
    for host, value in found.items():
        first = next(iter(found))
        if value != found[first]:
            raise ValueError(f"{name} differs between {first} and {host}; declare it once, in group_vars/all")
    return next(iter(found.values()), None)
