# Copyright: the djangoops.pooling authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The load of a running pooler from two samples of SHOW STATS (docs/sizing.md 8, E10)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import astuple, dataclass
from fractions import Fraction
from typing import Any

from ansible_collections.djangoops.pooling.plugins.module_utils._errors import SizingError
from ansible_collections.djangoops.pooling.plugins.module_utils._inputs import (
    COUNT,
    POSITIVE,
    out_of_range,
    read_number,
)

CONSOLE = "pgbouncer"  # the admin console's own row: no server connection is behind it


@dataclass(frozen=True)
class Counters:
    """Totals since the start of the process; times in microseconds. The names are SHOW STATS columns."""

    total_xact_time: int = 0
    total_query_time: int = 0
    total_wait_time: int = 0
    total_xact_count: int = 0

    def __add__(self, other: Counters) -> Counters:
        return Counters(*(one + two for one, two in zip(astuple(self), astuple(other), strict=True)))

    def __sub__(self, other: Counters) -> Counters:
        return Counters(*(one - two for one, two in zip(astuple(self), astuple(other), strict=True)))


def show_stats_load(before: Any, after: Any, seconds: Any) -> dict[str, Any]:
    """Return ``{total, databases}``: the measured load between two samples taken ``seconds`` apart.

    A sample is a list of SHOW STATS rows, mappings by column name; rows of several processes are summed by
    database. Each result is ``{tps, xact_ms, busy_servers, hold_ratio}``. Raises SizingError("E_RANGE") for
    rows that are none, and SizingError("E_COUNTERS") where counters went backwards: a restart in between.
    """
    elapsed = read_number(seconds, "seconds", POSITIVE)
    first, last = _by_database(before, "before"), _by_database(after, "after")
    deltas = {}
    for database in sorted(first | last):
        delta = last.get(database, Counters()) - first.get(database, Counters())
        if min(astuple(delta)) < 0:
            raise SizingError(
                "E_COUNTERS",
                f"the counters of database {database} went backwards: PgBouncer was restarted between the"
                " samples, or they are in the wrong order; take both again",
            )
        deltas[database] = delta
    return {
        "total": _load(sum(deltas.values(), Counters()), elapsed),
        "databases": {database: _load(delta, elapsed) for database, delta in deltas.items()},
    }


def from_show_stats(
    xact_us: int, query_us: int, wait_us: int, transactions: int, seconds: Fraction
) -> dict[str, float]:
    """Return ``{tps, xact_ms, busy_servers, hold_ratio}`` from the differences of the counters.

    Both times include the wait for a server (E10), so it is subtracted: a plan made from them would
    otherwise grow with its own queue.
    """
    held_us, executing_us = max(0, xact_us - wait_us), max(0, query_us - wait_us)
    return {
        "tps": round(float(transactions / seconds), 3),
        "xact_ms": round(held_us / transactions / 1000, 3) if transactions else 0.0,
        "busy_servers": round(float(held_us / seconds / 1_000_000), 3),
        "hold_ratio": round(max(1.0, held_us / executing_us), 3) if executing_us else 1.0,
    }


def _load(delta: Counters, seconds: Fraction) -> dict[str, float]:
    return from_show_stats(
        delta.total_xact_time, delta.total_query_time, delta.total_wait_time, delta.total_xact_count, seconds
    )


def _by_database(rows: Any, path: str) -> dict[str, Counters]:
    if not isinstance(rows, Iterable) or isinstance(rows, (str, bytes, Mapping)):
        raise out_of_range(path, rows, "a list of SHOW STATS rows")
    result: dict[str, Counters] = {}
    for index, row in enumerate(rows):
        where = f"{path}[{index}]"
        if not isinstance(row, Mapping) or not isinstance(row.get("database"), str):
            raise out_of_range(where, row, "a mapping of SHOW STATS columns, database among them")
        if row["database"] != CONSOLE:
            name = str(row["database"])
            result[name] = result.get(name, Counters()) + _counters(row, where)
    return result


def _counters(row: Mapping[str, Any], where: str) -> Counters:
    return Counters(
        **{
            column: int(read_number(row.get(column), f"{where}.{column}", COUNT))
            for column in Counters.__dataclass_fields__
        }
    )
