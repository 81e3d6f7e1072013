"""Values as PostgreSQL reads them, and what is refused before anything is written."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest
from ansible_collections.djangoops.pooling.plugins.module_utils._postgresql_settings import (
    MEMORY,
    TIME,
    same,
    settings_check,
    to_boolean,
    to_number,
    to_text,
)
from hypothesis import given
from hypothesis import strategies as st


def row(name: str, setting: object, vartype: str, **more: Any) -> dict[str, Any]:
    """A row of pg_settings."""
    limits = {"min_val": None, "max_val": None, "unit": None, "enumvals": None, "context": "user"}
    return {"name": name, "setting": str(setting), "vartype": vartype, **limits, **more}


ROWS = [
    row("max_connections", 100, "integer", min_val="1", max_val="262143", context="postmaster"),
    row("superuser_reserved_connections", 3, "integer", min_val="0", max_val="262143", context="postmaster"),
    row("reserved_connections", 0, "integer", min_val="0", max_val="262143", context="postmaster"),
    row("work_mem", 4096, "integer", unit="kB", min_val="64", max_val="2147483647"),
    row(
        "shared_buffers",
        16384,
        "integer",
        unit="8kB",
        min_val="16",
        max_val="1073741823",
        context="postmaster",
    ),
    row("authentication_timeout", 60, "integer", unit="s", min_val="1", max_val="600", context="sighup"),
    row("hash_mem_multiplier", 2, "real", min_val="1", max_val="1000"),
    row("vacuum_cost_delay", 0, "real", unit="ms", min_val="0", max_val="100"),
    row("unix_socket_permissions", "0777", "integer", min_val="0", max_val="511", context="postmaster"),
    row("jit", "on", "bool"),
    row("listen_addresses", "localhost", "string", context="postmaster"),
    row("synchronous_commit", "on", "enum", enumvals=["local", "remote_write", "remote_apply", "on", "off"]),
    row("wal_level", "replica", "enum", enumvals=["minimal", "replica", "logical"], context="postmaster"),
    row("block_size", 8192, "integer", min_val="8192", max_val="8192", context="internal"),
]


def check(sessions: int = 0, **wanted: Any) -> dict[str, Any]:
    return settings_check(wanted, ROWS, version="17.6", sessions=sessions)


@pytest.mark.parametrize(
    ("text", "unit", "value"),
    [
        # each as SHOW, in the setting's own unit, answers on PostgreSQL 17
        ("64", "kB", 64),
        ("64MB", "kB", 65536),
        (" 64 MB ", "kB", 65536),
        ("1.5GB", "kB", 1572864),
        ("30.1GB", "kB", 31561728),  # rounded to whole MB
        ("1GB", "8kB", 131072),
        ("100kB", "8kB", 12),
        ("0.5kB", "kB", 0),
        ("512B", "kB", 0),
        ("2min", "s", 120),
        ("1.5min", "s", 90),
        ("1h", "min", 60),
        ("90s", "min", 2),  # half to even
        ("2s", "ms", 2000),
        ("500us", "ms", 0),
        ("1d", "s", 86400),
        ("0x10", None, 16),
        ("017", None, 15),
        ("1e3", None, 1000),
        ("2.", None, 2),
        ("-1", "kB", -1),
    ],
)
def test_whole_numbers(text: str, unit: str | None, value: int) -> None:
    assert to_number(text, unit, whole=True) == value


@pytest.mark.parametrize(
    ("text", "unit", "message"),
    [
        ("a lot", "kB", "is no number; it is in kB, or has one of the units B, kB, MB, GB, TB"),
        ("", None, "is no number"),
        ("08", None, "is no number"),
        ("1 000", None, "is no number"),
        ("64mb", "kB", "unknown unit.*case matters"),
        ("1s", "kB", "unknown unit"),
        ("10MB", None, "takes no unit"),
        ("10x", "s", "unknown unit; it is in s"),
    ],
)
def test_what_is_no_number(text: str, unit: str | None, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        to_number(text, unit, whole=True)


def test_real_numbers_keep_their_fraction() -> None:
    assert to_number("1.5", None, whole=False) == Fraction(3, 2)
    assert to_number("500us", "ms", whole=False) == Fraction(1, 2)
    assert to_number("010", None, whole=False) == 10


@given(
    st.integers(0, 10**9),
    st.sampled_from([*MEMORY, *TIME]),
    st.sampled_from(["kB", "8kB", "MB", "ms", "s", "min"]),
)
def test_a_larger_unit_is_never_less(number: int, unit: str, base: str) -> None:
    """Whole numbers: exact where they divide, else the nearest; the other kind of unit is refused."""
    of_memory = base.endswith("B")
    if (unit in MEMORY) != of_memory:
        with pytest.raises(ValueError, match="unknown unit"):
            to_number(f"{number}{unit}", base, whole=True)
        return
    units = MEMORY if of_memory else TIME
    size = 8 * 1024 if base == "8kB" else units[base]
    value = to_number(f"{number}{unit}", base, whole=True)
    assert abs(value - Fraction(number * units[unit], size)) <= Fraction(1, 2)


@given(st.fractions(0, 10**6, max_denominator=1000), st.sampled_from(["kB", "MB", "s", "min"]))
def test_reading_is_monotonic(number: Fraction, base: str) -> None:
    low, high = (f"{float(part):.6f}{base}" for part in (number, number + 1))
    assert to_number(low, base, whole=True) <= to_number(high, base, whole=True)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("on", True),
        ("ON", True),
        ("t", True),
        ("yes", True),
        ("1", True),
        ("of", False),
        ("n", False),
        ("0", False),
    ],
)
def test_booleans(text: str, value: bool) -> None:
    assert to_boolean(text) is value


@pytest.mark.parametrize("text", ["o", "", "maybe", "2", "tru e"])
def test_no_booleans(text: str) -> None:
    with pytest.raises(ValueError, match="neither on nor off"):
        to_boolean(text)


def test_texts() -> None:
    assert [to_text(value) for value in (True, False, 3, 0.9, "x", ["a", 1])] == [
        "on",
        "off",
        "3",
        "0.9",
        "x",
        "a, 1",
    ]
    with pytest.raises(ValueError, match="no value of a setting"):
        to_text({"a": 1})


def test_nothing_to_do() -> None:
    """The same values written in other ways."""
    result = check(
        work_mem="4MB", jit=True, hash_mem_multiplier=2.0, synchronous_commit=True, MAX_CONNECTIONS="1e2"
    )
    assert result["problems"] == result["changes"] == result["restart"] == []
    assert result["values"]["max_connections"] == "1e2"


def test_what_changes_and_what_needs_a_restart() -> None:
    result = check(max_connections=200, work_mem="64MB", shared_buffers="1GB", listen_addresses="*")
    assert result["problems"] == []
    assert result["changes"] == [
        "max_connections 100 -> 200",
        "work_mem 4096kB -> 64MB",
        "shared_buffers 131072kB -> 1GB",
        "listen_addresses localhost -> *",
    ]
    assert result["restart"] == ["max_connections", "shared_buffers", "listen_addresses"]
    assert (result["raised"], result["lowered"]) == (["max_connections"], [])
    assert check(max_connections=50)["lowered"] == ["max_connections"]


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        (
            {"work_memory": 1},
            "work_memory: PostgreSQL 17.6 does not know this setting; did you mean work_mem?",
        ),
        ({"zzz": 1}, "correct the name, or leave it out for this version"),
        ({"work_mem": "1kB"}, "work_mem: '1kB' is outside 64 to 2147483647 kB"),
        ({"work_mem": "a lot"}, "work_mem: 'a lot' is no number"),
        ({"hash_mem_multiplier": "0.5"}, "outside 1 to 1000"),
        ({"wal_level": "more"}, "wal_level: 'more' is none of minimal, replica, logical"),
        ({"jit": "maybe"}, "jit: 'maybe' is neither on nor off"),
        ({"block_size": 4096}, "block_size: cannot be set"),
        ({"max_connections": 3}, "3 is not more than the 3 of"),
        ({"max_connections": 20, "superuser_reserved_connections": 25}, "the server would not start"),
        ({"jit": {"a": 1}}, "no value of a setting"),
    ],
)
def test_problems(wanted: dict[str, Any], message: str) -> None:
    (problem,) = check(**wanted)["problems"]
    assert problem.startswith("postgresql_settings.")
    assert message in problem


def test_slots_in_use() -> None:
    """Lowering is refused below what is open and reserved; raising never is."""
    assert check(sessions=60, max_connections=63)["problems"] == []
    (problem,) = check(sessions=60, max_connections=62)["problems"]
    assert "62 is below the 60 sessions that are open now and the 3 reserved slots" in problem
    assert check(sessions=500, max_connections=101)["problems"] == []


def test_a_setting_of_an_extension_is_taken() -> None:
    wanted = {"pg_stat_statements.max": 1000}
    assert settings_check(wanted, ROWS)["values"] == {"pg_stat_statements.max": "1000"}


def test_same() -> None:
    assert same("4MB", ROWS[3]) and same(4096, ROWS[3]) and not same("5MB", ROWS[3])
    assert not same("a lot", ROWS[3])
