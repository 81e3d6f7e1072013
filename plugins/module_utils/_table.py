# Copyright: the djangoops.pooling authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A plan as lines of text for a terminal.

Private to this collection. Computes nothing: every number and reason is the plan's own.
"""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

# lines this short are not folded once more by the callback that prints YAML
WIDTH = 74


def plan_table(plan: Mapping[str, Any], fleet: Mapping[str, Any], *, why: bool = False) -> list[str]:
    """Lines that show demand, pools, budgets and timeouts with their reasons; with why, every derivation."""
    lines = [*_demand(plan, fleet), "", *_pools(plan), "", *_budgets(plan), "", *_timeouts(plan)]
    if plan["warnings"]:
        lines += ["", "Warnings", *(line for warning in plan["warnings"] for line in _wrapped(warning))]
    if why:
        lines += [
            "",
            "Why",
            *(line for path, text in plan["why"].items() for line in _wrapped(f"{path}: {text}")),
        ]
    return lines


def _demand(plan: Mapping[str, Any], fleet: Mapping[str, Any]) -> list[str]:
    rows = [["Client connections", "hosts", "processes", "threads", "CONN_MAX_AGE", "pools"]]
    for group in fleet["groups"]:
        rows.append(
            [
                group["name"],
                str(group.get("hosts", 1)),
                str(group.get("processes", 1)),
                str(
                    group.get("concurrency" if group.get("interface") in ("asgi", "gevent") else "threads", 1)
                ),
                f"{group.get('conn_max_age', 0)} s",
                ", ".join(group.get("pools", [])),
            ]
        )
    return [
        *_columns(rows),
        f"  = {plan['client_base']} in steady state, {plan['client_peak']} at most (during a deploy)",
    ]


def _pools(plan: Mapping[str, Any]) -> list[str]:
    rows = [["PgBouncer, per process", "clients", "pool_size", "reserve", "min"]]
    notes = []
    for name, instance in plan["instances"].items():
        where = f"{instance['hosts']} host(s) x {instance['processes']} process(es)"
        notes.append(
            f"  {name}: {where}, max_client_conn {instance['max_client_conn']}, LimitNOFILE {instance['limit_nofile']}"
        )
        for pool, sizes in instance["pools"].items():
            rows.append(
                [
                    f"{name}.{pool}",
                    *(
                        str(sizes[key])
                        for key in ("clients", "pool_size", "reserve_pool_size", "min_pool_size")
                    ),
                ]
            )
            notes += _reason(plan, f"instances.{name}.pools.{pool}")
        notes += _reason(plan, f"instances.{name}.max_client_conn")
    return [*_columns(rows), *notes]


def _budgets(plan: Mapping[str, Any]) -> list[str]:
    rows = [["PostgreSQL", "used/allowed", "pools", "reserves", "direct", "reserved slots", "headroom"]]
    notes = []
    for name, server in plan["servers"].items():
        rows.append(
            [
                name,
                f"{server['worst_case']}/{server['max_connections']}",
                str(server["pool_total"]),
                str(server["reserve_total"]),
                str(server["direct"]),
                str(server["superuser_reserved_connections"] + server["reserved_connections"]),
                str(server["headroom"]),
            ]
        )
        for key in ("target_connections", "max_connections", "worst_case"):
            notes += _reason(plan, f"servers.{name}.{key}")
        limits = ", ".join(f"{role} {limit}" for role, limit in server["role_connection_limit"].items())
        notes += _wrapped(f"CONNECTION LIMIT of the roles: {limits}")
    return [*_columns(rows), *notes]


def _timeouts(plan: Mapping[str, Any]) -> list[str]:
    rows = [["Timeouts", "seconds"], *([name, str(value)] for name, value in plan["timeouts"].items())]
    notes = [line for name in plan["timeouts"] for line in _reason(plan, f"timeouts.{name}")]
    return [*_columns(rows), *notes]


def _reason(plan: Mapping[str, Any], path: str) -> list[str]:
    text = plan["why"].get(path)
    return _wrapped(f"{path.split('.', 1)[1]}: {text}") if text else []


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(
        text,
        WIDTH,
        initial_indent="  ",
        subsequent_indent="      ",
        break_long_words=False,
        break_on_hyphens=False,
    )


def _columns(rows: Sequence[Sequence[str]]) -> list[str]:
    """Rows as aligned text: the first column left, the others right."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return [
        "  ".join(
            cell.ljust(width) if column == 0 else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
