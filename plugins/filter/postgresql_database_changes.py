# Copyright: the djangoops.pooling authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The filter postgresql_database_changes."""

from __future__ import annotations

DOCUMENTATION = r"""
---
name: postgresql_database_changes
short_description: Compute what the privileges inside a database lack
version_added: 0.2.0
author:
  - The djangoops.pooling authors
description:
  - Compares the grants that a database declares, and the function that PgBouncer's C(auth_query) asks, with what was read.
positional: results, auth_query
options:
  _input:
    description:
      - Databases, as O(djangoops.pooling.postgresql#role:main:postgresql_databases).
    type: dictionary
    required: true
  results:
    description:
      - For each database that was read a mapping of C(item), its name, and C(query_all_results), the results of the queries
        C(database.sql), C(grantees.sql) and C(auth_function.sql) of the role postgresql, in this order.
    type: list
    elements: dictionary
    required: true
  auth_query:
    description:
      - As O(djangoops.pooling.postgresql#role:main:postgresql_auth_query).
    type: dictionary
  public_access:
    description:
      - Whether everybody keeps the right to connect where the entry does not say it.
    type: boolean
    default: true
  settings:
    description:
      - Settings that each database gets by C(ALTER DATABASE), name to value, where there is no file to write.
    type: dictionary
    default: {}
"""

EXAMPLES = r"""
---
- name: Show what would change
  ansible.builtin.debug:
    msg: "{{ (databases | djangoops.pooling.postgresql_database_changes(results)).changes }}"
    # Should result in ['database app: PUBLIC may not connect']
  vars:
    databases:
      app:
        owner: app
        public_access: false
    results:
      - item: app
        query_all_results:
          - - has_public: true
              public_connects: true
              public_creates: false
              owner_creates: true
              settings: []
          - []
          - []
"""

RETURN = r"""
_value:
  description:
    - A mapping of C(problems) and C(changes), sentences, and C(databases), a list of C(name) and C(statements) for one
      transaction, of those databases alone that lack something.
  type: dictionary
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ansible.errors import AnsibleFilterError
from ansible_collections.djangoops.pooling.plugins.module_utils._postgresql_grants import database_changes


def postgresql_database_changes(
    databases: Mapping[str, Mapping[str, Any]],
    results: Sequence[Mapping[str, Any]],
    auth_query: Mapping[str, Any] | None = None,
    public_access: bool = True,
    settings: Mapping[str, str] = {},
) -> dict[str, list[Any]]:
    """Return what to run so that privileges in each database are as declared."""
    try:
        # the module gives an empty mapping for a query without rows
        found = {
            str(one["item"]): database_changes(
                str(one["item"]),
                databases[one["item"]],
                [part or [] for part in one["query_all_results"]],
                auth_query,
                public_access=public_access,
                settings=settings,
            )
            for one in results
        }
    except ValueError as exc:
        raise AnsibleFilterError(f"djangoops.pooling.postgresql_database_changes: {exc}") from exc
    return {
        "problems": [problem for one in found.values() for problem in one["problems"]],
        "changes": [change for one in found.values() for change in one["changes"]],
        "databases": [
            {"name": name, "statements": one["statements"]}
            for name, one in found.items()
            if one["statements"]
        ],
    }


class FilterModule:
    """The filter's registration."""

    def filters(self) -> dict[str, Callable[..., object]]:
        """Return the filter by name."""
        return {"postgresql_database_changes": postgresql_database_changes}
