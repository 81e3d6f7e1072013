"""Sessions that nobody has planned are named, and refused when all together no longer fit."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.djangoops.pooling.plugins.module_utils._postgresql_sessions import session_budget
from hypothesis import given
from hypothesis import strategies as st


def row(
    role: str, count: int, application: str = "", superuser: bool = False, reserved: bool = False
) -> dict[str, Any]:
    """A row of sessions.sql."""
    result = {"role": role, "count": count, "application": application}
    return {**result, "superuser": superuser, "reserved": reserved}


def budget(
    rows: list[dict[str, Any]], expected: dict[str, Any], slots: int = 100, reserved: int = 0
) -> dict[str, list[str]]:
    return session_budget(rows, expected, max_connections=slots, superuser_reserved=3, reserved=reserved)


def test_what_is_planned_is_no_news() -> None:
    rows = [row("app", 20), row("postgres", 2, "psql", superuser=True), row("backup", 3)]
    assert budget(rows, {"roles": {"app": 20}, "others": 3}) == {"problems": [], "warnings": []}


def test_strangers_are_named_with_their_numbers() -> None:
    rows = [row("report", 4, "metabase"), row("backup", 1, "pg_dump"), row("app", 5)]
    result = budget(rows, {"roles": {"app": 20}})
    assert result["problems"] == []
    assert result["warnings"] == [
        "5 session(s) that nobody has planned: 4 of report (metabase), 1 of backup (pg_dump)"
    ]


def test_what_no_longer_fits_is_refused() -> None:
    rows = [row("report", 4)]
    assert budget(rows, {"roles": {"app": 20}, "others": 3}, slots=27)["problems"] == []
    (problem,) = budget(rows, {"roles": {"app": 20}, "others": 3}, slots=26)["problems"]
    assert (
        "23 expected sessions + 1 that nobody has planned + 3 reserved = 27 > max_connections 26" in problem
    )
    assert "raise max_connections to at least 27" in problem
    assert budget(rows, {"roles": {"app": 20}, "others": 3}, slots=27, reserved=1)["problems"]


def test_superusers_have_their_slots() -> None:
    """As many as are reserved take nothing from the others."""
    assert budget([row("postgres", 3, superuser=True)], {"roles": {}})["warnings"] == []
    assert budget([row("postgres", 5, superuser=True)], {"roles": {}})["warnings"][0].startswith(
        "2 session(s)"
    )


def test_roles_with_reserved_slots() -> None:
    """pg_use_reserved_connections: the same for reserved_connections."""
    assert budget([row("ops", 2, reserved=True)], {"roles": {}}, reserved=2)["warnings"] == []
    (warning,) = budget([row("ops", 3, reserved=True)], {"roles": {}}, reserved=2)["warnings"]
    assert warning.startswith("1 session(s)")


def test_an_application_before_it_moves_to_the_pool() -> None:
    """It may have more sessions than the plan gives it: a warning, no refusal."""
    result = budget([row("app", 80)], {"roles": {"app": 20}}, slots=100)
    assert result["problems"] == []
    assert "role app has 80 sessions, expected are 20" in result["warnings"][0]


@pytest.mark.parametrize(
    ("expected", "message"),
    [
        ({"role": {}}, "unknown key 'role'"),
        ({"others": -1}, "others: '-1'"),
        ({"roles": {"a": "5"}}, "roles.a: '5'"),
    ],
)
def test_bad_input(expected: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        budget([], expected)


@given(
    st.lists(st.tuples(st.sampled_from("abc"), st.integers(1, 9), st.booleans()), max_size=6),
    st.integers(1, 40),
)
def test_one_slot_more_never_hurts(rows: list[tuple[str, int, bool]], slots: int) -> None:
    seen = [row(name, count, superuser=superuser) for name, count, superuser in rows]
    expected = {"roles": {"a": 3}, "others": 2}
    if not budget(seen, expected, slots)["problems"]:
        assert not budget(seen, expected, slots + 1)["problems"]
