"""The table of PgBouncer's keys."""

from __future__ import annotations

import pytest
from ansible_collections.djangoops.pooling.plugins.module_utils._pgbouncer_keys import (
    DATABASES,
    PEERS,
    PGBOUNCER,
    USERS,
    VALUE_SINCE,
    Key,
)

TABLES = {"pgbouncer": PGBOUNCER, "databases": DATABASES, "users": USERS, "peers": PEERS}
KEYS = [
    pytest.param(name, key, id=f"{table}.{name}")
    for table, keys in TABLES.items()
    for name, key in keys.items()
]


def number(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))


def known_to(version: str) -> int:
    return sum(
        number(key.since) <= number(version) and not (key.removed and number(key.removed) <= number(version))
        for key in PGBOUNCER.values()
    )


# What SHOW CONFIG of these versions has as rows.
@pytest.mark.parametrize(
    ("version", "rows"), [("1.18.0", 84), ("1.24.1", 92), ("1.25.2", 98), ("1.26.1", 99)]
)
def test_the_number_of_settings(version: str, rows: int) -> None:
    assert known_to(version) == rows


def test_the_number_of_keys_elsewhere() -> None:
    assert (len(DATABASES), len(USERS), len(PEERS)) == (23, 10, 3)


def test_what_a_reload_ignores() -> None:
    assert [name for name, key in PGBOUNCER.items() if not key.reloadable] == [
        "disable_pqexec",
        "job_name",
        "listen_addr",
        "listen_backlog",
        "listen_port",
        "pidfile",
        "pkt_buf",
        "resolv_conf",
        "so_reuseport",
        "track_extra_parameters",
        "unix_socket_dir",
        "unix_socket_group",
        "unix_socket_mode",
        "user",
    ]


@pytest.mark.parametrize(("name", "key"), KEYS)
def test_a_line_makes_sense(name: str, key: Key) -> None:
    assert key.type in ("bool", "int", "duration", "mode", "enum", "list", "string")
    assert bool(key.values) == (key.type == "enum")
    assert key.unit in ("", "seconds", "milliseconds", "bytes")
    assert key.minimum < key.maximum
    assert number(key.since) >= (1, 0)


@pytest.mark.parametrize("table", TABLES.values(), ids=TABLES)
def test_the_order(table: dict[str, Key]) -> None:
    assert list(table) == sorted(table)


def test_other_names_are_keys() -> None:
    assert all(key.formerly in DATABASES for key in DATABASES.values() if key.formerly)
    assert all(value in PGBOUNCER[name].values for name, value in VALUE_SINCE)
