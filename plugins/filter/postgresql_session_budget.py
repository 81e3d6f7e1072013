# Copyright: the djangoops.pooling authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The filter postgresql_session_budget."""

from __future__ import annotations

DOCUMENTATION = r"""
---
name: postgresql_session_budget
short_description: Compare the sessions of a PostgreSQL server with those expected
version_added: 0.2.0
author:
  - The djangoops.pooling authors
description:
  - Names the sessions that nobody has planned, and says when all together no longer fit into C(max_connections).
positional: expected, max_connections, superuser_reserved, reserved
options:
  _input:
    description:
      - Rows with C(role), C(application), C(superuser), C(reserved) and C(count), as C(sessions.sql) of the role postgresql
        selects them.
    type: list
    elements: dictionary
    required: true
  expected:
    description:
      - As O(djangoops.pooling.postgresql#role:main:postgresql_expected_sessions).
    type: dictionary
    required: true
  max_connections:
    description:
      - Slots of the server.
    type: integer
    required: true
  superuser_reserved:
    description:
      - C(superuser_reserved_connections).
    type: integer
    default: 3
  reserved:
    description:
      - C(reserved_connections), from PostgreSQL 16 on.
    type: integer
    default: 0
"""

EXAMPLES = r"""
---
- name: Show what is unexpected
  ansible.builtin.debug:
    msg: "{{ (rows | djangoops.pooling.postgresql_session_budget({'roles': {'app': 20}}, 100)).warnings }}"
    # Should result in ['4 session(s) that nobody has planned: 4 of report (metabase)']
  vars:
    rows:
      - role: report
        application: metabase
        superuser: false
        reserved: false
        count: 4
"""

RETURN = r"""
_value:
  description:
    - A mapping of C(warnings) and C(problems), sentences each.
  type: dictionary
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ansible.errors import AnsibleFilterError
from ansible_collections.djangoops.pooling.plugins.module_utils._postgresql_sessions import session_budget


def postgresql_session_budget(
    rows: Sequence[Mapping[str, Any]],
    expected: Mapping[str, Any],
    max_connections: int,
    superuser_reserved: int = 3,
    reserved: int = 0,
) -> dict[str, list[str]]:
    """Return what is unexpected, and what does not fit."""
    try:
        # the module gives an empty mapping for a query without rows
        return session_budget(
            rows or [],
            expected,
            max_connections=int(max_connections),
            superuser_reserved=int(superuser_reserved),
            reserved=int(reserved),
        )
    except ValueError as exc:
        raise AnsibleFilterError(
            f"djangoops.pooling.postgresql_session_budget: postgresql_expected_sessions: {exc}"
        ) from exc


class FilterModule:
    """The filter's registration."""

    def filters(self) -> dict[str, Callable[..., object]]:
        """Return the filter by name."""
        return {"postgresql_session_budget": postgresql_session_budget}
