# Copyright: the djangoops.pooling authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The PgBouncer processes of one host: units, files, sockets and peers.

Private to this collection. The first process is the package's own unit with the main file; each further one is an instance
of a template unit with a small file that includes the main one. systemd holds the sockets of all of them, so that
connections wait while a process restarts, and shares the TCP port out between them (SO_REUSEPORT).
"""

from __future__ import annotations

import ipaddress
import os
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from ansible_collections.djangoops.pooling.plugins.module_utils._pgbouncer_ini import texts
from ansible_collections.djangoops.pooling.plugins.module_utils._versions import is_older

MAIN_CONFIG = "/etc/pgbouncer/pgbouncer.ini"
LIMIT = 64  # processes; a host with more cores has other limits first
PEERS_SINCE = "1.19.0"


@dataclass(frozen=True)
class Process:
    """One process. ``socket_dir`` is the directory of the unix socket on which it serves clients and the console."""

    service: str
    socket: str
    config: str
    socket_dir: str


def process(number: int, socket_dir: str) -> Process:
    """The process of a number from 1; ``socket_dir`` is that of the first one."""
    if number == 1:
        return Process("pgbouncer.service", "pgbouncer.socket", MAIN_CONFIG, socket_dir)
    return Process(
        f"pgbouncer@{number}.service",
        f"pgbouncer@{number}.socket",
        f"{os.path.dirname(MAIN_CONFIG)}/process-{number}.ini",
        f"/run/pgbouncer/{number}",
    )


def as_mapping(each: Process) -> dict[str, str]:
    """A process as the module pgbouncer_apply takes it."""
    return asdict(each)


def layout(
    settings: Mapping[str, Any],
    count: object,
    *,
    version: str,
    ipv6: bool,
    peering: bool,
    first_peer_id: int,
    other_peers: Mapping[str, Any],
) -> dict[str, Any]:
    """What the processes of a host add to the wanted settings.

    ``settings`` (laid over the wanted ones) and ``peers`` for the main file, ``configs`` (path and content of each further
    file), ``socket`` (what systemd does for the TCP port and the unix socket) and ``processes``. ``other_peers`` are
    processes of other hosts, as section [peers] has them. Raises ValueError for a number that is none, for addresses that
    systemd cannot listen on, and for settings that are none.
    """
    wanted = texts(settings)
    if not wanted.get("unix_socket_dir"):
        raise ValueError(
            "pgbouncer_settings.unix_socket_dir: a directory is expected; the console of the role is there"
        )
    # systemd warns of the old name of /run at every start
    socket_dir = re.sub("^/var/run/", "/run/", wanted["unix_socket_dir"])
    processes = [process(number, socket_dir) for number in range(1, _count(count) + 1)]
    port = wanted["listen_port"]
    peers: dict[str, Any] = {}
    if peering and len(processes) + len(other_peers) > 1 and not is_older(version, PEERS_SINCE):
        for peer_id, each in enumerate(processes, start=first_peer_id):
            peers[str(peer_id)] = {"host": each.socket_dir, "port": int(port)}
        peers |= {str(name): peer for name, peer in other_peers.items()}
    return {
        # systemd listens there; a path here PgBouncer would unlink when it stops
        "settings": {"unix_socket_dir": ""} | ({"peer_id": first_peer_id} if peers else {}),
        "peers": peers,
        "configs": [
            {"path": each.config, "content": _config(wanted, number, first_peer_id if peers else 0)}
            for number, each in enumerate(processes[1:], start=2)
        ],
        "socket": _socket(wanted, ipv6),
        "processes": [as_mapping(each) for each in processes],
    }


def _count(count: object) -> int:
    number = int(count) if isinstance(count, str) and count.isdecimal() else count
    if not isinstance(number, int) or isinstance(number, bool) or not 1 <= number <= LIMIT:
        raise ValueError(f"pgbouncer_processes: a whole number from 1 to {LIMIT} is expected")
    return number


def _config(wanted: Mapping[str, str], number: int, first_peer_id: int) -> str:
    # the main file ends in section [pgbouncer], which these lines go on with
    lines = [f"%include {MAIN_CONFIG}"]
    for key in ("logfile", "pidfile"):
        if wanted.get(key):
            stem, extension = os.path.splitext(wanted[key])
            lines.append(f"{key} = {stem}-{number}{extension}")
    if first_peer_id:
        lines.append(f"peer_id = {first_peer_id + number - 1}")
    return "\n".join([*lines, ""])


def _socket(wanted: Mapping[str, str], ipv6: bool) -> dict[str, Any]:
    """Section [Socket] of a unit; the path of the unix socket is the process's own."""
    addresses = [
        address for part in wanted.get("listen_addr", "").split(",") for address in _addresses(part, ipv6)
    ]
    return {
        "ListenStream": [f"{address}:{wanted['listen_port']}" for address in addresses],
        "Backlog": wanted["listen_backlog"],
        "SocketMode": wanted["unix_socket_mode"],
        "SocketGroup": wanted.get("unix_socket_group", ""),
    }


def _addresses(part: str, ipv6: bool) -> list[str]:
    """What systemd listens on for one part of listen_addr. Without IPv6 the words stand for less."""
    words = {"*": ["0.0.0.0", "::"], "localhost": ["127.0.0.1", "::1"], "": []}
    try:
        addresses = [ipaddress.ip_address(name) for name in words.get(part, [part])]
    except ValueError:
        raise ValueError(
            f"pgbouncer_settings.listen_addr: {part!r} is a name; systemd holds the sockets and needs addresses"
        ) from None
    kept = [address for address in addresses if ipv6 or address.version == 4 or part not in words]
    return [f"[{address}]" if address.version == 6 else str(address) for address in kept]
