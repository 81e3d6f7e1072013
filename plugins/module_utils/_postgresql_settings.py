# Copyright: the djangoops.pooling authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Values of PostgreSQL's settings, read as its own guc.c reads them, and what they would change on a running server.

Private to this collection. The server's pg_settings says what there is: name, type, unit, range, choices and context.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any

# Largest first, as a value with a fraction is rounded to the next smaller unit. In bytes and in microseconds.
MEMORY = {"TB": 1024**4, "GB": 1024**3, "MB": 1024**2, "kB": 1024, "B": 1}
TIME = {"d": 86_400_000_000, "h": 3_600_000_000, "min": 60_000_000, "s": 1_000_000, "ms": 1000, "us": 1}
BOOLEANS = {
    "true": True,
    "yes": True,
    "on": True,
    "1": True,
    "false": False,
    "no": False,
    "off": False,
    "0": False,
}
# A standby replays nothing any more when its own value is below the primary's (PostgreSQL manual, 26.4.3).
STANDBY_AT_LEAST = (
    "max_connections",
    "max_worker_processes",
    "max_wal_senders",
    "max_prepared_transactions",
    "max_locks_per_transaction",
)
_NUMBER = re.compile(
    r"\s*(?P<sign>[+-]?)"
    r"(?:0[xX](?P<hex>[0-9a-fA-F]+)|(?P<octal>0[0-7]+)(?![.eE0-9])|(?P<decimal>(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,3})?))"
    r"\s*(?P<unit>[A-Za-z]*)\s*"
)


def to_text(value: Any) -> str:
    """A value from YAML as postgresql.conf has it: on and off, a list with commas, anything else as it is written."""
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return ", ".join(to_text(part) for part in value)
    if not isinstance(value, str | int | float):
        raise ValueError(f"'{value}' is no value of a setting; give text, a number, true, false or a list")
    return str(value)


def to_boolean(text: str) -> bool:
    """Any unambiguous beginning of true, false, yes, no, on, off, or 1, 0; case does not matter."""
    word = text.strip().lower()
    found = {BOOLEANS[full] for full in BOOLEANS if word and full.startswith(word)}
    if len(found) != 1:
        raise ValueError(f"'{text}' is neither on nor off")
    return found.pop()


def to_number(text: str, unit: str | None, *, whole: bool) -> Fraction:
    """The value in the setting's own unit (kB, 8kB, MB, ms, s, min, ...), which a number without a unit is in.

    Raises ValueError for what is no number, and for a unit that the setting does not take.
    """
    match = _NUMBER.fullmatch(text)
    # whole numbers are read as C does: 017 is octal, 08 is an error
    if match is None or (whole and re.fullmatch(r"0\d+", match["decimal"] or "")):
        raise ValueError(f"'{text}' is no number{_units_hint(unit)}")
    if match["hex"]:
        number = Fraction(int(match["hex"], 16))
    elif match["octal"]:
        number = Fraction(int(match["octal"], 8 if whole else 10))
    else:
        number = Fraction(match["decimal"].rstrip("."))
    if match["sign"] == "-":
        number = -number
    if match["unit"]:
        number = _converted(number, match["unit"], unit, text)
    return Fraction(round(number)) if whole else number


def _base(unit: str | None) -> tuple[dict[str, int], int] | None:
    """The units that a setting with this unit takes, and the size of its own."""
    match = re.fullmatch(r"(\d*)([A-Za-z]+)", unit or "")
    if match is None:
        return None
    for units in (MEMORY, TIME):
        if match[2] in units:
            return units, int(match[1] or 1) * units[match[2]]
    return None


def _units_hint(unit: str | None) -> str:
    base = _base(unit)
    return f"; it is in {unit}, or has one of the units {', '.join(reversed(base[0]))}" if base else ""


def _converted(number: Fraction, unit: str, base_unit: str | None, text: str) -> Fraction:
    base = _base(base_unit)
    if base is None:
        raise ValueError(f"'{text}': this setting takes no unit")
    units, size = base
    if unit not in units:
        raise ValueError(f"'{text}': unknown unit{_units_hint(base_unit)}; case matters")
    number = number * units[unit] / size
    smaller = list(units)[list(units).index(unit) + 1 :][:1]
    if smaller:
        step = Fraction(units[smaller[0]], size)
        number = round(number / step) * step
    return number


def read(text: str, row: Mapping[str, Any]) -> bool | Fraction | str:
    """The value that the server would take the text for, comparable with another read by the same row of pg_settings.

    Raises ValueError for what it would refuse by type, unit, range or choice.
    """
    kind = row["vartype"]
    if kind == "bool":
        return to_boolean(text)
    if kind in ("integer", "real"):
        number = to_number(text, row["unit"], whole=kind == "integer")
        low, high = Fraction(row["min_val"]), Fraction(row["max_val"])
        if not low <= number <= high:
            unit = f" {row['unit']}" if row["unit"] else ""
            raise ValueError(f"'{text}' is outside {row['min_val']} to {row['max_val']}{unit}")
        return number
    if kind == "enum":
        choices = list(row["enumvals"])
        word = text.lower()
        if word not in choices and {"on", "off"} <= set(choices) and word in BOOLEANS:
            word = "on" if BOOLEANS[word] else "off"
        if word not in choices:
            raise ValueError(f"'{text}' is none of {', '.join(choices)}")
        return word
    return text


def same(wanted: Any, row: Mapping[str, Any]) -> bool:
    """Whether the server runs with this value; False for a value that it would refuse."""
    try:
        return read(to_text(wanted), row) == read(str(row["setting"]), row)
    except ValueError:
        return False


def settings_check(
    wanted: Mapping[str, Any], rows: Sequence[Mapping[str, Any]], *, version: str = "", sessions: int = 0
) -> dict[str, Any]:
    """What is wrong with the wanted settings, and what they would change.

    rows are all rows of pg_settings with name, setting, unit, context, vartype, min_val, max_val, enumvals; sessions is
    how many clients are connected. Returns `problems` (sentences), `values` (name -> text for the file), `changes`
    (sentences), `differing` (their names), `restart` (those that need a restart), `by_sql` (those that ALTER DATABASE may
    set), `raised` and `lowered` (those of STANDBY_AT_LEAST).
    """
    known = {str(row["name"]).lower(): row for row in rows}
    result: dict[str, Any] = {
        "problems": [],
        "values": {},
        "changes": [],
        "differing": [],
        "restart": [],
        "by_sql": [],
        "raised": [],
        "lowered": [],
    }
    for given, value in wanted.items():
        name = str(given).lower()
        path = f"postgresql_settings.{given}"
        try:
            text = to_text(value)
            row = known.get(name)
            if row is None:
                _check_unknown(str(given), known, version)
            else:
                if row["context"] == "internal":
                    raise ValueError("cannot be set, it is how the server was built; leave it out")
                new, old = read(text, row), read(str(row["setting"]), row)
                if new != old:
                    result["changes"].append(f"{name} {_shown(row)} -> {text}")
                    result["differing"].append(name)
                    if row["context"] == "postmaster":
                        result["restart"].append(name)
                    if row["context"] == "user":
                        result["by_sql"].append(name)
                    if name in STANDBY_AT_LEAST:
                        assert isinstance(new, Fraction) and isinstance(old, Fraction)
                        result["raised" if new > old else "lowered"].append(name)
            result["values"][name] = text
        except ValueError as exc:
            result["problems"].append(f"{path}: {exc}")
    if not result["problems"]:
        result["problems"] = _slot_problems(result["values"], known, sessions)
    return result


def _shown(row: Mapping[str, Any]) -> str:
    unit = str(row["unit"] or "")
    match = re.fullmatch(r"(\d+)([A-Za-z]+)", unit)
    if match is None or not re.fullmatch(r"\d+", str(row["setting"])):
        return f"{row['setting']}{unit if row['setting'] not in ('0', '-1') else ''}"
    return f"{int(row['setting']) * int(match[1])}{match[2]}"


def _check_unknown(name: str, known: Mapping[str, Any], version: str) -> None:
    # A name with a dot belongs to an extension that may not be loaded; the server takes any.
    if re.fullmatch(r"[A-Za-z_][A-Za-z0-9_$]*(\.[A-Za-z_][A-Za-z0-9_$]*)+", name):
        return
    near = difflib.get_close_matches(name.lower(), known, 1)
    hint = f"did you mean {near[0]}?" if near else "correct the name, or leave it out for this version"
    raise ValueError(f"PostgreSQL {version} does not know this setting; {hint}")


def _slot_problems(
    values: Mapping[str, str], known: Mapping[str, Mapping[str, Any]], sessions: int
) -> list[str]:
    """max_connections against what is reserved and what is in use now: the server would not start, or drop clients."""

    def number(name: str) -> int:
        row = known.get(name)
        if row is None:  # reserved_connections before PostgreSQL 16
            return 0
        return int(to_number(values.get(name, str(row["setting"])), row["unit"], whole=True))

    if not {"max_connections", "superuser_reserved_connections", "reserved_connections"} & set(values):
        return []
    slots = number("max_connections")
    reserved = number("superuser_reserved_connections") + number("reserved_connections")
    if slots <= reserved:
        return [
            f"postgresql_settings.max_connections: {slots} is not more than the {reserved} of "
            f"superuser_reserved_connections and reserved_connections, and the server would not start; raise it to at "
            f"least {reserved + 1}"
        ]
    running = int(known["max_connections"]["setting"]) if "max_connections" in known else slots
    if slots < running and slots < sessions + reserved:
        return [
            f"postgresql_settings.max_connections: {slots} is below the {sessions} sessions that are open now and the "
            f"{reserved} reserved slots; end sessions first, or set at least {sessions + reserved}"
        ]
    return []
