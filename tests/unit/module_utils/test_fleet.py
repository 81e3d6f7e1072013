"""What a fleet is read from: groups, host variables and facts."""

from __future__ import annotations

from collections import UserDict
from typing import Any

import pytest
from ansible_collections.djangoops.pooling.plugins.module_utils._errors import SizingError
from ansible_collections.djangoops.pooling.plugins.module_utils._fleet import (
    Inventory,
    fleet,
    local_instances,
    services,
)
from ansible_collections.djangoops.pooling.plugins.module_utils._sizing import plan
from fleet_inventory import ALL, GROUPS, HOSTS, hostvars, inventory
from hypothesis import given
from hypothesis import strategies as st

WEB = {"processes": 4, "threads": 2}
FACTS = {"processor_vcpus": 16, "processor_threads_per_core": 2, "memtotal_mb": 64000}


def refusal(*args: Any, **hosts: Any) -> str:
    with pytest.raises(ValueError) as caught:
        fleet(inventory(*args, **hosts))
    return str(caught.value)


def groups_of(read: Inventory) -> dict[str, dict[str, Any]]:
    return {group["name"]: group for group in fleet(read)[0]["groups"]}


def test_the_whole_fleet() -> None:
    result, warnings = fleet(inventory())
    assert warnings == []
    assert result == {
        "pools": ALL["pooling_pools"],
        "poolers": {"hosts": 1},
        "groups": [{"name": "web", "hosts": 2, **WEB, "conn_max_age": 60, "pools": ["app"]}],
        "postgres": {"primary": HOSTS["db1"]["pooling_postgres"]},
    }
    assert plan(result)["client_base"] == 2 * 4 * 2


def test_another_app_host_is_planned_for() -> None:
    more = inventory({"app": ["app1", "app2", "app3"]}, app3=HOSTS["app1"])
    assert groups_of(more)["web"]["hosts"] == 3
    assert plan(fleet(more)[0])["client_base"] == 24


def test_another_pooler_host_is_counted() -> None:
    read = inventory({"pooler": ["pooler1", "pooler2"]}, pooler2={})
    assert fleet(read)[0]["poolers"] == {"hosts": 2}


@given(st.lists(st.tuples(st.integers(1, 3), st.integers(1, 2)), min_size=1, max_size=6))
def test_hosts_with_equal_services_are_one_group(numbers: list[tuple[int, int]]) -> None:
    """Names are unique, hosts are all counted, and the clients are those of each host alone."""
    hosts = {
        f"host{index}": {"pooling_services": {"web": {"processes": processes, "threads": threads}}}
        for index, (processes, threads) in enumerate(numbers)
    }
    result, _warnings = fleet(inventory({"app": list(hosts)}, **hosts))
    assert len(result["groups"]) == len(set(numbers))
    assert len({group["name"] for group in result["groups"]}) == len(result["groups"])
    assert sum(group["hosts"] for group in result["groups"]) == len(numbers)
    assert plan(result)["client_base"] == sum(processes * threads for processes, threads in numbers)


def test_hosts_with_different_numbers_are_different_groups() -> None:
    read = inventory(app2={"pooling_services": {"web": {"processes": 8}}})
    assert {name: group["processes"] for name, group in groups_of(read).items()} == {"web": 4, "web@app2": 8}


def test_a_host_with_several_services() -> None:
    beat = {"interface": "script", "databases": {"default": "jobs"}}
    worker = {"interface": "celery", "processes": 3}
    read = inventory(
        shared={"pooling_pools": [{"name": "app"}, {"name": "jobs"}]},
        app1={"pooling_services": {"web": WEB, "worker": worker, "beat": beat}},
    )
    result = groups_of(read)
    assert {name: group["hosts"] for name, group in result.items()} == {"web": 2, "worker": 1, "beat": 1}
    assert {name: group["conn_max_age"] for name, group in result.items()} == {
        "web": 60,
        "worker": 60,
        "beat": 0,
    }
    assert result["beat"]["pools"] == ["jobs"]
    assert "databases" not in result["beat"]


@pytest.mark.parametrize(
    ("service", "age"),
    [
        ({}, 60),
        ({"interface": "celery"}, 60),
        ({"interface": "asgi", "concurrency": 9}, 0),
        ({"interface": "gevent", "concurrency": 9}, 0),
        ({"interface": "script"}, 0),
        ({"native_pool": False}, 60),
        ({"native_pool": True}, None),
        ({"native_pool": {}}, None),
        ({"conn_max_age": 0}, 0),
        ({"conn_max_age": 300}, 300),
    ],
)
def test_conn_max_age_follows_the_interface_unless_declared(service: dict[str, Any], age: int | None) -> None:
    read = inventory(app1={"pooling_services": {"web": service}})
    assert services(read, "app1")["web"].get("conn_max_age") == age
    plan(fleet(read)[0])


def test_each_alias_counts() -> None:
    both = {"web": {**WEB, "databases": {"default": "app", "other": "app"}}}
    read = inventory(app1={"pooling_services": both}, app2={"pooling_services": both})
    assert groups_of(read)["web"]["pools"] == ["app", "app"]
    assert plan(fleet(read)[0])["client_base"] == 2 * 2 * 4 * 2


@pytest.mark.parametrize("key", ["pool_mode", "targets", "timeouts"])
def test_what_is_declared_for_the_whole_fleet(key: str) -> None:
    value: dict[str, Any] = {"pool_mode": "session", "targets": {"alert": 1}, "timeouts": {}}
    assert key not in fleet(inventory())[0]
    assert fleet(inventory(shared={f"pooling_{key}": value[key]}))[0][key] == value[key]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("pooling_pool_mode", "session"),
        ("pooling_pools", [{"name": "other"}]),
        ("pooling_targets", {"alert": 1}),
    ],
)
def test_hosts_may_not_contradict_each_other(name: str, value: Any) -> None:
    before = ALL.get(name, "transaction" if name == "pooling_pool_mode" else {"alert": 0.5})
    assert refusal(shared={name: before}, pooler1={name: value}) == (
        f"{name} differs between app1 and pooler1; declare it once, in group_vars/all"
    )


def test_what_only_some_hosts_declare_counts() -> None:
    assert fleet(inventory(db1={"pooling_pool_mode": "session"}))[0]["pool_mode"] == "session"


def test_poolers_may_not_contradict_each_other() -> None:
    poolers = {"pooler1": {"pooling_poolers": {"skew": 2}}, "pooler2": {}}
    assert refusal({"pooler": ["pooler1", "pooler2"]}, **poolers).startswith(
        "pooling_poolers differs between pooler1 and pooler2"
    )


@pytest.mark.parametrize("value", [{"hosts": 2}, "central", ["central"]])
def test_the_hosts_of_the_poolers_are_not_declared(value: Any) -> None:
    assert refusal(pooler1={"pooling_poolers": value}).startswith(
        "host pooler1: pooling_poolers is a mapping; its hosts are the group's"
    )


@pytest.mark.parametrize("group", ["app", "pooler", "database"])
@pytest.mark.parametrize("absent", [False, True])
def test_an_empty_or_absent_group(group: str, absent: bool) -> None:
    groups = {name: hosts for name, hosts in GROUPS.items() if name != group or not absent}
    if not absent:
        groups[group] = []
    with pytest.raises(ValueError, match=f"^the inventory has no host in group '{group}'; add one"):
        fleet(Inventory(groups, hostvars()))


def test_other_group_names() -> None:
    renamed = {"django": ["app1", "app2"], "bouncers": ["pooler1"], "pg": ["db1"]}
    read = Inventory(renamed, hostvars(), app="django", pooler="bouncers", database="pg")
    assert fleet(read) == fleet(inventory())
    with pytest.raises(ValueError, match="no host in group 'app'"):
        fleet(Inventory(renamed, hostvars()))


@pytest.mark.parametrize(
    ("value", "start"),
    [
        (None, "host app1: pooling_services is missing"),
        ({}, "host app1: pooling_services is missing"),
        (["web"], "host app1: pooling_services is missing"),
        ({"web": 8}, "host app1: pooling_services.web: a mapping is expected"),
        ({"web": None}, "host app1: pooling_services.web: a mapping is expected"),
        (
            {"web": {"procesess": 8}},
            "host app1: pooling_services.web: unknown key 'procesess'; did you mean processes?",
        ),
        ({"web": {"hosts": 8}}, "host app1: pooling_services.web: unknown key 'hosts'; "),
        ({"web": {"zzz": 8}}, "host app1: pooling_services.web: unknown key 'zzz'; known are burst_factor, "),
        ({"web": {"databases": "app"}}, "host app1: pooling_services.web.databases: a mapping of Django's"),
        ({"web": {"databases": {}}}, "host app1: pooling_services.web.databases: a mapping of Django's"),
        (
            {"web": {"databases": {"default": "jobs"}}},
            "host app1: pooling_services.web.databases.default: there is no pool 'jobs' in pooling_pools (app)",
        ),
        (
            {"web": {"databases": {"default": ["app"]}}},
            "host app1: pooling_services.web.databases.default: there is no pool",
        ),
    ],
)
def test_services_that_are_refused(value: Any, start: str) -> None:
    assert refusal(app1={"pooling_services": value}).startswith(start)


@pytest.mark.parametrize("value", [None, [], {}, {"name": "app"}, "app", 3])
def test_pools_have_to_be_a_list(value: Any) -> None:
    assert refusal(shared={"pooling_pools": value}).startswith("pooling_pools: a list with at least one pool")


@pytest.mark.parametrize("value", ["app", None, {}, {"database": "app"}, {"name": ""}])
def test_a_pool_has_a_name(value: Any) -> None:
    assert refusal(shared={"pooling_pools": [{"name": "app"}, value]}).startswith(
        "pooling_pools[1]: a mapping with a name is expected"
    )


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({"name": "app"}, {"name": "app"}),
        ({"name": "app"}, {"name": "again", "database": "app"}),
        ({"name": "app", "user": "app"}, {"name": "again", "database": "app", "server": "primary"}),
        ({"name": "app", "database": None}, {"name": "again", "database": "app", "user": None}),
    ],
)
def test_a_pool_declared_twice(first: dict[str, Any], second: dict[str, Any]) -> None:
    assert refusal(shared={"pooling_pools": [first, second]}) == (
        "pooling_pools[1]: database 'app' and user 'app' on server 'primary' are declared twice, first in "
        "pooling_pools[0]; share that pool: several aliases may name the same pool"
    )


@pytest.mark.parametrize("change", [{"database": "log"}, {"user": "jobs"}, {"server": "replica"}])
def test_pools_that_differ_in_one_of_the_three(change: dict[str, Any]) -> None:
    pools = [{"name": "app"}, {"name": "second", "database": "app", **change}]
    assert fleet(inventory(shared={"pooling_pools": pools}))[0]["pools"] == pools


def test_a_name_used_twice_is_refused_by_the_plan() -> None:
    pools = [{"name": "app"}, {"name": "app", "database": "log"}]
    with pytest.raises(
        SizingError, match=r"pools\[1\]\.name: given 'app', allowed: a name that is used once"
    ):
        plan(fleet(inventory(shared={"pooling_pools": pools}))[0])


def test_facts_fill_in_what_is_not_declared() -> None:
    result, warnings = fleet(inventory(db1={"pooling_postgres": None, "ansible_facts": FACTS}))
    assert warnings == []
    assert result["postgres"] == {"primary": {"vcpus": 16, "threads_per_core": 2, "ram_mib": 64000}}
    assert plan(result)["servers"]["primary"]["target_connections"] == 17


@pytest.mark.parametrize(
    ("declared", "expected"),
    [
        ({"cores": 4}, {"cores": 4, "ram_mib": 64000}),
        ({"vcpus": 4, "threads_per_core": 1}, {"vcpus": 4, "threads_per_core": 1, "ram_mib": 64000}),
        ({"ram_mib": 1024}, {"vcpus": 16, "threads_per_core": 2, "ram_mib": 1024}),
        ({"threads_per_core": 1}, {"vcpus": 16, "threads_per_core": 1, "ram_mib": 64000}),
        (
            {"cores": None, "ram_mib": None, "threads_per_core": None},
            {"cores": None, "vcpus": 16, "threads_per_core": 2, "ram_mib": 64000},
        ),
    ],
)
def test_declared_values_win_over_facts(declared: dict[str, Any], expected: dict[str, Any]) -> None:
    result, warnings = fleet(inventory(db1={"pooling_postgres": declared, "ansible_facts": FACTS}))
    assert result["postgres"]["primary"] == expected
    assert warnings == []
    plan(result)


CPU = "host db1: number of CPUs unknown, so 20 connections are planned for each pool."
RAM = "host db1: memory unknown, so the plan says nothing about it."


@pytest.mark.parametrize(
    ("declared", "facts", "starts"),
    [
        (None, None, [CPU, RAM]),
        (None, {}, [CPU, RAM]),
        ({}, {"memtotal_mb": 64000}, [CPU]),
        ({"cores": None}, {}, [CPU, RAM]),
        ({"cores": 8}, None, [RAM]),
        ({"vcpus": 8}, None, [RAM]),
        ({"target_connections": 9}, None, [RAM]),
        ({"usl": [0.02, 0.0005]}, None, [RAM]),
        ({"ram_mib": 1024}, None, [CPU]),
        # what Ansible reports where it cannot tell
        ({}, {"processor_vcpus": 0, "memtotal_mb": 0}, [CPU, RAM]),
        ({}, {"processor_vcpus": 4, "memtotal_mb": 64000, "processor_threads_per_core": None}, []),
    ],
)
def test_missing_facts_are_said_and_the_plan_is_made(
    declared: dict[str, Any] | None, facts: dict[str, Any] | None, starts: list[str]
) -> None:
    result, warnings = fleet(inventory(db1={"pooling_postgres": declared, "ansible_facts": facts}))
    assert [warning.split(" Gather facts, or declare ")[0] for warning in warnings] == starts
    primary = plan(result)["servers"]["primary"]
    if CPU in starts:
        assert primary["target_connections"] == 20
    if RAM in starts:
        assert primary["memory"] is None


def test_postgres_is_a_mapping() -> None:
    assert refusal(db1={"pooling_postgres": "big"}).startswith("host db1: pooling_postgres is a mapping")


def test_several_database_hosts_have_names() -> None:
    pools = [{"name": "app"}, {"name": "ro", "database": "app", "server": "replica"}]
    read = inventory(
        {"database": ["db1", "db2"]},
        {"pooling_pools": pools},
        db1={"pooling_server": "primary"},
        db2={"pooling_server": "replica", "pooling_postgres": {"cores": 2}},
    )
    assert list(fleet(read)[0]["postgres"]) == ["primary", "replica"]


def test_several_database_hosts_without_names() -> None:
    message = "host db1: with several hosts in group 'database' each needs pooling_server"
    assert refusal({"database": ["db1", "db2"]}, db2={}).startswith(message)


def test_several_database_hosts_with_one_name() -> None:
    named = {"pooling_server": "primary"}
    assert refusal({"database": ["db1", "db2"]}, db1=named, db2=named) == (
        "host db2: pooling_server 'primary' is taken by another host"
    )


def test_a_single_database_host_may_have_a_name() -> None:
    assert list(fleet(inventory(db1={"pooling_server": "main"}))[0]["postgres"]) == ["main"]


def test_a_variable_without_a_value_is_not_declared() -> None:
    """As `pooling_address:` with nothing behind it; 'None' is no address."""
    read = Inventory(GROUPS, {"db1": {"pooling_address": None, "pooling_server": None}})
    assert (read.address("db1"), read.server("db1")) == ("db1", "primary")


LOCAL = {"pooling_poolers": {"placement": "local"}}
SIDE_BY_SIDE = {"pooler": ["app1", "app2"]}


def test_local_placement_has_an_instance_for_each_set_of_services() -> None:
    groups = {"app": ["app1", "app2", "app3"], "pooler": ["app1", "app2", "app3"]}
    both = {"pooling_services": {"web": WEB, "worker": {"interface": "celery"}}}
    read = inventory(groups, LOCAL, app3=both)
    assert local_instances(read) == {"app1": "web", "app2": "web", "app3": "web+worker"}
    result = plan(fleet(read)[0])
    assert {name: instance["hosts"] for name, instance in result["instances"].items()} == {
        "web": 2,
        "web+worker": 1,
    }


def test_local_placement_tells_equal_names_with_different_numbers_apart() -> None:
    read = inventory(SIDE_BY_SIDE, LOCAL, app2={"pooling_services": {"web": {"processes": 8}}})
    assert local_instances(read) == {"app1": "web", "app2": "web@app2"}
    assert set(plan(fleet(read)[0])["instances"]) == {"web", "web@app2"}


def test_a_declared_host_group_names_the_instance() -> None:
    front = {"pooling_services": {"web": {**WEB, "host_group": "front"}}}
    assert local_instances(inventory(SIDE_BY_SIDE, LOCAL, app1=front, app2=front)) == {
        "app1": "front",
        "app2": "front",
    }


def test_a_host_is_in_one_host_group() -> None:
    split = {"web": {"host_group": "front"}, "worker": {"host_group": "back"}}
    assert refusal(SIDE_BY_SIDE, LOCAL, app1={"pooling_services": split}) == (
        "host app1: its services name several host groups: back, front"
    )


@pytest.mark.parametrize(("poolers", "alone"), [(["pooler1"], "app1, app2, pooler1"), (["app1"], "app2")])
def test_local_placement_wants_a_pooler_on_each_app_host(poolers: list[str], alone: str) -> None:
    """127.0.0.1 in Django's settings would be nobody otherwise."""
    assert refusal({"pooler": poolers}, LOCAL).endswith(f"only in one of the groups: {alone}")


def test_each_variable_of_a_host_is_looked_up_once() -> None:
    """Ansible templates a host's variables at every look: 200 hosts would take minutes."""
    looks: list[tuple[str, str]] = []

    class Variables(UserDict[str, Any]):
        def __init__(self, host: str, values: dict[str, Any]) -> None:
            super().__init__(values)
            self.host = host

        def get(self, key: str, default: Any = None) -> Any:
            looks.append((self.host, key))
            return super().get(key, default)

    fleet(Inventory(GROUPS, {host: Variables(host, values) for host, values in hostvars().items()}))
    assert len(looks) == len(set(looks))
