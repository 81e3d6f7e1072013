"""What a plan accepts, and how it says what it does not accept."""

from __future__ import annotations

from collections import UserDict
from copy import deepcopy
from fractions import Fraction
from typing import Any

import pytest
from ansible_collections.djangoops.pooling.plugins.module_utils._errors import SizingError
from ansible_collections.djangoops.pooling.plugins.module_utils._inputs import read_fleet

FLEET: dict[str, Any] = {
    "groups": [{"name": "web"}, {"name": "worker"}],
    "pools": [{"name": "app"}, {"name": "jobs"}],
    "postgres": {"primary": {"direct": [{}]}},
    "poolers": {},
    "targets": {},
    "timeouts": {},
}


def with_value(path: str, value: Any) -> dict[str, Any]:
    """A small fleet with one value set; a path is written as in the errors."""
    result = deepcopy(FLEET)
    *parents, key = path.replace("[", ".").replace("]", "").split(".")
    target: Any = result
    for parent in parents:
        target = target[int(parent)] if parent.isdigit() else target[parent]
    target[key] = value
    return result


def message(inputs: Any) -> str:
    with pytest.raises(SizingError) as caught:
        read_fleet(inputs)
    assert caught.value.code == "E_RANGE"
    return caught.value.message


@pytest.mark.parametrize(
    ("path", "value", "allowed"),
    [
        ("groups[1].processes", 0, "a whole number >= 1"),
        ("groups[1].processes", True, "a whole number >= 1"),
        ("groups[1].processes", "8 workers", "a whole number >= 1"),
        ("groups[1].processes", 2.5, "a whole number >= 1"),
        ("groups[1].processes", None, "a whole number >= 1"),
        ("groups[1].processes", [4], "a whole number >= 1"),
        ("groups[1].processes", "1e3", "a whole number >= 1"),
        ("groups[1].processes", "4/0", "a whole number >= 1"),
        ("groups[1].processes", float("inf"), "a whole number >= 1"),
        ("groups[1].processes", float("nan"), "a whole number >= 1"),
        ("groups[0].hosts", -1, "a whole number >= 0"),
        ("groups[0].threads", 0, "a whole number >= 1"),
        ("groups[0].concurrency", 0, "a whole number >= 1"),
        ("groups[0].conn_max_age", -1, "a whole number >= 0"),
        ("groups[0].deploy_overlap", 0.9, "a number >= 1 and <= 4"),
        ("groups[0].deploy_overlap", 4.1, "a number >= 1 and <= 4"),
        ("groups[0].burst_factor", 0.9, "a number >= 1"),
        ("groups[0].rps_per_host", -1, "a number >= 0"),
        ("groups[0].unix_socket", "perhaps", "true or false"),
        ("groups[0].interface", "http", "one of wsgi, asgi, celery, gevent, script"),
        ("groups[0].name", "", "a string that is not empty"),
        ("groups[0].name", 7, "a string that is not empty"),
        ("groups[0].pools", "app", "a list that is not empty"),
        ("postgres.primary.direct", {}, "a list"),
        ("groups[0].pools", [], "a list that is not empty"),
        ("groups[0].native_pool", 4, "a mapping"),
        ("pools[1].weight", -1, "a number >= 0"),
        ("pools[1].min", 0, "a whole number >= 1"),
        ("pools[1].nested", 0, "a whole number >= 1"),
        ("poolers.placement", "remote", "one of central, local"),
        ("poolers.hosts", 0, "a whole number >= 1"),
        ("poolers.processes", 0, "a whole number >= 1"),
        ("poolers.restart_extra", -1, "a whole number >= 0"),
        ("poolers.distribution", "random", "one of failover, balanced"),
        ("poolers.skew", "0.99", "a number >= 1"),
        ("poolers.console_clients", -1, "a whole number >= 0"),
        ("poolers.auth_query", 1, "true or false"),
        ("postgres.primary.version", 9, "a whole number >= 10"),
        ("postgres.primary.max_connections", 0, "a whole number >= 1"),
        ("postgres.primary.superuser_reserved_connections", -1, "a whole number >= 0"),
        ("postgres.primary.cores", 0, "a number > 0"),
        ("postgres.primary.vcpus", 0, "a number > 0"),
        ("postgres.primary.threads_per_core", 0, "a number > 0"),
        ("postgres.primary.spindles", -1, "a number >= 0"),
        ("postgres.primary.connections_per_core", 5, "a number >= 1 and <= 4"),
        ("postgres.primary.hold_ratio", 21, "a number >= 1 and <= 20"),
        ("postgres.primary.target_connections", 0, "a whole number >= 1"),
        ("postgres.primary.usl", [0.1], "[alpha, beta]"),
        ("postgres.primary.ram_mib", 0, "a whole number >= 1"),
        ("postgres.primary.mib_per_connection", 0, "a number > 0"),
        ("postgres.primary.hash_mem_multiplier", 0.5, "a number >= 1"),
        ("postgres.primary.direct[0].connections", -1, "a whole number >= 0"),
        ("postgres.primary.direct[0].superuser", "no", "true or false"),
        ("targets.alert", 0, "a number > 0 and <= 1"),
        ("targets.alert", 1.1, "a number > 0 and <= 1"),
        ("targets.utilisation", 0, "a number > 0 and <= 1"),
        ("targets.wait_ms", -1, "a number >= 0"),
        ("targets.percentile", 1, "a number > 0 and < 1"),
        ("targets.cs2", -1, "a number >= 0"),
        ("timeouts.request_timeout", 0, "a whole number >= 1"),
        ("timeouts.server_idle_timeout", -1, "a whole number >= 0"),
        ("timeouts.client_idle_timeout", -1, "a whole number >= 0"),
        ("timeouts.query_wait_timeout", -1, "a whole number >= 0"),
        ("pool_mode", "auto", "one of transaction, session, statement"),
        ("groups", [], "a list that is not empty"),
        ("groups", None, "a list that is not empty"),
        ("groups", {"name": "web"}, "a list that is not empty"),
        ("pools", [], "a list that is not empty"),
        ("postgres", {}, "a mapping of server names, not empty"),
        ("poolers", "central", "a mapping"),
        ("django", [5], "[major, minor]"),
        ("psycopg", 4, "a whole number >= 2 and <= 3"),
    ],
)
def test_out_of_range(path: str, value: Any, allowed: str) -> None:
    assert message(with_value(path, value)) == f"{path}: given {value!r}, allowed: {allowed}"


@pytest.mark.parametrize(
    ("path", "near"),
    [
        ("grups", "groups"),
        ("groups[1].process", "processes"),
        ("groups[0].native_pool", None),
        ("pools[0].databse", "database"),
        ("poolers.host", "hosts"),
        ("postgres.primary.max_conections", "max_connections"),
        ("postgres.primary.direct[0].conections", "connections"),
        ("targets.percentil", "percentile"),
        ("timeouts.server_idle_timout", "server_idle_timeout"),
    ],
)
def test_an_unknown_key(path: str, near: str | None) -> None:
    if near is None:
        path, near = f"{path}.maxsize", "max_size"
        inputs = with_value("groups[0].native_pool", {"maxsize": 1})
    else:
        inputs = with_value(path, 1)
    assert message(inputs) == f"{path}: given 1, allowed: no such key; the nearest known key is {near!r}"


@pytest.mark.parametrize(
    ("path", "value", "start"),
    [
        ("groups[1].name", "web", "groups[1].name: given 'web', allowed: a name that is used once"),
        ("pools[1].name", "app", "pools[1].name: given 'app', allowed: a name that is used once"),
        (
            "groups[1].pools",
            ["app", "job"],
            "groups[1].pools[1]: given 'job', allowed: one of app, jobs; the near",
        ),
        (
            "pools[1].server",
            "primry",
            "pools[1].server: given 'primry', allowed: one of primary; the nearest is",
        ),
        ("pools[1].tps", 5, "pools[1].xact_ms: given None, allowed: a number >= 0: tps and xact_ms belong"),
        ("groups[0].native_pool", {"min_size": 0}, "groups[0].native_pool.max_size: given None"),
    ],
)
def test_parts_that_do_not_fit(path: str, value: Any, start: str) -> None:
    assert message(with_value(path, value)).startswith(start)


def test_reserved_connections_are_new_in_postgresql_16() -> None:
    inputs = with_value("postgres.primary.version", 15)
    inputs["postgres"]["primary"]["reserved_connections"] = 1
    assert message(inputs) == (
        "postgres.primary.reserved_connections: given 1, allowed: 0 on PostgreSQL 15 (since 16)"
    )


@pytest.mark.parametrize("value", [8, 8.0, "8", " 8 ", "8.0", "16/2"])
def test_numbers_from_inventories(value: Any) -> None:
    assert read_fleet(with_value("groups[0].processes", value)).groups[0].processes == 8


@pytest.mark.parametrize("value", [1.1, "1.1", "11/10"])
def test_decimals_are_exact(value: Any) -> None:
    assert read_fleet(with_value("groups[0].deploy_overlap", value)).groups[0].deploy_overlap == Fraction(
        11, 10
    )


def test_subclasses_and_any_mapping() -> None:
    """Ansible hands over tagged subclasses and lazy containers."""

    class Text(str):
        pass

    class Number(int):
        pass

    inputs = UserDict(
        groups=(UserDict({"name": Text("web"), "processes": Number(3)}),), pools=(UserDict(name=Text("app")),)
    )
    group = read_fleet(inputs).groups[0]
    assert (type(group.name), type(group.processes)) == (str, int)
    assert (group.name, group.processes) == ("web", 3)


def test_empty_sections_are_defaults() -> None:
    inputs = {
        "groups": [{"name": "web"}],
        "pools": [{"name": "app"}],
        "postgres": {"primary": None},
        "poolers": None,
    }
    assert read_fleet(inputs) == read_fleet({"groups": [{"name": "web"}], "pools": [{"name": "app"}]})


def test_not_a_mapping() -> None:
    assert "allowed: a mapping" in message("web")
