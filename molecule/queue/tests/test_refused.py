"""A fleet that cannot be planned is refused before anything is touched."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest


@pytest.mark.parametrize(
    ("change", "fix"),
    [
        ({"pooling_pool_mode": "session"}, "pool_mode=transaction"),
        ({"max_connections": 20}, "max_connections 20 -> 23"),
    ],
    ids=["session mode for 64 clients", "a server that is too small"],
)
def test_refused_plan_touches_nothing(
    change: dict[str, Any],
    fix: str,
    fleet: dict[str, Any],
    fleet_groups: dict[str, str],
    playbook: Callable[..., Any],
    state: Callable[[], list[str]],
) -> None:
    """The run fails with the reason and the smallest fix; files, services and roles are as they were."""
    if "max_connections" in change:
        change = {"pooling_postgres": fleet["postgres"]["primary"] | change}
    before = state()
    run = playbook(**{f"pooling_{role}_group": name for role, name in fleet_groups.items()}, **change)
    assert run.code != 0, run.output
    assert "E_BUDGET" in run.words, run.output
    assert fix in run.words, run.output
    assert state() == before
