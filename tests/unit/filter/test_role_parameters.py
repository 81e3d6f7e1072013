"""The glue of the filter role_parameters."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.djangoops.pooling.plugins.filter import fleet, pool_plan
from ansible_collections.djangoops.pooling.plugins.filter.role_parameters import FilterModule

role_parameters = FilterModule().filters()["role_parameters"]

GROUPS = {"django": ["web1"], "pooler": ["pooler1"], "database": ["db1"]}
HOSTVARS: dict[str, dict[str, Any]] = {
    host: {"ansible_facts": {"all_ipv4_addresses": [f"192.0.2.{number}"]}, "pooling_pools": [{"name": "app"}]}
    for number, host in enumerate(("web1", "pooler1", "db1"), 1)
}
HOSTVARS["web1"]["pooling_services"] = {"web": {"processes": 4}}
FLEET = fleet.fleet(GROUPS, HOSTVARS, app="django")
PLAN = pool_plan.pool_plan(FLEET)


@pytest.mark.parametrize(
    ("host", "roles"),
    [
        ("db1", ["postgresql", "verify"]),
        ("pooler1", ["pgbouncer", "verify"]),
        ("web1", ["django_settings", "verify"]),
    ],
)
def test_the_roles_of_a_host(host: str, roles: list[str]) -> None:
    assert list(role_parameters(PLAN, FLEET, host, GROUPS, HOSTVARS, app="django")) == roles


def test_errors_begin_with_the_name() -> None:
    unknown = {**HOSTVARS, "web1": {**HOSTVARS["web1"], "ansible_facts": {}}}
    with pytest.raises(
        AnsibleFilterError,
        match=r"^djangoops\.pooling\.role_parameters: host web1: its addresses are unknown",
    ):
        role_parameters(PLAN, FLEET, "db1", GROUPS, unknown, app="django")
