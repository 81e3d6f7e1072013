# Copyright: the djangoops.pooling authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The filter fleet."""

from __future__ import annotations

DOCUMENTATION = r"""
---
name: fleet
short_description: Read a Django fleet from the inventory
version_added: 0.1.0
author:
  - The djangoops.pooling authors
description:
  - Turns Ansible's groups and host variables into the fleet that P(djangoops.pooling.pool_plan#filter) plans for, so that
    a host added to the inventory is all it takes to plan anew.
  - A host of the app group declares V(pooling_services), a mapping of service name to the keys of V(groups[]) of the
    plan (V(interface), V(processes), V(threads), V(concurrency), V(conn_max_age), V(native_pool), V(deploy_overlap),
    V(burst_factor), V(rps_per_host), V(unix_socket), V(host_group)) and V(databases), a mapping of Django's alias to a
    pool. Hosts with equal services form one group of the fleet. V(conn_max_age) is 60 s for V(wsgi) and V(celery) unless
    declared, 0 with a native pool and for the others; V(databases) is the first pool as V(default) unless declared.
  - A host of the pooler group may declare V(pooling_poolers), the plan's V(poolers) without V(hosts), which is counted.
  - A host of the database group may declare V(pooling_postgres), the plan's V(postgres.<server>), and declares
    V(pooling_server), the name of its server, if there are several such hosts. The name of a single one is V(primary).
  - For the whole fleet, in C(group_vars/all), V(pooling_pools) is the plan's V(pools); V(pooling_pool_mode),
    V(pooling_targets) and V(pooling_timeouts) are optional.
  - Facts fill in what a database host does not declare, C(processor_vcpus), C(processor_threads_per_core) and
    C(memtotal_mb). Where they are missing too, Ansible prints a warning, and the plan falls back to 20 connections a pool
    and to no statement about memory.
positional: hostvars
options:
  _input:
    description:
      - Ansible's C(groups).
    type: dictionary
    required: true
  hostvars:
    description:
      - Ansible's C(hostvars).
    type: dictionary
    required: true
  app:
    description:
      - Name of the group of hosts that run Django.
    type: string
    default: app
  pooler:
    description:
      - Name of the group of hosts that run PgBouncer.
    type: string
    default: pooler
  database:
    description:
      - Name of the group of hosts that run PostgreSQL.
    type: string
    default: database
"""

EXAMPLES = r"""
---
- name: Plan the fleet of the inventory
  ansible.builtin.debug:
    msg: "{{ groups | djangoops.pooling.fleet(hostvars) | djangoops.pooling.pool_plan }}"
"""

RETURN = r"""
_value:
  description:
    - The inputs of P(djangoops.pooling.pool_plan#filter), with the keys C(groups), C(pools), C(poolers), C(postgres), and
      C(pool_mode), C(targets) and C(timeouts) where declared.
  type: dictionary
"""

from collections.abc import Callable, Mapping
from typing import Any

from ansible.errors import AnsibleFilterError
from ansible.utils.display import Display
from ansible_collections.djangoops.pooling.plugins.module_utils import _fleet


def fleet(
    groups: Mapping[str, list[str]],
    hostvars: Mapping[str, Mapping[str, Any]],
    app: str = "app",
    pooler: str = "pooler",
    database: str = "database",
) -> dict[str, Any]:
    """Return the fleet that the inventory declares."""
    try:
        result, warnings = _fleet.fleet(_fleet.Inventory(groups, hostvars, app, pooler, database))
    except ValueError as exc:
        raise AnsibleFilterError(f"djangoops.pooling.fleet: {exc}") from exc
    for warning in warnings:
        Display().warning(f"djangoops.pooling.fleet: {warning}")
    return result


class FilterModule:
    """The filter's registration."""

    def filters(self) -> dict[str, Callable[..., object]]:
        """Return the filter by name."""
        return {"fleet": fleet}
