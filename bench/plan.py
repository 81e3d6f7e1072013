#!/usr/bin/env python
"""How long a large fleet takes to plan: 1,000 groups and 200 pools, on one core. Prints seconds, best of three."""

from __future__ import annotations

import sys
import time
from pathlib import Path

# the checkout as the installed collection, as lab/setup.sh links it
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / ".ansible/collections"))
from ansible_collections.djangoops.pooling.plugins.module_utils._sizing import plan


def fleet(placement: str) -> dict[str, object]:
    """1,000 groups over 200 pools on one server."""
    return {
        "groups": [
            {
                "name": f"group{n}",
                "hosts": 1 + n % 3,
                "processes": 4,
                "threads": 2,
                "pools": [f"pool{n % 200}"],
            }
            for n in range(1000)
        ],
        "pools": [{"name": f"pool{n}", "database": f"db{n}", "user": f"user{n % 20}"} for n in range(200)],
        "poolers": {"placement": placement},
        "postgres": {"primary": {"cores": 64}},
    }


def main() -> None:
    for placement in ("central", "local"):
        seconds = []
        for _ in range(3):
            begin = time.perf_counter()
            plan(fleet(placement))
            seconds.append(time.perf_counter() - begin)
        print(f"{placement} placement: {min(seconds):.2f} s")


if __name__ == "__main__":
    main()
