"""The glue of the filter fleet."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.errors import AnsibleFilterError
from ansible.utils.display import Display
from ansible_collections.djangoops.pooling.plugins.filter.fleet import FilterModule

fleet = FilterModule().filters()["fleet"]

GROUPS = {"app": ["web1"], "pooler": ["pooler1"], "database": ["db1"]}
HOSTVARS: dict[str, dict[str, Any]] = {
    "web1": {"pooling_pools": [{"name": "app"}], "pooling_services": {"web": {"processes": 4}}},
    "pooler1": {},
    "db1": {"ansible_facts": {"processor_vcpus": 8, "processor_threads_per_core": 2, "memtotal_mb": 4096}},
}
FLEET = {
    "pools": [{"name": "app"}],
    "poolers": {"hosts": 1},
    "groups": [{"name": "web", "hosts": 1, "processes": 4, "conn_max_age": 60, "pools": ["app"]}],
    "postgres": {"primary": {"vcpus": 8, "threads_per_core": 2, "ram_mib": 4096}},
}


@pytest.fixture
def warnings(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What Ansible was asked to print as a warning."""
    said: list[str] = []
    monkeypatch.setattr(Display, "warning", lambda _self, message, *_more, **_options: said.append(message))
    return said


def test_the_fleet(warnings: list[str]) -> None:
    assert fleet(GROUPS, HOSTVARS) == FLEET
    assert warnings == []


def test_other_names_of_groups() -> None:
    groups = {"django": ["web1"], "bouncer": ["pooler1"], "pg": ["db1"]}
    assert fleet(groups, HOSTVARS, app="django", pooler="bouncer", database="pg") == FLEET


def test_missing_facts_are_warnings(warnings: list[str]) -> None:
    result = fleet(GROUPS, {**HOSTVARS, "db1": {}})
    assert result == {**FLEET, "postgres": {"primary": {}}}
    assert [warning.split(",")[0] for warning in warnings] == [
        "djangoops.pooling.fleet: host db1: number of CPUs unknown",
        "djangoops.pooling.fleet: host db1: memory unknown",
    ]


def test_errors_begin_with_the_name() -> None:
    with pytest.raises(
        AnsibleFilterError,
        match=r"^djangoops\.pooling\.fleet: the inventory has no host in group 'pooler'; add one",
    ):
        fleet({**GROUPS, "pooler": []}, HOSTVARS)
