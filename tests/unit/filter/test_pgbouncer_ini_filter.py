"""The glue of the filter pgbouncer_ini."""

from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.djangoops.pooling.plugins.filter.pgbouncer_ini import FilterModule

pgbouncer_ini = FilterModule().filters()["pgbouncer_ini"]


def test_the_text() -> None:
    assert pgbouncer_ini({"settings": {"so_reuseport": True}}, "1.24.1") == "[pgbouncer]\nso_reuseport = 1\n"


def test_errors_begin_with_the_name() -> None:
    with pytest.raises(
        AnsibleFilterError, match=r"^djangoops\.pooling\.pgbouncer_ini: pgbouncer_settings\.x: "
    ):
        pgbouncer_ini({"settings": {"x": 1}}, version="1.24.1")
