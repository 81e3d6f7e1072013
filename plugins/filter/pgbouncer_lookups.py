# Copyright: the djangoops.pooling authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The filter pgbouncer_lookups."""

from __future__ import annotations

DOCUMENTATION = r"""
---
name: pgbouncer_lookups
short_description: Tell where PgBouncer asks its auth_query
version_added: 0.2.0
author:
  - The djangoops.pooling authors
description:
  - Gives the server databases in which PgBouncer looks up users, each once, so that somebody can ask there as it does.
    It is the database that a client wants, or the one of C(auth_dbname).
positional: databases
options:
  _input:
    description:
      - The settings of C([pgbouncer]).
    type: dictionary
    required: true
  databases:
    description:
      - The entries of C([databases]).
    type: dictionary
    required: true
seealso:
  - plugin: djangoops.pooling.pgbouncer_login_problems
    plugin_type: filter
"""

EXAMPLES = r"""
---
- name: Show where users are looked up
  ansible.builtin.debug:
    msg: "{{ {'auth_user': 'asks'} | djangoops.pooling.pgbouncer_lookups(databases) }}"
    # Should result in ["host='192.0.2.10' port='5432' dbname='shop' user='asks' connect_timeout='10'"]
  vars:
    databases:
      app:
        host: 192.0.2.10
        dbname: shop
"""

RETURN = r"""
_value:
  description:
    - Connection strings of libpq, without a password.
  type: list
  elements: string
"""

from collections.abc import Callable, Mapping
from typing import Any

from ansible.errors import AnsibleFilterError
from ansible_collections.djangoops.pooling.plugins.module_utils._pgbouncer_login import lookups


def pgbouncer_lookups(settings: Mapping[str, Any], databases: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Return connection strings."""
    if not isinstance(settings, Mapping) or not isinstance(databases, Mapping):
        raise AnsibleFilterError(
            "djangoops.pooling.pgbouncer_lookups: mappings of settings and databases are expected"
        )
    return lookups(settings, databases)


class FilterModule:
    """What Ansible loads."""

    def filters(self) -> dict[str, Callable[..., list[str]]]:
        """Filters of this file by name."""
        return {"pgbouncer_lookups": pgbouncer_lookups}
