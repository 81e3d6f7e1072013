# Copyright: the djangoops.pooling authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The wait for a server connection as an M/M/c queue (docs/sizing.md 8).

The one place with floats: these are predictions. Their only integer consequence is ``min_servers``.
Rates are per second, times in milliseconds.
"""

from __future__ import annotations

import math
from fractions import Fraction
from itertools import count
from typing import Any


def erlangs(tps: Fraction, xact_ms: Fraction) -> Fraction:
    """Return the connections that are busy on average: Little's law."""
    return tps * xact_ms / 1000


def wait_stats(
    servers: int,
    tps: Fraction,
    xact_ms: Fraction,
    *,
    percentile: Fraction = Fraction(95, 100),
    cs2: Fraction = Fraction(1),
) -> dict[str, Any]:
    """Return ``{rho, p_wait, mean_wait_ms, quantile_wait_ms}`` of one pool of ``servers`` connections.

    ``cs2`` is the squared coefficient of variation of the transaction time, 1 for exponential times.
    A pool that cannot keep up (rho >= 1) waits for sure, and for ever: its times are None.
    """
    load = erlangs(tps, xact_ms)
    rho = round(float(load / servers), 6)
    if load >= servers:
        return {"rho": rho, "p_wait": 1.0, "mean_wait_ms": None, "quantile_wait_ms": None}
    blocked = 1.0
    for busy in range(1, servers + 1):
        blocked = _erlang_b(blocked, busy, float(load))
    p_wait = _erlang_c(blocked, servers, float(load))
    scale = _wait_scale(servers, load, xact_ms, cs2)
    return {
        "rho": rho,
        "p_wait": round(p_wait, 6),
        "mean_wait_ms": round(p_wait * scale, 3),
        "quantile_wait_ms": round(_quantile(p_wait, scale, percentile), 3),
    }


def min_servers(
    tps: Fraction,
    xact_ms: Fraction,
    *,
    utilisation: Fraction = Fraction(4, 5),
    wait_ms: Fraction = Fraction(10),
    percentile: Fraction = Fraction(95, 100),
    cs2: Fraction = Fraction(1),
) -> int:
    """Return the smallest pool busy at most ``utilisation`` whose wait quantile is within ``wait_ms``."""
    load = erlangs(tps, xact_ms)
    least = max(1, math.floor(load) + 1, math.ceil(load / utilisation))
    blocked = 1.0
    for servers in count(1):
        blocked = _erlang_b(blocked, servers, float(load))
        if servers < least:
            continue
        p_wait = _erlang_c(blocked, servers, float(load))
        if _quantile(p_wait, _wait_scale(servers, load, xact_ms, cs2), percentile) <= wait_ms:
            return servers
    raise AssertionError("unreachable: the wait falls to 0 as the pool grows")


def _erlang_b(previous: float, servers: int, load: float) -> float:
    """Return B(servers) from B(servers - 1); B(0) is 1."""
    return load * previous / (servers + load * previous)


def _erlang_c(blocked: float, servers: int, load: float) -> float:
    """Return the probability of waiting from the Erlang B probability of being blocked."""
    return blocked / (1 - load / servers * (1 - blocked))


def _wait_scale(servers: int, load: Fraction, xact_ms: Fraction, cs2: Fraction) -> float:
    """Return the mean wait of those that wait, in ms."""
    return float((1 + cs2) / 2 * xact_ms / (servers - load))


def _quantile(p_wait: float, scale: float, percentile: Fraction) -> float:
    """Return the wait that the share ``percentile`` of all transactions does not exceed, in ms."""
    exceed = float(1 - percentile)
    return scale * math.log(p_wait / exceed) if p_wait > exceed else 0.0
