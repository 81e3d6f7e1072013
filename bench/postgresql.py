#!/usr/bin/env python
"""How long the role postgresql takes on a server that is there: seconds of each run, with one role and with 200.

    molecule create -s postgresql && molecule converge -s postgresql
    bench/postgresql.py [HOST]          default: pooling-postgresql-trixie, a container of that scenario

Each number is the wall clock of a whole ansible-playbook run on one host, start of Ansible included. The roles are removed
in the end.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

TOP = Path(__file__).resolve().parents[1]
PLAYBOOK = TOP / "molecule/postgresql/converge.yml"
MANY = 200


def run(host: str, users: dict[str, dict[str, object]]) -> tuple[float, int]:
    """Run the role with these users; returns seconds and the number of changes."""
    variables = {
        "postgresql_users": users,
        "postgresql_databases": {},
        "postgresql_auth_query": {},
    }
    begin = time.perf_counter()
    done = subprocess.run(
        [
            "ansible-playbook",
            "-i",
            f"{host},",
            "-c",
            "community.docker.docker",
            str(PLAYBOOK),
            "-e",
            json.dumps(variables),
        ],
        env={**os.environ, "ANSIBLE_PIPELINING": "true", "NO_COLOR": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    seconds = time.perf_counter() - begin
    changed = re.search(r"changed=(\d+)", done.stdout)
    if done.returncode or not changed:
        raise SystemExit(done.stdout + done.stderr)
    return seconds, int(changed[1])


def main() -> None:
    host = sys.argv[1] if len(sys.argv) > 1 else "pooling-postgresql-trixie"
    for count in (1, MANY):
        users: dict[str, dict[str, object]] = {
            f"bench_{n}": {"password": f"password of {n}", "connection_limit": 2} for n in range(count)
        }
        for label in ("first", "second"):
            seconds, changed = run(host, users)
            print(f"{count} role(s), {label} run: {seconds:.1f} s, {changed} change(s)")
    seconds, _changed = run(host, {f"bench_{n}": {"state": "absent"} for n in range(MANY)})
    print(f"{MANY} role(s), removed: {seconds:.1f} s")


if __name__ == "__main__":
    main()
