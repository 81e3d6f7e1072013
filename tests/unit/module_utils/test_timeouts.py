"""Timeouts that are declared, and those that exclude each other."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.djangoops.pooling.plugins.module_utils._errors import SizingError
from ansible_collections.djangoops.pooling.plugins.module_utils._sizing import plan


def result(group: dict[str, Any], **timeouts: int) -> dict[str, Any]:
    inputs = {"groups": [{"name": "web", **group}], "pools": [{"name": "app"}], "timeouts": timeouts}
    return plan(inputs)


def test_declared() -> None:
    declared = {
        "request_timeout": 120,
        "server_idle_timeout": 4000,
        "client_idle_timeout": 61,
        "query_wait_timeout": 7,
    }
    planned = result({"conn_max_age": 60}, **declared)
    assert planned["timeouts"] == {
        "server_idle_timeout": 4000,
        "client_idle_timeout": 61,
        "query_wait_timeout": 7,
        "server_lifetime": 4000,
        "conn_max_age": 60,
    }
    assert planned["why"]["timeouts.server_idle_timeout"] == "declared 4000"
    assert planned["why"]["timeouts.query_wait_timeout"] == "declared 7"


def test_server_idle_timeout_may_be_off() -> None:
    assert result({"conn_max_age": 60}, server_idle_timeout=0)["timeouts"]["server_idle_timeout"] == 0


@pytest.mark.parametrize(("request_timeout", "wait"), [(1, 5), (10, 5), (31, 15), (120, 60)])
def test_half_the_request_timeout(request_timeout: int, wait: int) -> None:
    assert result({}, request_timeout=request_timeout)["timeouts"]["query_wait_timeout"] == wait


def test_a_native_pool_keeps_connections_longer() -> None:
    """psycopg_pool never closes its min_size connections for being idle, only for their age."""
    pool = {"native_pool": {"min_size": 2, "max_lifetime": 1800}}
    with pytest.raises(SizingError, match="client_idle_timeout=0 or >= 1801"):
        result(pool, client_idle_timeout=1800)
    assert result(pool, client_idle_timeout=1801)["timeouts"]["client_idle_timeout"] == 1801


def test_a_query_that_may_wait_for_ever_outlives_its_request() -> None:
    warnings = result({}, query_wait_timeout=0)["warnings"]
    assert any(warning.startswith("W_QWT") for warning in warnings)
