"""Which strategy, and how a fleet does without a pooler; the worked cases are in test_sizing_vectors."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.djangoops.pooling.plugins.module_utils._errors import SizingError
from ansible_collections.djangoops.pooling.plugins.module_utils._strategy import (
    choose,
    native_pools,
    plan_direct,
)


def fleet(*groups: dict[str, Any], **keys: Any) -> dict[str, Any]:
    return {"groups": list(groups), "pools": [{"name": "app"}], "postgres": {"primary": {}}, **keys}


def web(**keys: Any) -> dict[str, Any]:
    return {"name": "web", **keys}


@pytest.mark.parametrize(
    ("inputs", "strategy", "reason"),
    [
        (fleet(web(), other_apps=True), "pgbouncer", "other applications share the server"),
        (fleet(web(), serverless=True), "pgbouncer", "serverless processes come and go"),
        (fleet(web(hosts=2, rps_per_host=500, conn_max_age=60)), "pgbouncer", "1000 requests/s >= 1000"),
        (fleet(web(hosts=3, rps_per_host=471)), "hybrid", "1413 requests/s >= 1000"),
        (fleet(web(interface="asgi", concurrency=9)), "hybrid", "ASGI without the native pool"),
        (fleet(web(interface="asgi", concurrency=9), psycopg=2), "pgbouncer", "ASGI without the native pool"),
        (fleet(web(interface="asgi")), "hybrid", "no limit of concurrency"),
        (fleet(web(interface="gevent")), "hybrid", "no limit of concurrency"),
        (fleet(web(interface="asgi", native_pool=True)), "native_pool", "demand 6 fits the budget 80"),
        (fleet(web(threads=2), django=[4, 2]), "conn_max_age", "demand 3 fits the budget 80"),
        (
            fleet(web(threads=2, rps_per_host=0), psycopg=2),
            "none",
            "under one request per process per minute",
        ),
        (fleet({"name": "cron", "interface": "script"}), "conn_max_age", "demand 2 fits the budget 80"),
    ],
)
def test_strategy(inputs: dict[str, Any], strategy: str, reason: str) -> None:
    chosen = choose(inputs)
    assert chosen["strategy"] == strategy
    assert any(reason in text for text in chosen["reasons"])


def test_every_reason_is_listed() -> None:
    inputs = fleet(web(hosts=9, processes=9, rps_per_host=200), other_apps=True)
    inputs["postgres"]["primary"] = {"cores": 4}
    assert choose(inputs)["reasons"] == [
        "peak client demand 122 > connection budget 80 (max_connections 100)",
        "other applications share the server",
        "1800 requests/s >= 1000",
        "peak client demand 122 > 2 x CPU optimum 9",
    ]


@pytest.mark.parametrize("old", [{"django": [5, 0]}, {"psycopg": 2}])
def test_asgi_that_nothing_can_bound(old: dict[str, Any]) -> None:
    with pytest.raises(SizingError, match=r"^E_UNBOUNDED: group web: .*declare groups\[web\].concurrency"):
        choose(fleet(web(interface="asgi"), **old))


def test_the_strategy_needs_the_primary() -> None:
    inputs = fleet(web(), pools=[{"name": "app", "server": "main"}], postgres={"main": {}})
    with pytest.raises(SizingError, match="no server 'primary'"):
        choose(inputs)


def test_native_pools() -> None:
    """No more than a process can use; all processes together stay within the budget, through a deploy."""
    groups = [
        web(hosts=2, processes=4, threads=8),
        {"name": "worker", "interface": "celery", "processes": 4},
        {"name": "live", "interface": "asgi", "processes": 2},
    ]
    sizes = native_pools(fleet(*groups))
    assert sizes == {
        "web": {"min_size": 2, "max_size": 3},
        "worker": {"min_size": 1, "max_size": 1},
        "live": {"min_size": 2, "max_size": 3},
    }
    with_pools = [{**group, "native_pool": sizes[group["name"]]} for group in groups]
    assert plan_direct(fleet(*with_pools))["primary"]["headroom"] >= 0


def test_not_even_one_connection_for_each_process() -> None:
    with pytest.raises(SizingError) as caught:
        native_pools(fleet(web(hosts=9, processes=9)))
    assert [fix["text"] for fix in caught.value.fixes] == ["strategy pgbouncer", "max_connections 100 -> 153"]


def test_direct_connections_lower_the_budget() -> None:
    inputs = fleet(web(), postgres={"primary": {"direct": [{"connections": 30}]}})
    assert plan_direct(inputs) == {"primary": {"client_peak": 2, "budget": 50, "headroom": 48}}
