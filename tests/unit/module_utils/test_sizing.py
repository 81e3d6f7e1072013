"""The plan as a whole: its shape, its errors and their fixes, its warnings."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.djangoops.pooling.plugins.module_utils._errors import SizingError
from ansible_collections.djangoops.pooling.plugins.module_utils._sizing import plan

EXAMPLE = json.loads((Path(__file__).resolve().parents[1] / "data" / "sizing_example.json").read_text())


def fleet(**keys: Any) -> dict[str, Any]:
    """Two hosts of four processes and one pool; ``keys`` replace what is declared."""
    return {
        "groups": [{"name": "web", "hosts": 2, "processes": 4, "conn_max_age": 60}],
        "pools": [{"name": "app"}],
        "postgres": {"primary": {"cores": 8, "max_connections": 100}},
        **keys,
    }


def pools(count: int, **keys: Any) -> dict[str, Any]:
    """As many pools, all of them used."""
    names = [f"pool{index:03}" for index in range(count)]
    return {
        "pools": [{"name": name} for name in names],
        "groups": [{"name": "web", "hosts": 2, "processes": 4, "pools": names}],
        **keys,
    }


def failure(inputs: dict[str, Any]) -> SizingError:
    with pytest.raises(SizingError) as caught:
        plan(inputs)
    return caught.value


def codes(inputs: dict[str, Any]) -> set[str]:
    return {warning.split(":")[0] for warning in plan(inputs)["warnings"]}


def test_the_example_of_the_specification() -> None:
    """Section 0, word by word, the derivations included."""
    assert plan(EXAMPLE["inputs"]) == EXAMPLE["outputs"]


def test_only_plain_types() -> None:
    assert json.loads(json.dumps(plan(EXAMPLE["inputs"]))) == EXAMPLE["outputs"]


def test_budget_error() -> None:
    inputs = fleet(**pools(32), poolers={"processes": 4})
    error = failure(inputs)
    assert error.code == "E_BUDGET"
    assert error.message == (
        "server primary: 128 pool + 0 auth + 0 direct + 3 reserved = 131 > max_connections 100;"
        " smallest change: poolers.processes 4 -> 3"
    )
    assert error.fixes == [
        {
            "path": "poolers.processes",
            "from": 4,
            "to": 3,
            "rel": 0.25,
            "text": "poolers.processes 4 -> 3",
        },
        {
            "path": "postgres.primary.max_connections",
            "from": 100,
            "to": 131,
            "rel": 0.31,
            "text": "max_connections 100 -> 131",
        },
    ]


def test_fewer_hosts_are_a_fix() -> None:
    texts = [fix["text"] for fix in failure(fleet(**pools(60), poolers={"hosts": 2})).fixes]
    assert texts == ["max_connections 100 -> 123", "poolers.hosts 2 -> 1"]


def test_fewer_hosts_than_serve_are_no_fix() -> None:
    poolers = {"hosts": 2, "serving_hosts": 2}
    assert [fix["text"] for fix in failure(fleet(**pools(60), poolers=poolers)).fixes] == [
        "max_connections 100 -> 123"
    ]


def test_fewer_direct_connections_are_a_fix() -> None:
    postgres = {"primary": {"max_connections": 20, "direct": [{"connections": 18}]}}
    assert [fix["text"] for fix in failure(fleet(postgres=postgres)).fixes] == [
        "max_connections 20 -> 22",
        "postgres.primary.direct 18 -> 16",
    ]


def test_the_second_server_is_checked_too() -> None:
    inputs = fleet(
        pools=[{"name": "app"}, {"name": "ro", "server": "replica"}],
        groups=[{"name": "web", "pools": ["app", "ro"]}],
        postgres={"primary": {"max_connections": 100}, "replica": {"max_connections": 3}},
    )
    assert failure(inputs).message.startswith(
        "server replica: 1 pool + 0 auth + 0 direct + 3 reserved = 4 > "
    )


def test_more_than_postgresql_can_hold() -> None:
    postgres = {"primary": {"max_connections": 300_000}}
    error = failure(fleet(postgres=postgres))
    assert error.code == "E_MAX_BACKENDS"
    assert [fix["text"] for fix in error.fixes] == ["max_connections 300000 -> 262143"]
    many = [{"name": "web", "hosts": 1000, "processes": 300}]
    error = failure(fleet(groups=many, pool_mode="session", postgres={"primary": {}}))
    assert (error.code, error.fixes[0]["text"]) == ("E_MAX_BACKENDS", "pool_mode=transaction")


def test_more_descriptors_than_linux_gives() -> None:
    many = [{"name": "web", "hosts": 1000, "processes": 400}]
    assert failure(fleet(groups=many)).code == "E_NOFILE"


def test_an_unmeasurable_load_is_refused_before_it_is_searched() -> None:
    inputs = fleet(pools=[{"name": "app", "tps": 10**12, "xact_ms": 1000}], postgres={"primary": {}})
    assert failure(inputs).code == "E_MAX_BACKENDS"


@pytest.mark.parametrize(
    ("code", "change"),
    [
        ("W_SESSION", {"pool_mode": "session"}),
        ("W_PROCESSES", {"poolers": {"processes": 2}}),
        ("W_FRAGMENTED", pools(20)),
        ("W_OVER_KNEE", {"pools": [{"name": "app", "min": 20}]}),
        ("W_WAIT", {"pools": [{"name": "app", "tps": 500, "xact_ms": 23}], "poolers": {"hosts": 2}}),
        (
            "W_LOSS_UNSTABLE",
            {
                "pools": [{"name": "app", "tps": 500, "xact_ms": 20}],
                "poolers": {"hosts": 2},
                "postgres": {"primary": {"max_connections": 19}},
            },
        ),
        (
            "W_RESERVE_CUT",
            {"poolers": {"hosts": 2}, "postgres": {"primary": {"cores": 8, "max_connections": 17}}},
        ),
        ("W_ALERT", {"pools": [{"name": "app", "min": 90}]}),
        ("W_NO_CORES", {"postgres": {"primary": {"max_connections": 100}}}),
        (
            "W_MATRIX",
            {
                "pools": [
                    {"name": "a", "database": "app", "user": "web"},
                    {"name": "b", "database": "app", "user": "jobs"},
                    {"name": "c", "database": "log", "user": "web"},
                ]
            },
        ),
        (
            "W_ASGI_AGE",
            {"groups": [{"name": "web", "interface": "asgi", "concurrency": 9, "conn_max_age": 60}]},
        ),
        ("W_CELERY_AGE", {"groups": [{"name": "worker", "interface": "celery", "conn_max_age": 61}]}),
        ("W_QWT", {"timeouts": {"query_wait_timeout": 30}}),
        ("W_CHURN", {"groups": [{"name": "web", "rps_per_host": 471}]}),
    ],
)
def test_warning(code: str, change: dict[str, Any]) -> None:
    assert code in codes(fleet(**change))
    assert code not in codes(fleet())


@pytest.mark.parametrize(
    "change",
    [{"conn_max_age": 60}, {"native_pool": True}, {"unix_socket": True}, {"rps_per_host": 470}],
)
def test_no_churn(change: dict[str, Any]) -> None:
    assert "W_CHURN" not in codes(fleet(groups=[{"name": "web", "rps_per_host": 471, **change}]))


def test_a_host_group_shares_a_pooler() -> None:
    """Local placement: clients of one host, backends of all hosts; a group without hosts has no pooler."""
    result = plan(
        fleet(
            groups=[
                {"name": "web", "hosts": 3, "processes": 4, "host_group": "front"},
                {"name": "beat", "hosts": 1, "interface": "script", "host_group": "front"},
                {"name": "worker", "hosts": 2, "processes": 2, "interface": "celery"},
                {"name": "off", "hosts": 0},
            ],
            poolers={"placement": "local"},
        )
    )
    assert {name: (one["hosts"], one["client_peak"]) for name, one in result["instances"].items()} == {
        "front": (3, 8),
        "worker": (2, 3),
    }
    sizes = {name: one["pools"]["app"]["pool_size"] for name, one in result["instances"].items()}
    assert result["servers"]["primary"]["pool_total"] == 3 * sizes["front"] + 2 * sizes["worker"]


def test_auth_query_takes_connections() -> None:
    inputs = fleet(pools=[{"name": "app"}, {"name": "log"}], poolers={"auth_query": True, "hosts": 2})
    each = plan(inputs)
    assert each["instances"]["central"]["max_db_connections"] == {"app": 13, "log": 2}
    inputs["poolers"]["auth_dbname"] = True
    once = plan(inputs)
    assert once["instances"]["central"]["max_db_connections"] == {"app": 13, "log": 1}
    assert each["servers"]["primary"]["worst_case"] == once["servers"]["primary"]["worst_case"] + 2


def test_a_walsender_takes_a_slot_before_postgresql_12() -> None:
    def direct(version: int) -> int:
        primary = {"version": version, "direct": [{"connections": 2, "walsender": True}]}
        return int(plan(fleet(postgres={"primary": primary}))["servers"]["primary"]["direct"])

    assert (direct(11), direct(12)) == (2, 0)


def test_before_postgresql_14_there_is_no_check_interval() -> None:
    result = plan(fleet(postgres={"primary": {"version": 13}}))
    assert result["servers"]["primary"]["client_connection_check_interval"] is None


def test_declared_weights_decide() -> None:
    declared = pools(2)
    for pool, weight in zip(declared["pools"], (3, 1), strict=True):
        pool["weight"] = weight
    central = plan(fleet(**declared, postgres={"primary": {"target_connections": 16}}))["instances"][
        "central"
    ]
    assert [pool["pool_size"] for pool in central["pools"].values()] == [12, 4]
    assert "share by declared weight 3" in plan(fleet(**declared))["why"]["instances.central.pools.pool000"]


def test_processes_that_do_not_serve_take_room_too() -> None:
    """With alert 1 the soft limit counts serving hosts only; the room is what cuts the pools then."""
    result = plan(
        fleet(
            groups=[{"name": "web", "hosts": 10, "processes": 4}],
            poolers={"hosts": 2, "serving_hosts": 1, "tolerate_hosts_lost": 0},
            postgres={"primary": {"target_connections": 50, "max_connections": 24}},
            targets={"alert": 1},
        )
    )
    assert result["instances"]["central"]["pools"]["app"]["pool_size"] == (24 - 3) // 2
    assert result["servers"]["primary"]["worst_case"] == 3 + 2 * 10


def test_equal_pools_are_told_apart_by_name() -> None:
    """Of three connections for two equal pools the first in name order has two, whichever is declared first."""
    declared = pools(2, postgres={"primary": {"target_connections": 3}})
    declared["pools"].reverse()
    central = plan(declared)["instances"]["central"]
    assert {name: pool["pool_size"] for name, pool in central["pools"].items()} == {
        "pool000": 2,
        "pool001": 1,
    }
