"""The glue of the filter plan_table."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.djangoops.pooling.plugins.filter.plan_table import FilterModule
from ansible_collections.djangoops.pooling.plugins.filter.pool_plan import pool_plan

plan_table = FilterModule().filters()["plan_table"]

FLEET = {"groups": [{"name": "web", "hosts": 2, "processes": 4}], "pools": [{"name": "app"}]}


def test_the_lines() -> None:
    lines = plan_table(pool_plan(FLEET), FLEET)
    assert lines[:3] == [
        "Client connections  hosts  processes  threads  CONN_MAX_AGE  pools",
        "web                     2          4        1           0 s",
        "  = 8 in steady state, 12 at most (during a deploy)",
    ]
    assert "Why" not in lines
    longer = plan_table(pool_plan(FLEET), FLEET, why=True)
    assert longer[: len(lines)] == lines
    assert longer[len(lines) :][:2] == ["", "Why"]


@pytest.mark.parametrize("plan", [None, "plan", [], {}, FLEET])
def test_errors_begin_with_the_name(plan: Any) -> None:
    with pytest.raises(
        AnsibleFilterError, match=r"^djangoops\.pooling\.plan_table: a plan of the filter pool_plan"
    ):
        plan_table(plan, FLEET)
