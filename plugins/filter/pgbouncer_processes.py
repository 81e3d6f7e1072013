# Copyright: the djangoops.pooling authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The filter pgbouncer_processes."""

from __future__ import annotations

DOCUMENTATION = r"""
---
name: pgbouncer_processes
short_description: Lay out the PgBouncer processes of a host
version_added: 0.2.0
author:
  - The djangoops.pooling authors
description:
  - The first process is the package's own unit with C(/etc/pgbouncer/pgbouncer.ini). Each further one is an instance of a
    template unit, with a file of its own that includes the main one.
  - systemd holds the sockets. Connections wait there while a process restarts, and are shared out between the processes.
positional: count
options:
  _input:
    description:
      - The wanted settings of C([pgbouncer]), among them V(listen_port), V(listen_backlog), V(unix_socket_dir) and
        V(unix_socket_mode).
    type: dictionary
    required: true
  count:
    description: Number of processes, from 1 to 64.
    type: integer
    required: true
  version:
    description: The installed version of PgBouncer. Before 1.19 there are no peers.
    type: string
    required: true
  ipv6:
    description: Whether the host has IPv6, so that V(*) and V(localhost) mean its addresses too.
    type: boolean
    default: true
  peering:
    description: Whether the processes shall know each other, so that cancel requests arrive.
    type: boolean
    default: true
  first_peer_id:
    description: The C(peer_id) of the first process; those of the others follow.
    type: integer
    default: 1
  other_peers:
    description: Processes of other hosts, as section C([peers]) has them.
    type: dictionary
"""

EXAMPLES = r"""
---
- name: Show what two processes need
  ansible.builtin.debug:
    msg: "{{ settings | djangoops.pooling.pgbouncer_processes(2, version='1.24.1', ipv6=false) }}"
    # Should result in:
    #   settings: {unix_socket_dir: "", peer_id: 1}
    #   peers:
    #     "1": {host: /run/postgresql, port: 6432}
    #     "2": {host: /run/pgbouncer/2, port: 6432}
    #   configs:
    #     - path: /etc/pgbouncer/process-2.ini
    #       content: |
    #         %include /etc/pgbouncer/pgbouncer.ini
    #         pidfile = /run/postgresql/pgbouncer-2.pid
    #         peer_id = 2
    #   socket:
    #     ListenStream: ["0.0.0.0:6432"]
    #     Backlog: "128"
    #     SocketMode: "0777"
    #     SocketGroup: ""
    #   processes:
    #     - service: pgbouncer.service
    #       socket: pgbouncer.socket
    #       config: /etc/pgbouncer/pgbouncer.ini
    #       socket_dir: /run/postgresql
    #     - service: pgbouncer@2.service
    #       socket: pgbouncer@2.socket
    #       config: /etc/pgbouncer/process-2.ini
    #       socket_dir: /run/pgbouncer/2
  vars:
    settings:
      listen_addr: "*"
      listen_port: 6432
      listen_backlog: 128
      unix_socket_dir: /var/run/postgresql
      unix_socket_mode: "0777"
      pidfile: /run/postgresql/pgbouncer.pid
"""

RETURN = r"""
_value:
  description:
    - V(settings) to lay over the wanted ones, and V(peers), both for the main file; V(configs), the files of the further
      processes; V(socket), directives of section C([Socket]); V(processes), unit, socket unit, file and directory of the
      unix socket of each.
  type: dictionary
"""

from collections.abc import Callable, Mapping
from typing import Any

from ansible.errors import AnsibleFilterError
from ansible_collections.djangoops.pooling.plugins.module_utils._pgbouncer_processes import layout


def pgbouncer_processes(
    settings: Mapping[str, Any],
    count: object,
    version: str,
    ipv6: bool = True,
    peering: bool = True,
    first_peer_id: int = 1,
    other_peers: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Return units, files, sockets and peers."""
    try:
        return layout(
            settings,
            count,
            version=version,
            ipv6=ipv6,
            peering=peering,
            first_peer_id=first_peer_id,
            other_peers=other_peers or {},
        )
    except ValueError as exc:
        raise AnsibleFilterError(f"djangoops.pooling.pgbouncer_processes: {exc}") from exc


class FilterModule:
    """What Ansible loads."""

    def filters(self) -> dict[str, Callable[..., dict[str, Any]]]:
        """Filters of this file by name."""
        return {"pgbouncer_processes": pgbouncer_processes}
