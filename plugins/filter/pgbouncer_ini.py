# Copyright: the djangoops.pooling authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The filter pgbouncer_ini."""

from __future__ import annotations

DOCUMENTATION = r"""
---
name: pgbouncer_ini
short_description: Render pgbouncer.ini for one version of PgBouncer
version_added: 0.1.0
author:
  - The djangoops.pooling authors
description:
  - Writes the sections C([databases]), C([users]) and C([peers]) when they have entries, and C([pgbouncer])
    once and last, because each header of that section resets what was read before it.
  - Everything is checked first. An unknown key, a value PgBouncer would not read as it is meant, and a key
    that the version does not have are errors. They name the role variable, C(pgbouncer_settings),
    C(pgbouncer_databases), C(pgbouncer_user_settings) or C(pgbouncer_peers), and never show a password.
  - Keys keep PgBouncer's names. The order is the one given.
options:
  _input:
    description:
      - Any of the keys V(databases), V(users), V(peers) and V(settings). V(settings) maps the keys of
        C([pgbouncer]) to values, the others map a name to such a mapping.
      - Booleans may be V(true) or V(yes). Times may be numbers, which are seconds, or text such as
        V(500ms), V(10s), V(5min) and V(1h). Numbers of bytes may be text such as V(8kB). Lists become texts
        with commas. C(unix_socket_mode) is text such as V("0770").
      - A name with other characters than letters, digits and C(_.*-) needs PgBouncer 1.25, and no version
        reads one with a single quote. Choose another name for the entry of such a database, and put the real
        one into C(dbname).
      - C(reserve_pool_size) of a database is written as C(reserve_pool) before PgBouncer 1.24.
    type: dictionary
    required: true
  version:
    description:
      - The version of the PgBouncer that is to read the file.
    type: string
    required: true
seealso:
  - plugin: djangoops.pooling.pgbouncer_userlist
    plugin_type: filter
"""

EXAMPLES = r"""
---
- name: Show a configuration file
  ansible.builtin.debug:
    msg: "{{ config | djangoops.pooling.pgbouncer_ini(version='1.18.0') }}"
    # Should result in:
    # [databases]
    # app = host=10.0.0.5 reserve_pool=2 connect_query='SET work_mem = ''8MB'''
    #
    # [pgbouncer]
    # listen_addr = 127.0.0.1,::1
    # query_wait_timeout = 30
    # log_connections = 0
  vars:
    config:
      databases:
        app:
          host: 10.0.0.5
          reserve_pool_size: 2
          connect_query: SET work_mem = '8MB'
      settings:
        listen_addr: [127.0.0.1, "::1"]
        query_wait_timeout: 30s
        log_connections: false
"""

RETURN = r"""
_value:
  description:
    - The text of the file, without a header.
  type: string
"""

from collections.abc import Callable

from ansible.errors import AnsibleFilterError
from ansible_collections.djangoops.pooling.plugins.module_utils._pgbouncer_ini import render


def pgbouncer_ini(config: object, version: str) -> str:
    """Return the text of the file."""
    try:
        return render(config, version=version)
    except ValueError as exc:
        raise AnsibleFilterError(f"djangoops.pooling.pgbouncer_ini: {exc}") from exc


class FilterModule:
    """What Ansible loads."""

    def filters(self) -> dict[str, Callable[..., str]]:
        """Filters of this file by name."""
        return {"pgbouncer_ini": pgbouncer_ini}
