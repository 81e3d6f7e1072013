"""The glue of the filter pgbouncer_login_problems."""

from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.djangoops.pooling.plugins.filter.pgbouncer_login_problems import FilterModule

pgbouncer_login_problems = FilterModule().filters()["pgbouncer_login_problems"]


def test_the_problems() -> None:
    config = {
        "settings": {"auth_type": "hba"},
        "databases": {"app": {}},
        "users": {
            "web": {"password": "hunter2", "method": "md5"},
            "own": {"password": "x", "method": "plain"},
        },
        "plain_allowed": ["own"],
        "hba": [{"type": "local", "users": ["web"], "method": "scram-sha-256"}],
    }
    [problem] = pgbouncer_login_problems(config, "1.24.1")
    assert problem.startswith("pgbouncer_hba[0]: web: md5 hashes")


@pytest.mark.parametrize("changes", [{"users": {"app": "hunter2"}}, {"hba": ["x"]}, {"ident": [{}]}])
def test_errors_begin_with_the_name(changes: dict[str, object]) -> None:
    config = {"settings": {}, "databases": {}, **changes}
    with pytest.raises(
        AnsibleFilterError, match=r"^djangoops\.pooling\.pgbouncer_login_problems: "
    ) as caught:
        pgbouncer_login_problems(config, "1.24.1")
    assert "hunter2" not in str(caught.value)
