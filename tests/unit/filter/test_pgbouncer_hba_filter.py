"""The glue of the filter pgbouncer_hba."""

from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.djangoops.pooling.plugins.filter.pgbouncer_hba import FilterModule

pgbouncer_hba = FilterModule().filters()["pgbouncer_hba"]


def test_the_text() -> None:
    rules = [{"type": "local", "method": "peer", "map": "m"}]
    maps = [{"map": "m", "system_user": "root", "user": "app"}]
    assert pgbouncer_hba(rules, "1.24.1", ident=maps) == "local all all peer map=m\n"


def test_errors_begin_with_the_name() -> None:
    with pytest.raises(AnsibleFilterError, match=r"^djangoops\.pooling\.pgbouncer_hba: pgbouncer_hba\[0\]: "):
        pgbouncer_hba([{"type": "local"}], "1.24.1")
