# Copyright: the djangoops.pooling authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who is connected to a server, against who is expected: what the plan does not know still takes slots.

Private to this collection.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

EXPECTED_KEYS = ("roles", "others")


def session_budget(
    rows: Sequence[Mapping[str, Any]],
    expected: Mapping[str, Any],
    *,
    max_connections: int,
    superuser_reserved: int,
    reserved: int = 0,
) -> dict[str, list[str]]:
    """Warnings about sessions that nobody expected, and a problem when all together no longer fit.

    rows are those of files/sessions.sql: role, application, superuser, reserved, count. expected has `roles` (name ->
    sessions at worst) and `others` (sessions at worst of roles that are not named). A named role with more sessions than
    expected is a warning only: before it moves to the pool, an application has its direct connections. Superusers have
    reserved slots, and so have roles with pg_use_reserved_connections (reserved).
    """
    unknown_keys = [key for key in expected if key not in EXPECTED_KEYS]
    if unknown_keys:
        raise ValueError(f"unknown key '{unknown_keys[0]}'; known are {', '.join(EXPECTED_KEYS)}")
    roles: Mapping[str, int] = expected.get("roles", {})
    others = int(expected.get("others", 0))
    for path, number in [("others", others), *((f"roles.{name}", count) for name, count in roles.items())]:
        if isinstance(number, bool) or not isinstance(number, int) or number < 0:
            raise ValueError(f"{path}: '{number}' is not a whole number of sessions, 0 or more")
    result: dict[str, list[str]] = {"problems": [], "warnings": []}
    open_now: dict[str, int] = {}
    for row in rows:
        open_now[row["role"]] = open_now.get(row["role"], 0) + int(row["count"])
    result["warnings"] += [
        f"role {name} has {open_now[name]} sessions, expected are {count} at worst; the rest should end when it uses "
        f"the pool"
        for name, count in roles.items()
        if open_now.get(name, 0) > count
    ]
    strangers = [row for row in rows if row["role"] not in roles]
    superusers = sum(int(row["count"]) for row in strangers if row["superuser"])
    entitled = sum(int(row["count"]) for row in strangers if row["reserved"])
    ordinary = sum(int(row["count"]) for row in strangers) - superusers - entitled
    taken = ordinary + max(0, superusers - superuser_reserved) + max(0, entitled - reserved)
    unknown = max(0, taken - others)
    if unknown:
        named = ", ".join(
            f"{row['count']} of {row['role']}" + (f" ({row['application']})" if row["application"] else "")
            for row in sorted(
                strangers, key=lambda row: (-int(row["count"]), str(row["role"]), str(row["application"]))
            )
        )
        result["warnings"].append(f"{unknown} session(s) that nobody has planned: {named}")
    planned = sum(roles.values()) + others
    total = planned + unknown + superuser_reserved + reserved
    if total > max_connections:
        result["problems"].append(
            f"{planned} expected sessions + {unknown} that nobody has planned + {superuser_reserved + reserved} reserved = "
            f"{total} > max_connections {max_connections}. Declare them (pooling_postgres.direct), end them, or raise "
            f"max_connections to at least {total}"
        )
    return result
