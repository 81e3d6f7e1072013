# Copyright: the djangoops.pooling authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The filter choose_strategy."""

from __future__ import annotations

DOCUMENTATION = r"""
---
name: choose_strategy
short_description: Choose how a Django fleet should connect to PostgreSQL
version_added: 0.1.0
author:
  - The djangoops.pooling authors
description:
  - Compares what the processes of a fleet can ask for during a deploy with what the server has for them,
    and says whether they need PgBouncer, and why.
  - Demand against budget decides, not the number of hosts. The budget is C(max_connections) without the
    reserved slots and the direct connections, at most the share O(_input.targets.alert) of it.
  - The first match counts. An ASGI or gevent group without a limit of concurrency is V(hybrid).
    V(pgbouncer) where the demand exceeds the budget or twice the target of the server's cores, where other
    applications share the server, where the processes are serverless, from 1000 requests a second on, and
    for ASGI without the native pool; V(hybrid) instead where the native pool is available and the fleet has
    ASGI groups or more than 470 new connections per second and host. V(native_pool) where it is available
    and processes have threads or speak ASGI. V(none) where each WSGI process sees less than a request a
    minute. V(conn_max_age) otherwise.
  - The native pool is available from Django 5.1 on with psycopg 3.
options:
  _input:
    description:
      - The inputs of P(djangoops.pooling.pool_plan#filter). The server is the one called V(primary).
    type: dictionary
    required: true
    suboptions:
      django:
        description:
          - Version of Django, C([major, minor]).
        type: list
        elements: integer
        default: [5, 2]
      psycopg:
        description:
          - Major version of psycopg, 2 or 3.
        type: integer
        default: 3
      other_apps:
        description:
          - Whether other applications use the same server.
        type: boolean
        default: false
      serverless:
        description:
          - Whether the processes come and go with the requests.
        type: boolean
        default: false
      targets:
        description:
          - O(_input.targets.alert) is the share of C(max_connections) that clients may use.
        type: dictionary
        suboptions:
          alert:
            description:
              - More than 0, at most 1.
            type: float
            default: 0.8
seealso:
  - plugin: djangoops.pooling.pool_plan
    plugin_type: filter
"""

EXAMPLES = r"""
---
- name: Ask whether this fleet needs PgBouncer
  ansible.builtin.debug:
    msg: "{{ fleet | djangoops.pooling.choose_strategy }}"
    # Should result in
    # reasons: ["peak client demand 320 > connection budget 80 (max_connections 100)"]
    # strategy: pgbouncer
  vars:
    fleet:
      groups:
        - {name: web, hosts: 10, processes: 8, threads: 4, deploy_overlap: 1}
      pools:
        - {name: app}
      postgres:
        primary: {max_connections: 100}
"""

RETURN = r"""
_value:
  description:
    - The strategy and every reason for it.
  type: dictionary
  contains:
    strategy:
      description:
        - V(pgbouncer); V(hybrid), Django's native pool in front of PgBouncer; V(native_pool), Django's own
          pool; V(conn_max_age), persistent connections; V(none).
      type: string
      sample: pgbouncer
    reasons:
      description:
        - One sentence for each reason, with its numbers.
      type: list
      elements: string
      sample: ["peak client demand 320 > connection budget 80 (max_connections 100)"]
"""

from collections.abc import Callable
from typing import Any

from ansible.errors import AnsibleFilterError
from ansible_collections.djangoops.pooling.plugins.module_utils._errors import SizingError
from ansible_collections.djangoops.pooling.plugins.module_utils._strategy import choose


def choose_strategy(inputs: object) -> dict[str, Any]:
    """Return the strategy for the inputs of a plan, and the reasons."""
    try:
        return choose(inputs)
    except SizingError as exc:
        raise AnsibleFilterError(f"djangoops.pooling.choose_strategy: {exc}") from exc


class FilterModule:
    """The filter's registration."""

    def filters(self) -> dict[str, Callable[..., object]]:
        """Return the filter by name."""
        return {"choose_strategy": choose_strategy}
