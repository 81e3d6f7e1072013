"""The glue of the filter pgbouncer_config_differences."""

from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.djangoops.pooling.plugins.filter.pgbouncer_config_differences import FilterModule

pgbouncer_config_differences = FilterModule().filters()["pgbouncer_config_differences"]


def test_the_sentences() -> None:
    rows = [{"key": "listen_port", "value": "6432", "default": "6432"}]
    assert pgbouncer_config_differences({"listen_port": 6433}, rows) == [
        "listen_port: running 6432, wanted 6433"
    ]
    assert pgbouncer_config_differences({"listen_port": 6432}, rows) == []


def test_errors_begin_with_the_name() -> None:
    with pytest.raises(
        AnsibleFilterError,
        match=r"^djangoops\.pooling\.pgbouncer_config_differences: the rows of SHOW CONFIG",
    ):
        pgbouncer_config_differences({"listen_port": 6433}, show_config=[])
