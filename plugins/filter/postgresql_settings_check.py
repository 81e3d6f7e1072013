# Copyright: the djangoops.pooling authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The filter postgresql_settings_check."""

from __future__ import annotations

DOCUMENTATION = r"""
---
name: postgresql_settings_check
short_description: Check settings against a running PostgreSQL before they are written
version_added: 0.2.0
author:
  - The djangoops.pooling authors
description:
  - Reads values as PostgreSQL reads them, with its units (B, kB, MB, GB, TB; us, ms, s, min, h, d), and compares name, type,
    unit, range and choices with what the running server says of each setting in C(pg_settings).
  - A name with a dot belongs to an extension, which may not be loaded, and is taken as it is.
positional: rows
options:
  _input:
    description:
      - Settings by upstream's name. Values as in C(postgresql.conf); V(true) and V(false) are C(on) and C(off), a list is
        joined with commas.
    type: dictionary
    required: true
  rows:
    description:
      - All rows of C(pg_settings), with the columns C(name), C(setting), C(unit), C(context), C(vartype), C(min_val),
        C(max_val) and C(enumvals).
    type: list
    elements: dictionary
    required: true
  version:
    description:
      - Version of the server, for the messages.
    type: string
    default: ""
  sessions:
    description:
      - Number of client sessions that are open now. C(max_connections) is not lowered below it.
    type: integer
    default: 0
seealso:
  - name: Setting parameters
    description: PostgreSQL's manual on values and units.
    link: https://www.postgresql.org/docs/current/config-setting.html
"""

EXAMPLES = r"""
---
- name: Show what is wrong
  ansible.builtin.debug:
    msg: "{{ (wanted | djangoops.pooling.postgresql_settings_check(rows, version='17.6')).problems }}"
    # Should result in
    # ["postgresql_settings.work_memory: PostgreSQL 17.6 does not know this setting; did you mean work_mem?"]
  vars:
    wanted:
      work_memory: 16MB
    rows:
      - name: work_mem
        setting: "4096"
        unit: kB
        context: user
        vartype: integer
        min_val: "64"
        max_val: "2147483647"
        enumvals: null
"""

RETURN = r"""
_value:
  description:
    - A mapping. C(problems) has a sentence for each value that the server would refuse; C(values) the text of each setting
      for the file; C(changes) what differs from the running server, C(differing) its names; C(restart) the names among
      them that only a restart applies; C(by_sql) those that C(ALTER DATABASE) may set; C(raised) and C(lowered) those that
      a standby must not have lower than its primary.
  type: dictionary
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ansible.errors import AnsibleFilterError
from ansible_collections.djangoops.pooling.plugins.module_utils._postgresql_settings import settings_check


def postgresql_settings_check(
    wanted: Mapping[str, Any], rows: Sequence[Mapping[str, Any]], version: str = "", sessions: int = 0
) -> dict[str, Any]:
    """Return what is wrong with the settings, and what they would change."""
    if not isinstance(wanted, Mapping):
        raise AnsibleFilterError(
            "djangoops.pooling.postgresql_settings_check: a mapping of settings is expected"
        )
    return settings_check(wanted, rows, version=version, sessions=sessions)


class FilterModule:
    """The filter's registration."""

    def filters(self) -> dict[str, Callable[..., object]]:
        """Return the filter by name."""
        return {"postgresql_settings_check": postgresql_settings_check}
