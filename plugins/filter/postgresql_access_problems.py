# Copyright: the djangoops.pooling authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The filter postgresql_access_problems."""

from __future__ import annotations

DOCUMENTATION = r"""
---
name: postgresql_access_problems
short_description: Check declared roles and databases before a server is asked
version_added: 0.2.0
author:
  - The djangoops.pooling authors
description:
  - Says what is wrong with the parameters of the role P(djangoops.pooling.postgresql#role) that describe who may log in
    where. No sentence has a password or verifier in it.
positional: databases, hba, auth_query
options:
  _input:
    description:
      - Roles, as O(djangoops.pooling.postgresql#role:main:postgresql_users).
    type: dictionary
    required: true
  databases:
    description:
      - Databases, as O(djangoops.pooling.postgresql#role:main:postgresql_databases).
    type: dictionary
    required: true
  hba:
    description:
      - Rules, as O(djangoops.pooling.postgresql#role:main:postgresql_hba).
    type: list
    elements: dictionary
    default: []
  auth_query:
    description:
      - As O(djangoops.pooling.postgresql#role:main:postgresql_auth_query).
    type: dictionary
  managed:
    description:
      - As O(djangoops.pooling.postgresql#role:main:postgresql_managed).
    type: boolean
    default: false
"""

EXAMPLES = r"""
---
- name: Show what is wrong
  ansible.builtin.debug:
    msg: "{{ users | djangoops.pooling.postgresql_access_problems(databases) }}"
    # Should result in ['postgresql_databases.app.owner is missing; name a role']
  vars:
    users:
      app:
        password: secret
    databases:
      app: {}
"""

RETURN = r"""
_value:
  description:
    - A sentence for each problem; empty when there is none.
  type: list
  elements: string
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ansible.errors import AnsibleFilterError
from ansible_collections.djangoops.pooling.plugins.module_utils._postgresql_access import parameter_problems


def postgresql_access_problems(
    users: Mapping[str, Any],
    databases: Mapping[str, Any],
    hba: Sequence[Mapping[str, Any]] = (),
    auth_query: Mapping[str, Any] | None = None,
    managed: bool = False,
) -> list[str]:
    """Return what is wrong with the declared roles and databases."""
    if not isinstance(users, Mapping) or not isinstance(databases, Mapping):
        raise AnsibleFilterError(
            "djangoops.pooling.postgresql_access_problems: a mapping of roles and one of databases are expected"
        )
    return parameter_problems(users, databases, hba, auth_query, managed=managed)


class FilterModule:
    """The filter's registration."""

    def filters(self) -> dict[str, Callable[..., object]]:
        """Return the filter by name."""
        return {"postgresql_access_problems": postgresql_access_problems}
