# Copyright: the djangoops.pooling authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The filter pgbouncer_config_differences."""

from __future__ import annotations

DOCUMENTATION = r"""
---
name: pgbouncer_config_differences
short_description: Tell where a running PgBouncer differs from the wanted settings
version_added: 0.1.0
author:
  - The djangoops.pooling authors
description:
  - Compares each wanted setting with C(SHOW CONFIG) of the running process, as a proof that a reload or a
    restart took effect. Settings that are not wanted explicitly are not looked at.
  - Spellings that mean the same are the same, such as C(0777) and the V(511) that PgBouncer prints for it.
positional: show_config
options:
  _input:
    description:
      - The wanted settings of C([pgbouncer]), in any form that P(djangoops.pooling.pgbouncer_ini#filter)
        accepts.
    type: dictionary
    required: true
  show_config:
    description:
      - The rows of C(SHOW CONFIG), with the columns C(key), C(value) and C(default).
    type: list
    elements: dictionary
    required: true
seealso:
  - plugin: djangoops.pooling.pgbouncer_ini
    plugin_type: filter
"""

EXAMPLES = r"""
---
- name: Show what is not in effect
  ansible.builtin.debug:
    msg: "{{ settings | djangoops.pooling.pgbouncer_config_differences(rows) }}"
    # Should result in ['listen_port: running 6432, wanted 6433']
  vars:
    settings:
      listen_port: 6433
      query_wait_timeout: 1min
    rows:
      - {key: listen_port, value: "6432", default: "6432", changeable: "no"}
      - {key: query_wait_timeout, value: "60", default: "120", changeable: "yes"}
"""

RETURN = r"""
_value:
  description:
    - One text for each difference. An empty list means that all wanted settings are in effect.
  type: list
  elements: string
"""

from collections.abc import Callable

from ansible.errors import AnsibleFilterError
from ansible_collections.djangoops.pooling.plugins.module_utils._pgbouncer_ini import config_differences


def pgbouncer_config_differences(settings: object, show_config: object) -> list[str]:
    """Return one sentence for each key."""
    try:
        return config_differences(settings, show_config)
    except ValueError as exc:
        raise AnsibleFilterError(f"djangoops.pooling.pgbouncer_config_differences: {exc}") from exc


class FilterModule:
    """What Ansible loads."""

    def filters(self) -> dict[str, Callable[..., list[str]]]:
        """Filters of this file by name."""
        return {"pgbouncer_config_differences": pgbouncer_config_differences}
