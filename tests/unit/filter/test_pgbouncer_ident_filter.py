"""The glue of the filter pgbouncer_ident."""

from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.djangoops.pooling.plugins.filter.pgbouncer_ident import FilterModule

pgbouncer_ident = FilterModule().filters()["pgbouncer_ident"]


def test_the_text() -> None:
    assert pgbouncer_ident([{"map": "m", "system_user": "root", "user": "app"}]) == 'm "root" "app"\n'


def test_errors_begin_with_the_name() -> None:
    with pytest.raises(
        AnsibleFilterError, match=r"^djangoops\.pooling\.pgbouncer_ident: pgbouncer_ident\[0\]: "
    ):
        pgbouncer_ident([{"map": "m"}])
