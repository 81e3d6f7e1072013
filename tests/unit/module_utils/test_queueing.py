"""The queue model: laws that every M/M/c queue keeps (docs/sizing.md 17)."""

from __future__ import annotations

from fractions import Fraction

from ansible_collections.djangoops.pooling.plugins.module_utils._queueing import min_servers, wait_stats
from hypothesis import given
from hypothesis import strategies as st

RATES = st.integers(1, 400).map(Fraction)
TIMES = st.integers(1, 100).map(Fraction)


def test_one_server_at_half_load() -> None:
    """C(1, a) = a: the textbook's case."""
    assert wait_stats(1, Fraction(5), Fraction(100))["p_wait"] == 0.5


def test_a_pool_that_cannot_keep_up() -> None:
    stats = wait_stats(4, Fraction(100), Fraction(40))
    assert stats == {"rho": 1.0, "p_wait": 1.0, "mean_wait_ms": None, "quantile_wait_ms": None}


def test_no_load() -> None:
    assert wait_stats(1, Fraction(0), Fraction(0)) == {
        "rho": 0.0,
        "p_wait": 0.0,
        "mean_wait_ms": 0.0,
        "quantile_wait_ms": 0.0,
    }
    assert min_servers(Fraction(0), Fraction(0)) == 1


@given(RATES, TIMES)
def test_a_larger_pool_never_waits_longer(tps: Fraction, xact_ms: Fraction) -> None:
    least = int(tps * xact_ms / 1000) + 1
    waits = [wait_stats(least + more, tps, xact_ms) for more in range(6)]
    for key in ("p_wait", "mean_wait_ms", "quantile_wait_ms"):
        assert [wait[key] for wait in waits] == sorted((wait[key] for wait in waits), reverse=True)


@given(st.integers(1, 10), st.integers(2, 6), TIMES, st.integers(1, 99))
def test_merged_pools_never_wait_longer(size: int, pools: int, xact_ms: Fraction, busy: int) -> None:
    """k pools of c servers at the same utilisation against one of k x c."""
    tps = Fraction(busy, 100) * size * 1000 / xact_ms
    split, merged = wait_stats(size, tps, xact_ms), wait_stats(size * pools, tps * pools, xact_ms)
    assert merged["mean_wait_ms"] <= split["mean_wait_ms"]


@given(RATES, TIMES)
def test_min_servers_is_the_smallest(tps: Fraction, xact_ms: Fraction) -> None:
    servers = min_servers(tps, xact_ms)
    enough = wait_stats(servers, tps, xact_ms)
    assert enough["rho"] <= 0.8 and enough["quantile_wait_ms"] <= 10
    if servers > 1:
        fewer = wait_stats(servers - 1, tps, xact_ms)
        assert fewer["rho"] > 0.8 or fewer["quantile_wait_ms"] >= 10
