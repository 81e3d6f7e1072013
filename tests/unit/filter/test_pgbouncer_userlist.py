"""The glue of the filter pgbouncer_userlist."""

from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.djangoops.pooling.plugins.filter.pgbouncer_userlist import FilterModule

pgbouncer_userlist = FilterModule().filters()["pgbouncer_userlist"]


def test_the_text() -> None:
    assert pgbouncer_userlist([{"name": "app", "secret": 'say "x"'}]) == '"app" "say ""x"""\n'


@pytest.mark.parametrize("users", [None, "app", {"name": "app", "secret": "x"}, [{"name": "app"}]])
def test_errors_begin_with_the_name(users: object) -> None:
    with pytest.raises(AnsibleFilterError, match=r"^djangoops\.pooling\.pgbouncer_userlist: "):
        pgbouncer_userlist(users)
