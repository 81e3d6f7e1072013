# Copyright: the djangoops.pooling authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The filter database_differences."""

from __future__ import annotations

DOCUMENTATION = r"""
---
name: database_differences
short_description: Compare wanted databases with those of a running PgBouncer
version_added: 0.1.0
author:
  - The djangoops.pooling authors
description:
  - Compares by the names of the columns, which differ between versions of PgBouncer.
positional: running
options:
  _input:
    description:
      - Section C([databases]) as O(djangoops.pooling.pgbouncer#role:main:pgbouncer_databases) takes it.
    type: dictionary
    required: true
  running:
    description:
      - The rows of C(SHOW DATABASES), for instance from P(djangoops.pooling.console_rows#filter).
    type: list
    elements: dictionary
    required: true
"""

EXAMPLES = r"""
---
- name: Show what differs
  ansible.builtin.debug:
    msg: "{{ wanted | djangoops.pooling.database_differences(running) }}"
    # Should result in ['app.pool_size: running 20, wanted 5']
  vars:
    wanted:
      app:
        pool_size: 5
    running:
      - name: app
        pool_size: "20"
"""

RETURN = r"""
_value:
  description:
    - A sentence for each difference; empty when there is none.
  type: list
  elements: string
"""

from collections.abc import Callable, Mapping
from typing import Any

from ansible.errors import AnsibleFilterError
from ansible_collections.djangoops.pooling.plugins.module_utils import _compare


def database_differences(wanted: Mapping[str, Any], running: list[Mapping[str, str]]) -> list[str]:
    """Return what differs between the wanted databases and the rows of SHOW DATABASES."""
    try:
        return _compare.database_differences(wanted, running)
    except ValueError as exc:
        raise AnsibleFilterError(f"djangoops.pooling.database_differences: {exc}") from exc


class FilterModule:
    """The filter's registration."""

    def filters(self) -> dict[str, Callable[..., object]]:
        """Return the filter by name."""
        return {"database_differences": database_differences}
