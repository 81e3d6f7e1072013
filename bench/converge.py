#!/usr/bin/env python
"""How long the role pgbouncer takes on a host with nothing installed, against a bare shell script that installs the same
package and writes the same files, how long a second run takes, and one that brings 10,000 users. Prints seconds and reloads.

Each number is the wall clock of a whole ansible-playbook run, start of Ansible included. The rounds take turns, so that
whatever else the machine and the package mirror do hits both; the ratio is the median of the rounds.

Run it as lab/setup.sh sets the tools up: . lab/setup.sh && setup_tools && setup_lab trixie && bench/converge.py [SUITE]
The hosts are containers of its own, and gone afterwards.
"""

from __future__ import annotations

import base64
import hashlib
import shlex
import statistics
import sys
import time
from pathlib import Path
from typing import Any

from host import converge, docker, host

ROUNDS = 5
USERS = 10_000
NAME = "pooling-bench-converge"
ROLE = "djangoops.pooling.pgbouncer"
FILES = (
    "/etc/pgbouncer/pgbouncer.ini",
    "/etc/pgbouncer/userlist.txt",
    "/etc/systemd/system/pgbouncer.service.d/djangoops-pooling.conf",
    "/etc/systemd/system/pgbouncer.socket.d/djangoops-pooling.conf",
)
VARIABLES: dict[str, Any] = {
    "pgbouncer_databases": {"app": {"host": "192.0.2.1", "pool_size": 20, "reserve_pool_size": 5}},
    "pgbouncer_settings": {"auth_type": "md5", "max_client_conn": 500, "query_wait_timeout": "15s"},
    "pgbouncer_users": {"app": f"md5{'0' * 32}"},
}
LOG = "/var/log/postgresql/pgbouncer.log"
SERVES = (
    "runuser -u postgres -- psql -Xh /run/postgresql -p 6432 -U pgbouncer -d pgbouncer -Atc 'SHOW VERSION'"
)


def script() -> str:
    """What installs the package and writes the files that the role has written on the present host."""
    lines = [
        "set -eu; export DEBIAN_FRONTEND=noninteractive",
        "apt-get update -qq",
        "apt-get install -y -qq pgbouncer postgresql-client >/dev/null",
    ]
    for path in FILES:
        content = docker("exec", NAME, "cat", path)
        mode, group = docker("exec", NAME, "stat", "-c", "%a %G", path).split()
        lines += [
            f"mkdir -p {Path(path).parent}",
            f"printf %s {shlex.quote(content)} >{path}",
            f"chown root:{group} {path}; chmod {mode} {path}",
        ]
    return "\n".join(
        [
            *lines,
            "systemctl daemon-reload; systemctl stop pgbouncer; systemctl enable --now -q pgbouncer.socket",
            "systemctl start pgbouncer; cd /",
            SERVES,
            "",
        ]
    )


def race(suite: str) -> tuple[float, float, float]:
    """Seconds of the role's first run, of the bare script, and of the role's second run."""
    with host(NAME, suite):
        first, _changed = converge(NAME, ROLE, VARIABLES)
        second, changed = converge(NAME, ROLE, VARIABLES)
        assert changed == 0
        written = script()
    with host(NAME, suite):
        begin = time.perf_counter()
        docker("exec", "-i", NAME, "sh", stdin=written)
        return first, time.perf_counter() - begin, second


def verifier(number: int) -> str:
    """A well-formed SCRAM verifier that belongs to no password."""
    salt, stored, server = (
        base64.b64encode(hashlib.sha256(f"{number} {part}".encode()).digest()[:size]).decode()
        for part, size in (("salt", 16), ("stored", 32), ("server", 32))
    )
    return f"SCRAM-SHA-256$4096:{salt}${stored}:{server}"


def reloads() -> int:
    """How often PgBouncer has read its configuration again."""
    return docker("exec", NAME, "cat", LOG).count("re-reading config")


def many(suite: str) -> None:
    """Bring users with verifiers to a host that is set up, and one user more."""
    scram = VARIABLES | {
        "pgbouncer_settings": VARIABLES["pgbouncer_settings"] | {"auth_type": "scram-sha-256"}
    }
    users = {f"user{number}": verifier(number) for number in range(USERS)}
    with host(NAME, suite):
        converge(NAME, ROLE, scram | {"pgbouncer_users": {}})
        for text, wanted in (("", users), (" and one more", users | {"more": verifier(USERS)})):
            before = reloads()
            seconds, _changed = converge(NAME, ROLE, scram | {"pgbouncer_users": wanted})
            print(f"{USERS} verifiers{text}: {seconds:.1f} s, {reloads() - before} reload(s)", flush=True)


def main() -> None:
    suite = sys.argv[1] if len(sys.argv) > 1 else "trixie"
    row = "role {:.1f} s, bare script {:.1f} s, ratio {:.2f}; second run {:.1f} s"
    figures = []
    for _round in range(ROUNDS):
        first, bare, second = race(suite)
        figures.append((first, bare, first / bare, second))
        print(row.format(*figures[-1]), flush=True)
    print(
        "medians:",
        row.format(*(statistics.median(column) for column in zip(*figures, strict=True))),
        flush=True,
    )
    many(suite)


if __name__ == "__main__":
    main()
