# Copyright: the djangoops.pooling authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The filter console_rows."""

from __future__ import annotations

DOCUMENTATION = r"""
---
name: console_rows
short_description: Read what psql --csv printed of a SHOW command
version_added: 0.1.0
author:
  - The djangoops.pooling authors
description:
  - Turns the output of C(psql --csv) into mappings, so that columns are found by name. Their number and order differ
    between versions of PgBouncer.
options:
  _input:
    description:
      - The output, a header line first.
    type: string
    required: true
"""

EXAMPLES = r"""
---
- name: Show the pool mode that a running PgBouncer uses
  ansible.builtin.debug:
    msg: "{{ (show_config | djangoops.pooling.console_rows | items2dict('key', 'value')).pool_mode }}"
    # Should result in transaction
  vars:
    show_config: |
      key,value,default,changeable
      pool_mode,transaction,session,yes
"""

RETURN = r"""
_value:
  description:
    - One mapping a row, from column name to text.
  type: list
  elements: dictionary
"""

import csv
import io
from collections.abc import Callable

from ansible.errors import AnsibleFilterError


def console_rows(text: object) -> list[dict[str, str]]:
    """Return the rows of CSV text that has a header line."""
    if not isinstance(text, str):
        raise AnsibleFilterError(
            "djangoops.pooling.console_rows: the text that psql --csv printed is expected"
        )
    return list(csv.DictReader(io.StringIO(text, newline="")))


class FilterModule:
    """The filter's registration."""

    def filters(self) -> dict[str, Callable[..., object]]:
        """Return the filter by name."""
        return {"console_rows": console_rows}
