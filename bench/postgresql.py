#!/usr/bin/env python
"""How long the role postgresql takes on a server that is there: with one role and with 200, first and second run.

Run it as lab/setup.sh sets the tools up: . lab/setup.sh && setup_tools && setup_lab trixie && bench/postgresql.py [SUITE]
Each number is the wall clock of a whole ansible-playbook run, start of Ansible included. The host is a container of its own,
and gone afterwards.
"""

from __future__ import annotations

import sys
from typing import Any

from host import converge, host

NAME = "pooling-bench-postgresql"
ROLE = "djangoops.pooling.postgresql"
MANY = 200
SERVER: dict[str, Any] = {
    "postgresql_settings": {
        "max_connections": 300,
        "listen_addresses": "*",
        "password_encryption": "scram-sha-256",
    },
    "postgresql_databases": {"app": {"owner": "user0"}},
    "postgresql_hba": [
        {
            "type": "host",
            "databases": ["app"],
            "users": ["user0"],
            "address": "192.0.2.0/24",
            "method": "scram-sha-256",
        }
    ],
}


def users(count: int) -> dict[str, Any]:
    """So many login roles with passwords."""
    return {
        f"user{number}": {"password": f"password {number}", "connection_limit": 1} for number in range(count)
    }


def main() -> None:
    suite = sys.argv[1] if len(sys.argv) > 1 else "trixie"
    with host(NAME, suite):
        # the server is there when the clock starts
        converge(NAME, ROLE, {"postgresql_settings": SERVER["postgresql_settings"]})
        for count in (1, MANY):
            for run in ("first", "second"):
                seconds, changed = converge(NAME, ROLE, SERVER | {"postgresql_users": users(count)})
                print(f"{count} role(s), {run} run: {seconds:.1f} s, {changed} change(s)", flush=True)


if __name__ == "__main__":
    main()
