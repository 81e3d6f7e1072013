"""The glue of the filter show_stats_load."""

from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.djangoops.pooling.plugins.filter.show_stats_load import FilterModule

show_stats_load = FilterModule().filters()["show_stats_load"]

ROW = {
    "database": "app",
    "total_xact_count": 100,
    "total_xact_time": 4000,
    "total_query_time": 2000,
    "total_wait_time": 0,
}


def test_the_load() -> None:
    result = show_stats_load([], [ROW], seconds=10)
    assert result["total"] == {"tps": 10.0, "xact_ms": 0.04, "busy_servers": 0.0, "hold_ratio": 2.0}


def test_errors_begin_with_the_name() -> None:
    with pytest.raises(AnsibleFilterError, match=r"^djangoops\.pooling\.show_stats_load: E_COUNTERS: "):
        show_stats_load([ROW], [], seconds=10)
