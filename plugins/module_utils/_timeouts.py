# Copyright: the djangoops.pooling authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Timeouts, and the order they must keep (docs/sizing.md 6.M). All in seconds."""

from __future__ import annotations

from collections.abc import Iterable

from ansible_collections.djangoops.pooling.plugins.module_utils._errors import SizingError, advice
from ansible_collections.djangoops.pooling.plugins.module_utils._inputs import Fleet, Group


def check_ages(groups: Iterable[Group]) -> None:
    """Refuse a CONN_MAX_AGE that never ends or that Django refuses itself."""
    for group in groups:
        path = f"groups[{group.name}].conn_max_age"
        if group.conn_max_age is None:
            raise SizingError(
                "E_AGE_NONE",
                f"group {group.name}: CONN_MAX_AGE None keeps connections for ever, no timeout is above it",
                [advice(path, None, 60, "CONN_MAX_AGE=60")],
            )
        if group.conn_max_age and group.native_pool is not None:
            raise SizingError(
                "E_POOL_AGE",
                f"group {group.name}: Django raises ImproperlyConfigured for OPTIONS['pool'] with"
                f" CONN_MAX_AGE {group.conn_max_age}",
                [advice(path, group.conn_max_age, 0, 'CONN_MAX_AGE=0 where OPTIONS["pool"] is set')],
            )


def longest_age(groups: Iterable[Group]) -> int:
    """Return the largest CONN_MAX_AGE; ASGI counts as 0: its threads end with the request."""
    return max(group.conn_max_age or 0 if group.interface != "asgi" else 0 for group in groups)


def server_idle_timeout_for(age: int) -> int:
    """Return a server_idle_timeout above CONN_MAX_AGE."""
    return max(120, 2 * age) if age else 600


def timeouts(fleet: Fleet) -> tuple[dict[str, int], dict[str, str]]:
    """Return the timeouts and their derivations. Raises SizingError("E_IDLE_ORDER" or "E_CLIENT_IDLE")."""
    declared = fleet.timeouts
    age = longest_age(fleet.groups)
    why = {}
    server_idle = declared.server_idle_timeout
    if server_idle is None:
        server_idle = server_idle_timeout_for(age)
        formula = f"max(120, 2 x CONN_MAX_AGE {age}) = {server_idle}"
        why["timeouts.server_idle_timeout"] = formula if age else f"{server_idle} because CONN_MAX_AGE is 0"
    else:
        _check_server_idle(server_idle, age)
        why["timeouts.server_idle_timeout"] = f"declared {server_idle}"
    _check_client_idle(declared.client_idle_timeout, age, fleet.groups)
    query_wait = declared.query_wait_timeout
    if query_wait is None:
        query_wait = max(5, declared.request_timeout // 2)
        formula = f"max(5, request timeout {declared.request_timeout} / 2) = {query_wait}"
        why["timeouts.query_wait_timeout"] = formula
    else:
        why["timeouts.query_wait_timeout"] = f"declared {query_wait}"
    return {
        "server_idle_timeout": server_idle,
        "client_idle_timeout": declared.client_idle_timeout,
        "query_wait_timeout": query_wait,
        "server_lifetime": max(3600, server_idle),
        "conn_max_age": age,
    }, why


def _check_server_idle(server_idle: int, age: int) -> None:
    """0 is off in PgBouncer: no connection is closed for being idle."""
    if 0 < server_idle <= age:
        recommended = server_idle_timeout_for(age)
        raise SizingError(
            "E_IDLE_ORDER",
            f"server_idle_timeout {server_idle} <= CONN_MAX_AGE {age}",
            [
                advice(
                    "timeouts.server_idle_timeout",
                    server_idle,
                    recommended,
                    f"server_idle_timeout >= {age + 1} (recommended {recommended})",
                )
            ],
        )


def _check_client_idle(client_idle: int, age: int, groups: Iterable[Group]) -> None:
    """A client that PgBouncer closes first meets an OperationalError at its next query (E5)."""
    lifetime = max((group.native_pool.max_lifetime for group in groups if group.native_pool), default=0)
    longest = max(age, lifetime)
    if 0 < client_idle <= longest:
        raise SizingError(
            "E_CLIENT_IDLE",
            f"client_idle_timeout {client_idle} <= {longest}, the longest life of a client connection"
            f" (CONN_MAX_AGE {age}, native pool max_lifetime {lifetime})",
            [
                advice(
                    "timeouts.client_idle_timeout",
                    client_idle,
                    0,
                    f"client_idle_timeout=0 or >= {longest + 1}",
                )
            ],
        )
