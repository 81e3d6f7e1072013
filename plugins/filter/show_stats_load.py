# Copyright: the djangoops.pooling authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The filter show_stats_load."""

from __future__ import annotations

DOCUMENTATION = r"""
---
name: show_stats_load
short_description: Measure the load of a running PgBouncer from two samples of SHOW STATS
version_added: 0.1.0
author:
  - The djangoops.pooling authors
description:
  - Turns the differences of two samples of C(SHOW STATS) into the measured load that
    P(djangoops.pooling.pool_plan#filter) takes.
  - Take the samples at least one peak hour apart.
  - C(total_xact_time) and C(total_query_time) include the wait for a server connection, whatever
    PgBouncer's manual says; it is subtracted, since a plan made from it would grow with its own queue.
  - The row of the admin console, database C(pgbouncer), is left out.
positional: after
options:
  _input:
    description:
      - The first sample, rows of C(SHOW STATS) as mappings by column name. Rows of several processes or
        hosts may stand in one list, they are summed by database; a database that is missing here began
        later.
      - The columns C(database), C(total_xact_count), C(total_xact_time), C(total_query_time) and
        C(total_wait_time) are used, times in microseconds. PgBouncer has them since 1.8.
    type: list
    elements: dictionary
    required: true
  after:
    description:
      - The second sample, of the same processes.
    type: list
    elements: dictionary
    required: true
  seconds:
    description:
      - Time between the samples in seconds, more than 0.
    type: float
    required: true
seealso:
  - plugin: djangoops.pooling.pool_plan
    plugin_type: filter
"""

EXAMPLES = r"""
---
- name: Show the load between two samples
  ansible.builtin.debug:
    msg: "{{ (before | djangoops.pooling.show_stats_load(after, seconds=12.555)).databases.app }}"
    # Should result in
    # busy_servers: 3.932
    # hold_ratio: 2.01
    # tps: 31.86
    # xact_ms: 123.42
  vars:
    before:
      - {database: app, total_xact_count: 0, total_xact_time: 0, total_query_time: 0, total_wait_time: 0}
    after:
      - database: app
        total_xact_count: 400
        total_xact_time: 110767645
        total_query_time: 85966886
        total_wait_time: 61399797
"""

RETURN = r"""
_value:
  description:
    - The load of all databases together, and of each one. Each is a mapping with the keys of
      RV(_value.total).
  type: dictionary
  contains:
    total:
      description:
        - All databases together.
      type: dictionary
      contains:
        tps:
          description:
            - Transactions a second, for C(pools[].tps).
          type: float
          sample: 31.86
        xact_ms:
          description:
            - Time a transaction holds its server connection in milliseconds, for C(pools[].xact_ms).
          type: float
          sample: 123.42
        busy_servers:
          description:
            - Server connections that are held on average.
          type: float
          sample: 3.932
        hold_ratio:
          description:
            - Time that connections are held to time that they execute queries, at least 1, for
              C(postgres.<server>.hold_ratio).
          type: float
          sample: 2.01
    databases:
      description:
        - From database name to its load.
      type: dictionary
"""

from collections.abc import Callable
from typing import Any

from ansible.errors import AnsibleFilterError
from ansible_collections.djangoops.pooling.plugins.module_utils import _show_stats
from ansible_collections.djangoops.pooling.plugins.module_utils._errors import SizingError


def show_stats_load(before: object, after: object, seconds: object) -> dict[str, Any]:
    """Return the measured load between two samples."""
    try:
        return _show_stats.show_stats_load(before, after, seconds)
    except SizingError as exc:
        raise AnsibleFilterError(f"djangoops.pooling.show_stats_load: {exc}") from exc


class FilterModule:
    """The filter's registration."""

    def filters(self) -> dict[str, Callable[..., object]]:
        """Return the filter by name."""
        return {"show_stats_load": show_stats_load}
