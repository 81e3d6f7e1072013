"""The load of a running pooler from two samples."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.djangoops.pooling.plugins.module_utils._errors import SizingError
from ansible_collections.djangoops.pooling.plugins.module_utils._show_stats import show_stats_load

# The columns of PgBouncer 1.18, as psql --csv gives them: all of them text.
COLUMNS = (
    "database total_xact_count total_query_count total_received total_sent total_xact_time total_query_time"
    " total_wait_time avg_xact_count avg_query_count avg_recv avg_sent avg_xact_time avg_query_time"
    " avg_wait_time"
)


def row(
    database: str, count: int, xact: int = 0, query: int = 0, wait: int = 0, **more: str
) -> dict[str, str]:
    return {
        **dict.fromkeys(COLUMNS.split(), "0"),
        "database": database,
        "total_xact_count": str(count),
        "total_xact_time": str(xact),
        "total_query_time": str(query),
        "total_wait_time": str(wait),
        **more,
    }


def failure(before: Any, after: Any, seconds: Any = 10) -> SizingError:
    with pytest.raises(SizingError) as caught:
        show_stats_load(before, after, seconds)
    return caught.value


def test_the_measured_experiment() -> None:
    """Vector Q08, with counters that did not begin at 0."""
    before = [row("app", 100, 1000, 2000, 3000)]
    after = [row("app", 500, 110768645, 85968886, 61402797)]
    load = {"tps": 31.86, "xact_ms": 123.42, "busy_servers": 3.932, "hold_ratio": 2.01}
    assert show_stats_load(before, after, "12.555") == {"total": load, "databases": {"app": load}}


def test_processes_are_summed_and_databases_kept_apart() -> None:
    before = [row("app", 10), row("app", 20), row("jobs", 5)]
    after = [row("app", 60, 3_000_000), row("app", 70, 1_000_000), row("jobs", 15, 500_000), row("new", 40)]
    result = show_stats_load(before, after, 10)
    assert {name: load["tps"] for name, load in result["databases"].items()} == {
        "app": 10,
        "jobs": 1,
        "new": 4,
    }
    assert result["databases"]["app"]["xact_ms"] == 40
    assert result["total"]["tps"] == 15


def test_the_console_is_left_out() -> None:
    result = show_stats_load([row("pgbouncer", 1)], [row("pgbouncer", 9)], 10)
    assert result == {
        "total": {"tps": 0.0, "xact_ms": 0.0, "busy_servers": 0.0, "hold_ratio": 1.0},
        "databases": {},
    }


def test_columns_of_later_versions() -> None:
    later = row("app", 10, total_server_assignment_count="3", total_client_parse_count="0")
    assert show_stats_load([row("app", 0)], [later], 10)["total"]["tps"] == 1


@pytest.mark.parametrize("after", [[], [row("app", 99)], [row("app", 100, wait=4)]])
def test_counters_that_went_backwards(after: list[dict[str, str]]) -> None:
    error = failure([row("app", 100, wait=5)], after)
    assert error.code == "E_COUNTERS"
    assert "database app went backwards: PgBouncer was restarted" in error.message


def test_bad_samples() -> None:
    assert failure("rows", []).message == "before: given 'rows', allowed: a list of SHOW STATS rows"
    assert failure([], [{"name": "app"}]).message.startswith(
        "after[0]: given {'name': 'app'}, allowed: a mapping"
    )
    assert failure([{"database": "app"}], []).message.startswith("before[0].total_xact_time: given None")
    assert failure([], [], 0).message == "seconds: given 0, allowed: a number > 0"
