"""A small inventory as Ansible hands it over, for the tests of what is read from it."""

from __future__ import annotations

import copy
from typing import Any

from ansible_collections.djangoops.pooling.plugins.module_utils._fleet import Inventory

GROUPS = {"app": ["app1", "app2"], "pooler": ["pooler1"], "database": ["db1"]}
ALL: dict[str, Any] = {"pooling_pools": [{"name": "app", "user": "web"}]}
HOSTS: dict[str, dict[str, Any]] = {
    "app1": {"pooling_services": {"web": {"processes": 4, "threads": 2}}},
    "app2": {"pooling_services": {"web": {"processes": 4, "threads": 2}}},
    "pooler1": {},
    "db1": {"pooling_postgres": {"cores": 8, "ram_mib": 16384, "max_connections": 100}},
}


def hostvars(shared: dict[str, Any] | None = None, **hosts: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Each host's variables: ``shared`` is laid over what all declare, keywords over what that host declares.

    Every host has an address in its facts. None takes a variable away.
    """
    result: dict[str, dict[str, Any]] = {}
    for number, host in enumerate(HOSTS | hosts, 1):
        facts = {"all_ipv4_addresses": [f"192.0.2.{number}"], "all_ipv6_addresses": []}
        values = {
            "ansible_facts": facts,
            **ALL,
            **HOSTS.get(host, {}),
            **(shared or {}),
            **hosts.get(host, {}),
        }
        result[host] = copy.deepcopy({key: value for key, value in values.items() if value is not None})
    return result


def inventory(
    groups: dict[str, list[str]] | None = None,
    shared: dict[str, Any] | None = None,
    **hosts: dict[str, Any],
) -> Inventory:
    """Two app hosts, one pooler and one database, with what is given laid over them."""
    return Inventory({**GROUPS, **(groups or {})}, hostvars(shared, **hosts))
