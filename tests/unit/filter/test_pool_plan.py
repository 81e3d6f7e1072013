"""The glue of the filter pool_plan."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.djangoops.pooling.plugins.filter.pool_plan import FilterModule

pool_plan = FilterModule().filters()["pool_plan"]

FLEET: dict[str, Any] = {
    "groups": [{"name": "web", "hosts": 2, "processes": 4}],
    "pools": [{"name": "app"}],
    "postgres": {"primary": {"max_connections": 100}},
}


def test_the_plan() -> None:
    plan = pool_plan(FLEET)
    assert list(plan) == ["client_base", "client_peak", "timeouts", "servers", "instances", "warnings", "why"]
    assert plan["instances"]["central"]["pools"]["app"]["pool_size"] == 12


def test_without_a_pooler() -> None:
    assert pool_plan(FLEET, pooler=False) == {
        "servers": {"primary": {"client_peak": 12, "budget": 80, "headroom": 68}},
        "native_pool": {"web": {"min_size": 1, "max_size": 1}},
    }


def test_errors_begin_with_the_name_and_list_the_fixes() -> None:
    fleet = {**FLEET, "pool_mode": "session", "postgres": {"primary": {"max_connections": 14}}}
    with pytest.raises(AnsibleFilterError) as caught:
        pool_plan(fleet)
    assert str(caught.value) == (
        "djangoops.pooling.pool_plan: E_BUDGET: server primary: 12 pool + 0 auth + 0 direct + 3 reserved = 15 >"
        " max_connections 14; smallest change: pool_mode=transaction"
        " (fixes, smallest first: pool_mode=transaction; max_connections 14 -> 15)"
    )


def test_without_a_pooler_it_may_not_fit() -> None:
    with pytest.raises(
        AnsibleFilterError, match=r"^djangoops\.pooling\.pool_plan: E_DIRECT: .*strategy pgbouncer"
    ):
        pool_plan({**FLEET, "postgres": {"primary": {"max_connections": 14}}}, pooler=False)
