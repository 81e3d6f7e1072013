# Copyright: the djangoops.pooling authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The filter plan_table."""

from __future__ import annotations

DOCUMENTATION = r"""
---
name: plan_table
short_description: Show a plan as lines of text
version_added: 0.1.0
author:
  - The djangoops.pooling authors
description:
  - Lays a plan out as a table for a terminal, demand, pools, the budget of each server as used/allowed, and timeouts, with
    the reasons of the main numbers and the warnings.
positional: fleet
options:
  _input:
    description:
      - The plan, from P(djangoops.pooling.pool_plan#filter).
    type: dictionary
    required: true
  fleet:
    description:
      - The fleet the plan was made for, from P(djangoops.pooling.fleet#filter).
    type: dictionary
    required: true
  why:
    description:
      - Whether to add the derivation of every number.
    type: boolean
    default: false
"""

EXAMPLES = r"""
---
- name: Show the plan
  ansible.builtin.debug:
    msg: "{{ fleet | djangoops.pooling.pool_plan | djangoops.pooling.plan_table(fleet) }}"
  vars:
    fleet: "{{ groups | djangoops.pooling.fleet(hostvars) }}"
"""

RETURN = r"""
_value:
  description:
    - The lines.
  type: list
  elements: string
"""

from collections.abc import Callable, Mapping
from typing import Any

from ansible.errors import AnsibleFilterError
from ansible_collections.djangoops.pooling.plugins.module_utils import _table


def plan_table(plan: Mapping[str, Any], fleet: Mapping[str, Any], why: bool = False) -> list[str]:
    """Return the lines of the table."""
    if not isinstance(plan, Mapping) or "instances" not in plan:
        raise AnsibleFilterError("djangoops.pooling.plan_table: a plan of the filter pool_plan is expected")
    return _table.plan_table(plan, fleet, why=why)


class FilterModule:
    """The filter's registration."""

    def filters(self) -> dict[str, Callable[..., object]]:
        """Return the filter by name."""
        return {"plan_table": plan_table}
