# Copyright: the djangoops.pooling authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The filter postgresql_access_changes."""

from __future__ import annotations

DOCUMENTATION = r"""
---
name: postgresql_access_changes
short_description: Compute what roles and databases of a PostgreSQL server lack
version_added: 0.2.0
author:
  - The djangoops.pooling authors
description:
  - Compares what is declared with what was read from the server at once, so that only what differs is touched, however many
    roles there are.
  - A stored verifier is kept when it belongs to the password. A new one has a random salt, so use the result once
    (C(ansible.builtin.set_fact)). Where verifiers cannot be read (O(server)), the salt is derived from the names of server
    and role, so that the same password gives the same verifier each time.
positional: databases, state, auth_query
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
  state:
    description:
      - Rows read from the server, by the keys C(roles), C(databases), C(owned) and C(sessions), as the files of these names
        in the role postgresql select them.
    type: dictionary
    required: true
  auth_query:
    description:
      - As O(djangoops.pooling.postgresql#role:main:postgresql_auth_query).
    type: dictionary
  server:
    description:
      - Name of a managed server, where verifiers cannot be read; none for a server whose superuser asks.
    type: string
"""

EXAMPLES = r"""
---
- name: Show what would change
  ansible.builtin.debug:
    msg: "{{ (users | djangoops.pooling.postgresql_access_changes(databases, state)).changes }}"
    # Should result in ['role app: connection limit 10 -> 20', 'database app: created']
  vars:
    users:
      app:
        verifier: md5c7a32db0cac1c9dc1ba1e1b2c5f2c7a0
        connection_limit: 20
    databases:
      app:
        owner: app
    state:
      roles:
        - name: app
          verifier: md5c7a32db0cac1c9dc1ba1e1b2c5f2c7a0
          connection_limit: 10
          can_login: true
          superuser: false
          usable: true
          member_of: []
      databases: []
      owned: []
      sessions: []
"""

RETURN = r"""
_value:
  description:
    - A mapping. C(problems) and C(changes) are sentences without secrets; C(statements) is what makes the change, for one
      transaction; C(refresh) sets verifiers again that could not be read; C(verifiers) has each role's; C(present)
      and C(create) are names of databases; C(create_statements) and C(drop_statements) are run outside of a transaction;
      C(drop_roles) is a list of C(database) and C(statements) to run there, in order.
  type: dictionary
"""

import hashlib
import secrets
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ansible.errors import AnsibleFilterError
from ansible_collections.djangoops.pooling.plugins.module_utils._postgresql_access import (
    access_changes,
    with_auth_user,
)

SALT_BYTES = 16


def postgresql_access_changes(
    users: Mapping[str, Mapping[str, Any]],
    databases: Mapping[str, Mapping[str, Any]],
    state: Mapping[str, Sequence[Mapping[str, Any]]],
    auth_query: Mapping[str, Any] | None = None,
    server: str | None = None,
) -> dict[str, Any]:
    """Return what to do so that roles and databases are as declared."""

    def salt(role: str) -> bytes:
        # A salt need not be secret, but differ between roles and servers.
        if server is None:
            return secrets.token_bytes(SALT_BYTES)
        return hashlib.sha256(f"{server}/{role}".encode()).digest()[:SALT_BYTES]

    try:
        wanted = with_auth_user(users, auth_query)
        return access_changes(wanted, databases, state, salt, managed=server is not None)
    except ValueError as exc:
        raise AnsibleFilterError(f"djangoops.pooling.postgresql_access_changes: {exc}") from exc


class FilterModule:
    """The filter's registration."""

    def filters(self) -> dict[str, Callable[..., object]]:
        """Return the filter by name."""
        return {"postgresql_access_changes": postgresql_access_changes}
