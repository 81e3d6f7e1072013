#!/usr/bin/env python
"""CONN_MAX_AGE 0, 60 and Django's own pool behind PgBouncer, compared on a host of the scenario django.

    molecule converge -s django; bench/django.py [HOST] [--seconds 10] [--rounds 3]; molecule destroy -s django

One gunicorn with 4 workers of 4 threads serves 16 clients that ask as fast as they can for a view of 4 statements. The
strategies take turns, so that whatever else the machine does hits all of them. Logins are counted in PgBouncer's log.
Everything is on one host: compare the rows with each other, not with another machine's.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
from pathlib import Path
from typing import Any

import yaml

ALIASES = ("pgbouncer_transaction_0", "pgbouncer_transaction", "hybrid")
VARIABLES = Path(__file__).resolve().parents[1] / "molecule/django/group_vars/all.yml"
LOG = "/var/log/postgresql/pgbouncer.log"


def run(host: str, environment: str, alias: str, seconds: float) -> dict[str, Any]:
    """Requests per second, p95 in milliseconds and logins per second of one strategy."""
    password = yaml.safe_load(VARIABLES.read_text(encoding="utf-8"))["shop_password"]
    fleet = {
        "alias": alias,
        "groups": 1,
        "workers": 4,
        "threads": 4,
        "think": 0,
        "seconds": seconds,
        "warm_up": 3,
    }
    python = f"/opt/environments/{environment}/bin/python"
    command = ["docker", "exec", "--workdir", "/srv/project", "--env", f"SHOP_DB_PASSWORD={password}", host]
    # the log may be rotated, the journal is not there without systemd: its size says where this run begins
    size = subprocess.run(
        ["docker", "exec", host, "stat", "-c", "%s", LOG], check=True, capture_output=True
    ).stdout
    done = subprocess.run(
        [*command, python, "-m", "shop.fleet", json.dumps(fleet)], check=True, capture_output=True
    )
    counted: dict[str, Any] = json.loads(done.stdout)["steady"]
    count = f"tail -c +{int(size) + 1} {LOG} | grep -c 'login attempt' || true"
    logins = subprocess.run(
        ["docker", "exec", host, "sh", "-c", count], check=True, capture_output=True
    ).stdout
    # those of the warm-up are among them
    counted["logins_per_second"] = int(logins) / (counted["seconds"] + fleet["warm_up"])
    return counted


def main() -> None:
    parser = argparse.ArgumentParser(description="CONN_MAX_AGE behind PgBouncer")
    parser.add_argument("host", nargs="?", default="pooling-django-trixie")
    parser.add_argument("--environment", default="django5.2-psycopg3")
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    found: dict[str, list[dict[str, Any]]] = {alias: [] for alias in ALIASES}
    for _ in range(arguments.rounds):
        for alias, runs in found.items():
            runs.append(run(arguments.host, arguments.environment, alias, arguments.seconds))
    print(
        f"{'alias':<26}{'requests/s':>12}{'p95 ms':>10}{'logins/s':>10}{'failures':>10}   requests/s of each round"
    )
    for alias, runs in found.items():
        medians = [
            statistics.median(each[key] for each in runs)
            for key in ("per_second", "p95", "logins_per_second")
        ]
        failures = sum(sum(each["failures"].values()) for each in runs)
        rounds = " ".join(f"{each['per_second']:.0f}" for each in runs)
        print(
            f"{alias:<26}{medians[0]:>12.0f}{medians[1]:>10.0f}{medians[2]:>10.1f}{failures:>10}   {rounds}"
        )


if __name__ == "__main__":
    main()
