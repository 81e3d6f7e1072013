"""The glue of the filter pgbouncer_tls_files."""

from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.djangoops.pooling.plugins.filter.pgbouncer_tls_files import FilterModule

pgbouncer_tls_files = FilterModule().filters()["pgbouncer_tls_files"]


PEM = "-----BEGIN PRIVATE KEY-----\n"


def test_a_file() -> None:
    assert pgbouncer_tls_files({"client_tls_key_file": PEM}, "/tls", group="pooler") == {
        "client_tls_key_file": {
            "path": "/tls/client_tls_key.pem",
            "content": PEM,
            "mode": "0640",
            "secret": True,
            "group": "pooler",
        }
    }


def test_errors_begin_with_the_name() -> None:
    with pytest.raises(AnsibleFilterError, match=r"^djangoops\.pooling\.pgbouncer_tls_files: "):
        pgbouncer_tls_files({"key": PEM}, "/tls")
