"""The glue of the filter choose_strategy."""

from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.djangoops.pooling.plugins.filter.choose_strategy import FilterModule

choose_strategy = FilterModule().filters()["choose_strategy"]


def test_the_strategy() -> None:
    groups = [{"name": "web", "hosts": 10, "processes": 8, "threads": 4, "deploy_overlap": 1}]
    assert choose_strategy({"groups": groups, "pools": [{"name": "app"}]}) == {
        "strategy": "pgbouncer",
        "reasons": ["peak client demand 320 > connection budget 80 (max_connections 100)"],
    }


def test_errors_begin_with_the_name() -> None:
    with pytest.raises(AnsibleFilterError, match=r"^djangoops\.pooling\.choose_strategy: E_RANGE: pools: "):
        choose_strategy({"groups": [{"name": "web"}]})
