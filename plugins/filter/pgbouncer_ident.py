# Copyright: the djangoops.pooling authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The filter pgbouncer_ident."""

from __future__ import annotations

DOCUMENTATION = r"""
---
name: pgbouncer_ident
short_description: Render PgBouncer's auth_ident_file
version_added: 0.2.0
author:
  - The djangoops.pooling authors
description:
  - Writes the maps from names in certificates, or of the operating system, to users of the database. PgBouncer reads such a
    file from 1.23 on.
options:
  _input:
    description:
      - The lines, mappings with the keys V(map), V(system_user) and V(user). V(user) may be V(all).
    type: list
    elements: dictionary
    required: true
seealso:
  - plugin: djangoops.pooling.pgbouncer_hba
    plugin_type: filter
"""

EXAMPLES = r"""
---
- name: Show the maps
  ansible.builtin.debug:
    msg: "{{ maps | djangoops.pooling.pgbouncer_ident }}"
    # Should result in: machines "web1.example.com" "app"
  vars:
    maps:
      - map: machines
        system_user: web1.example.com
        user: app
"""

RETURN = r"""
_value:
  description:
    - The lines of the file, without a header.
  type: string
"""

from collections.abc import Callable

from ansible.errors import AnsibleFilterError
from ansible_collections.djangoops.pooling.plugins.module_utils._pgbouncer_hba import render_ident


def pgbouncer_ident(maps: object) -> str:
    """Return the text of the file."""
    try:
        return render_ident(maps)
    except ValueError as exc:
        raise AnsibleFilterError(f"djangoops.pooling.pgbouncer_ident: {exc}") from exc


class FilterModule:
    """What Ansible loads."""

    def filters(self) -> dict[str, Callable[..., str]]:
        """Filters of this file by name."""
        return {"pgbouncer_ident": pgbouncer_ident}
