"""The glue of the filter pgbouncer_userlist."""

from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.djangoops.pooling.plugins.filter.pgbouncer_userlist import FilterModule

pgbouncer_userlist = FilterModule().filters()["pgbouncer_userlist"]


def test_the_text() -> None:
    users = {"app": {"password": 'say "x"', "method": "plain"}}
    existing = '; a comment\n"gone" "secret"\nbroken'
    assert pgbouncer_userlist(users, existing, plain_allowed=["app"]) == '"app" "say ""x"""\n"gone" ""\n'


def test_a_second_run_changes_nothing() -> None:
    first = pgbouncer_userlist({"app": {"password": "pencil"}, "gone": ""}, iterations=10)
    second = pgbouncer_userlist({"app": {"password": "pencil"}}, first, iterations=10)
    assert second == first


@pytest.mark.parametrize(
    "users", [None, "app", [{"name": "app", "secret": "x"}], {"app": {}}, {"app": "hunter2"}]
)
def test_errors_begin_with_the_name_and_hide_the_secret(users: object) -> None:
    with pytest.raises(AnsibleFilterError, match=r"^djangoops\.pooling\.pgbouncer_userlist: ") as caught:
        pgbouncer_userlist(users)
    assert "hunter2" not in str(caught.value)
