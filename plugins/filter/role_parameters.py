# Copyright: the djangoops.pooling authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The filter role_parameters."""

from __future__ import annotations

DOCUMENTATION = r"""
---
name: role_parameters
short_description: Turn a plan into the parameters of the roles for one host
version_added: 0.1.0
author:
  - The djangoops.pooling authors
description:
  - Says what the roles of this collection have to write on a host so that the fleet is as planned. The playbook
    C(djangoops.pooling.site) passes it on; use it in your own playbook if you wire the roles differently.
  - V(pooling_pgbouncer_settings) and V(pooling_postgresql_settings) of a host are laid over the plan's; a setting that the
    plan stands on is refused there.
  - Addresses are those of V(pooling_address) of a host, else V(ansible_host), else its name in the inventory.
    PostgreSQL lets the hosts in that connect to it, by their addresses in the facts or, if declared,
    V(pooling_client_addresses).
  - V(pooling_auth_type) of the database and pooler hosts is V(scram-sha-256) or, for servers that still store md5 hashes,
    V(md5), which takes both.
positional: fleet, host, groups, hostvars
options:
  _input:
    description:
      - The plan, from P(djangoops.pooling.pool_plan#filter).
    type: dictionary
    required: true
  fleet:
    description:
      - The fleet the plan was made for, from P(djangoops.pooling.fleet#filter).
    type: dictionary
    required: true
  host:
    description:
      - C(inventory_hostname) of the host.
    type: string
    required: true
  groups:
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
  roles:
    description:
      - Roles to derive parameters for. Those of V(postgresql) need the addresses of all hosts.
    type: list
    elements: string
    choices: [postgresql, pgbouncer, django_settings]
    default: [postgresql, pgbouncer, django_settings]
"""

EXAMPLES = r"""
---
- name: Show what the roles will write on this host
  ansible.builtin.debug:
    msg: "{{ plan | djangoops.pooling.role_parameters(fleet, inventory_hostname, groups, hostvars) }}"
  vars:
    fleet: "{{ groups | djangoops.pooling.fleet(hostvars) }}"
    plan: "{{ fleet | djangoops.pooling.pool_plan }}"
"""

RETURN = r"""
_value:
  description:
    - A key for each role that belongs on the host, C(postgresql), C(pgbouncer), C(django_settings), and C(verify). Below it
      the role's parameters without the role's name, for instance C(pgbouncer.databases) for C(pgbouncer_databases).
  type: dictionary
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ansible.errors import AnsibleFilterError
from ansible_collections.djangoops.pooling.plugins.module_utils import _emission
from ansible_collections.djangoops.pooling.plugins.module_utils._fleet import Inventory


def role_parameters(
    plan: Mapping[str, Any],
    fleet: Mapping[str, Any],
    host: str,
    groups: Mapping[str, list[str]],
    hostvars: Mapping[str, Mapping[str, Any]],
    app: str = "app",
    pooler: str = "pooler",
    database: str = "database",
    roles: Sequence[str] = _emission.ROLES,
) -> dict[str, dict[str, Any]]:
    """Return the parameters of the roles that belong on a host."""
    try:
        return _emission.role_parameters(
            plan, fleet, Inventory(groups, hostvars, app, pooler, database), host, roles
        )
    except ValueError as exc:
        raise AnsibleFilterError(f"djangoops.pooling.role_parameters: {exc}") from exc


class FilterModule:
    """The filter's registration."""

    def filters(self) -> dict[str, Callable[..., object]]:
        """Return the filter by name."""
        return {"role_parameters": role_parameters}
