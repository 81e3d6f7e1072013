# Copyright: the djangoops.pooling authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The filter pgbouncer_hba."""

from __future__ import annotations

DOCUMENTATION = r"""
---
name: pgbouncer_hba
short_description: Render PgBouncer's auth_hba_file for one version
version_added: 0.2.0
author:
  - The djangoops.pooling authors
description:
  - Writes the rules of client authentication in their order. What PgBouncer would skip with a warning is refused, because a
    later line would then let in whom the skipped one kept out.
  - Names are quoted, so that a database called C(replication) is one; V(all), and V(sameuser) for databases, keep their
    meaning.
  - The address V(all) is written as two networks before PgBouncer 1.23.
options:
  _input:
    description:
      - The rules, as the variable C(pgbouncer_hba) of the role P(djangoops.pooling.pgbouncer#role) describes them.
    type: list
    elements: dictionary
    required: true
  version:
    description:
      - The version of the PgBouncer that is to read the file.
    type: string
    required: true
  ident:
    description:
      - The maps that rules may name, as the variable C(pgbouncer_ident) describes them.
    type: list
    elements: dictionary
    default: []
seealso:
  - plugin: djangoops.pooling.pgbouncer_ident
    plugin_type: filter
"""

EXAMPLES = r"""
---
- name: Show the rules
  ansible.builtin.debug:
    msg: "{{ rules | djangoops.pooling.pgbouncer_hba(version='1.18.0') }}"
    # Should result in:
    # local all "app" scram-sha-256
    # hostssl "shop" all 0.0.0.0/0 cert
    # hostssl "shop" all ::/0 cert
  vars:
    rules:
      - type: local
        users: [app]
        method: scram-sha-256
      - type: hostssl
        databases: [shop]
        address: all
        method: cert
"""

RETURN = r"""
_value:
  description:
    - The lines of the file, without a header.
  type: string
"""

from collections.abc import Callable, Sequence
from typing import Any

from ansible.errors import AnsibleFilterError
from ansible_collections.djangoops.pooling.plugins.module_utils._pgbouncer_hba import render


def pgbouncer_hba(rules: object, version: str, ident: Sequence[Any] = ()) -> str:
    """Return the text of the file."""
    try:
        return render(rules, ident=ident, version=version)
    except ValueError as exc:
        raise AnsibleFilterError(f"djangoops.pooling.pgbouncer_hba: {exc}") from exc


class FilterModule:
    """What Ansible loads."""

    def filters(self) -> dict[str, Callable[..., str]]:
        """Filters of this file by name."""
        return {"pgbouncer_hba": pgbouncer_hba}
