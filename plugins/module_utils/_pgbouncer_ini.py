# Copyright: the djangoops.pooling authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""pgbouncer.ini: write it for one version of PgBouncer, and compare it with what a process runs with.

Private to this collection. Messages name the role variable, and never contain a credential.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal

from ansible_collections.djangoops.pooling.plugins.module_utils._pgbouncer_keys import (
    DATABASES,
    PEERS,
    PGBOUNCER,
    USERS,
    VALUE_SINCE,
    Key,
)
from ansible_collections.djangoops.pooling.plugins.module_utils._versions import is_older

_VARIABLES = {
    "databases": "pgbouncer_databases",
    "users": "pgbouncer_user_settings",
    "peers": "pgbouncer_peers",
    "settings": "pgbouncer_settings",
}
_TABLES = {"databases": DATABASES, "users": USERS, "peers": PEERS, "settings": PGBOUNCER}
_BARE_NAME = re.compile(r"[A-Za-z0-9_.*-]+")
_BARE_VALUE = re.compile(r"[A-Za-z0-9_.:/,-]+")
_QUOTED_NAMES_SINCE = "1.25.0"
_NAME_LIMITS = {"databases": 63, "users": 127}  # bytes
_PEER_ID_LIMIT = 16383

# A leading zero is refused because PgBouncer reads such a number as octal.
_QUANTITY = re.compile(r"(?P<number>(?:0|[1-9][0-9]*)(?:\.[0-9]+)?) ?(?P<unit>[a-z]*)")
_FACTORS = {
    "": {"": "1"},
    "seconds": {"": "1", "ms": "0.001", "s": "1", "min": "60", "h": "3600", "d": "86400"},
    "milliseconds": {"": "1", "ms": "1", "s": "1000", "min": "60000", "h": "3600000"},
    "bytes": {"": "1", "b": "1", "kb": "1024", "mb": "1048576", "gb": "1073741824"},
}
_UNIT_HINTS = {
    "": "",
    "seconds": ", in seconds, or text with a unit such as 500ms, 10s, 5min, 1h, 1d",
    "milliseconds": ", in milliseconds, or text with a unit such as 500ms, 10s, 5min",
    "bytes": ", in bytes, or text with a unit such as 8kB, 1MB",
}
_BOOLEANS = {"1": "1", "yes": "1", "true": "1", "on": "1", "0": "0", "no": "0", "false": "0", "off": "0"}

_TLS = ("allow", "prefer", "require", "verify-ca", "verify-full")
# With one of these values, PgBouncer does not start or lets nobody in, unless the other keys are set.
_NEEDS = (
    ("client_tls_sslmode", _TLS, ("client_tls_cert_file", "client_tls_key_file")),
    ("client_tls_sslmode", ("verify-ca", "verify-full"), ("client_tls_ca_file",)),
    ("server_tls_sslmode", ("verify-ca", "verify-full"), ("server_tls_ca_file",)),
    ("auth_type", ("hba",), ("auth_hba_file",)),
)
# These may come from the command line, so a running value says nothing about a line that was removed.
_COMMAND_LINE = ("conffile", "user")


# One value


def _shown(value: object) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return repr(str(value))
    return str(value) if isinstance(value, (int, float)) else "a mapping or list"


def _line(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError("text is expected (quote it in YAML)")
    if any(char in value for char in "\0\r\n"):
        raise ValueError("text on one line is expected (in YAML, >- joins lines)")
    return str(value)


def _amount(value: object, unit: str) -> Decimal | None:
    if not isinstance(value, (int, float, str)):
        return None
    # Booleans are numbers to Python, but their text is none.
    match = _QUANTITY.fullmatch(str(value).lower())
    factor = _FACTORS[unit].get(match["unit"]) if match else None
    return Decimal(match["number"]) * Decimal(factor) if match and factor else None


def _int(value: object, key: Key) -> str:
    amount = _amount(value, key.unit)
    if amount is None or amount % 1 or not key.minimum <= amount <= key.maximum:
        hint = _UNIT_HINTS[key.unit]
        raise ValueError(f"a whole number from {key.minimum} to {key.maximum} is expected{hint}")
    return str(int(amount))


def _duration(value: object, key: Key) -> str:
    amount = _amount(value, "seconds")
    if amount is None or not key.minimum <= amount <= key.maximum:
        hint = _UNIT_HINTS["seconds"]
        raise ValueError(f"a number from {key.minimum} to {key.maximum} is expected{hint}")
    return f"{amount.normalize():f}"


def _mode(value: object, key: Key) -> str:
    if isinstance(value, str) and re.fullmatch(r"0?[0-7]{3}", value):
        return f"0{value[-3:]}"
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= 0o777:
        return f"{value:04o}"
    raise ValueError('a file mode is expected, as text such as "0770"')


def _bool(value: object, key: Key) -> str:
    if isinstance(value, (int, str)) and (text := _BOOLEANS.get(str(value).lower())):
        return text
    raise ValueError("true or false is expected")


def _enum(value: object, key: Key) -> str:
    if isinstance(value, str) and value.lower() in key.values:
        return value.lower()
    raise ValueError(f"one of {', '.join(key.values)} is expected")


def _list(value: object, key: Key) -> str:
    if isinstance(value, str):
        return ",".join(item for part in _line(value).split(",") if (item := part.strip()))
    if not isinstance(value, Sequence):
        raise ValueError("a list is expected")
    items = [_line(item).strip() for item in value]
    if any(not item or "," in item for item in items):
        raise ValueError("a list of texts is expected, none of them empty or with a comma")
    return ",".join(items)


def _string(value: object, key: Key) -> str:
    text = _line(value)
    if text in key.invalid:
        raise ValueError("this value is reserved")
    return text


_CONVERTERS: dict[str, Callable[[object, Key], str]] = {
    "bool": _bool,
    "duration": _duration,
    "enum": _enum,
    "int": _int,
    "list": _list,
    "mode": _mode,
    "string": _string,
}


def _text(path: str, key: Key, value: object) -> str:
    """The value as PgBouncer reads it."""
    try:
        text = _CONVERTERS[key.type](value, key)
    except ValueError as exc:
        given = "the given value" if key.secret else _shown(value)
        note = f"; {key.note}" if key.note else ""
        raise ValueError(f"{path}: {given} is not possible: {exc}{note}") from None
    if not text and key.sticky_on_removal:
        raise ValueError(f"{path}: an empty value is not possible: leave the key out")
    return text


def _key(path: str, name: object, keys: Mapping[str, Key]) -> Key:
    if isinstance(name, str) and name in keys:
        return keys[name]
    near = difflib.get_close_matches(str(name), keys, n=1, cutoff=0)[0]
    others = [_VARIABLES[section] for section, table in _TABLES.items() if name in table]
    what = f"PgBouncer has this key only in {', '.join(others)}" if others else "no PgBouncer has this key"
    raise ValueError(f"{path}: {what}; the nearest one here is {near}, since {keys[near].since}")


def _texts(path: str, keys: Mapping[str, Key], values: object) -> dict[str, str]:
    if not isinstance(values, Mapping):
        raise ValueError(f"{path}: a mapping of settings is expected")
    return {
        str(name): _text(f"{path}.{name}", _key(f"{path}.{name}", name, keys), value)
        for name, value in values.items()
    }


def texts(settings: object) -> dict[str, str]:
    """The settings of [pgbouncer] as PgBouncer reads them, in every version that has them."""
    return _texts(_VARIABLES["settings"], PGBOUNCER, settings)


# One version


def _known_as(path: str, name: str, text: str, key: Key, version: str) -> str:
    """The key's name in this version."""
    if key.removed and not is_older(version, key.removed):
        raise ValueError(f"{path}: PgBouncer {key.removed} removed this key; installed is {version}")
    value_since = VALUE_SINCE.get((name, text), key.since)
    if not is_older(version, key.since) and not is_older(version, value_since):
        return name
    if key.formerly:
        return key.formerly
    what = "this key" if value_since == key.since else text
    raise ValueError(f"{path}: {what} came with PgBouncer {value_since}; installed is {version}")


def _supported(path: str, keys: Mapping[str, Key], values: object, version: str) -> dict[str, str]:
    """The settings under the names this version has for them."""
    texts = _texts(path, keys, values)
    for name in texts:
        if keys[name].formerly in texts:
            raise ValueError(f"{path}.{name}: {keys[name].formerly} is the same setting; give one of them")
    return {
        _known_as(f"{path}.{name}", name, text, keys[name], version): text for name, text in texts.items()
    }


# One entry of [databases], [users] or [peers]


def _peer_name(path: str, name: str) -> str:
    if not re.fullmatch(r"[1-9][0-9]*", name) or int(name) > _PEER_ID_LIMIT:
        raise ValueError(
            f"{path}: a whole number from 1 to {_PEER_ID_LIMIT}, the peer_id, is expected as name"
        )
    return name


def _entry_name(path: str, section: str, name: str, version: str) -> str:
    if section == "peers":
        return _peer_name(path, name)
    limit = _NAME_LIMITS[section]
    if not name or len(name.encode("utf-8", "replace")) > limit or any(char in name for char in "\0\r\n"):
        raise ValueError(f"{path}: a name of 1 to {limit} bytes on one line is expected")
    if section == "databases" and name == "pgbouncer":
        raise ValueError(f"{path}: the name is reserved for PgBouncer's console")
    if _BARE_NAME.fullmatch(name):
        return name
    remedy = "; choose another one and put the real name into dbname" if section == "databases" else ""
    if "'" in name:
        raise ValueError(f"{path}: no version of PgBouncer reads a name with a single quote{remedy}")
    if is_older(version, _QUOTED_NAMES_SINCE):
        raise ValueError(
            f"{path}: a name with characters other than A-Z a-z 0-9 _ . * - needs PgBouncer "
            f"{_QUOTED_NAMES_SINCE}, installed is {version}{remedy}"
        )
    return _quoted(name)


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _connect_string(path: str, values: Mapping[str, str]) -> str:
    for name, text in values.items():
        if not text:
            raise ValueError(f"{path}.{name}: an empty value is not possible: leave the key out")
    return " ".join(
        f"{name}={text if _BARE_VALUE.fullmatch(text) else _quoted(text)}" for name, text in values.items()
    )


def _entries(section: str, keys: Mapping[str, Key], entries: object, version: str) -> list[str]:
    variable = _VARIABLES[section]
    if not isinstance(entries, Mapping):
        raise ValueError(f"{variable}: a mapping of names to settings is expected")
    lines: dict[str, str] = {}
    for given_name, values in entries.items():
        path = f"{variable}.{given_name}"
        name = _entry_name(path, section, str(given_name), version)
        if name in lines:
            raise ValueError(f"{path}: declared twice")
        supported = _supported(path, keys, values, version)
        if section == "peers" and "host" not in supported:
            raise ValueError(f"{path}: host is missing")
        lines[name] = f"{name} = {_connect_string(path, supported)}".rstrip()
    return list(lines.values())


# The file


def _check_needs(settings: Mapping[str, str]) -> None:
    for name, values, needed in _NEEDS:
        for other in needed:
            if settings.get(name) in values and not settings.get(other):
                variable = _VARIABLES["settings"]
                raise ValueError(f"{variable}.{other}: needed because {variable}.{name} is {settings[name]}")


def render(config: object, *, version: str) -> str:
    """The text of pgbouncer.ini, without a header, for databases, users, peers and settings."""
    if not isinstance(config, Mapping) or not set(config) <= set(_VARIABLES):
        raise ValueError(f"a mapping with {', '.join(_VARIABLES)} is expected")
    lines: list[str] = []
    for section in ("databases", "users", "peers"):
        keys = _TABLES[section]
        if entries := _entries(section, keys, config.get(section, {}), version):
            lines += [f"[{section}]", *entries, ""]
    settings = _supported(_VARIABLES["settings"], PGBOUNCER, config.get("settings", {}), version)
    _check_needs(settings)
    # Each [pgbouncer] header resets what was read before it, and a reload that fails in an earlier section
    # leaves these settings alone: hence one, and last.
    lines += ["[pgbouncer]", *(f"{name} = {text}".rstrip() for name, text in settings.items())]
    return "\n".join(lines) + "\n"


# The running process


def _comparable(key: Key, text: str) -> str:
    """One spelling for what the file says and what SHOW CONFIG prints."""
    if key.type == "enum":
        return text.lower()
    if key.type == "list":
        return ",".join(part.strip() for part in text.split(","))
    try:
        if key.type == "mode":
            return f"{int(text, 8 if text.startswith('0') else 10):04o}"
        if key.type == "duration":
            return f"{float(text):g}"
    except ValueError:
        pass  # whatever the process printed, it is not what we wanted, and is shown as it is
    return text.strip()


def _running(show_config: object) -> dict[str, Mapping[str, object]]:
    if not isinstance(show_config, Sequence) or not show_config:
        raise ValueError("the rows of SHOW CONFIG are expected, a list of mappings with key and value")
    rows: dict[str, Mapping[str, object]] = {}
    for row in show_config:
        if not isinstance(row, Mapping) or "key" not in row or "value" not in row:
            raise ValueError("each row of SHOW CONFIG must be a mapping with key and value")
        rows[str(row["key"])] = row
    return rows


def _cell(row: Mapping[str, object], column: str) -> str:
    value = row.get(column)
    return "" if value is None else str(value)


def _difference(name: str, wanted: str, row: Mapping[str, object] | None) -> str:
    """A sentence, or nothing when both are the same."""
    if row is None:
        return f"{name}: unknown to the running process"
    key = PGBOUNCER[name]
    values = [_comparable(key, text) for text in (_cell(row, "value"), wanted)]
    if values[0] == values[1]:
        return ""
    running, expected = ("(hidden)" if key.secret else value or "(empty)" for value in values)
    return f"{name}: running {running}, wanted {expected}"


def _left_over(name: str, row: Mapping[str, object]) -> str:
    """A sentence when the process keeps the value of a line that is gone, also after a reload."""
    key = PGBOUNCER.get(name)
    if key is None or name in _COMMAND_LINE:
        return ""
    # The only number among the keys without a default is verbose, and 0 is what it has when nothing set it.
    if key.sticky_on_removal and _cell(row, "value") != "0":
        return _difference(name, "", row)
    if not key.reloadable and "default" in row:
        return _difference(name, _cell(row, "default"), row)
    return ""


def config_differences(settings: object, show_config: object) -> list[str]:
    """How the running process differs from the wanted settings, one sentence for each key."""
    rows = _running(show_config)
    wanted = texts(settings)
    differences = [_difference(name, text, rows.get(name)) for name, text in wanted.items()]
    return [difference for difference in differences if difference]


def restart_reasons(settings: object, show_config: object) -> list[str]:
    """Why a reload would not be enough to apply the settings; empty when it is."""
    rows = _running(show_config)
    wanted = texts(settings)
    reasons = [
        _difference(name, text, rows.get(name))
        for name, text in wanted.items()
        # A reload stops at a key that the process does not know, as after an upgrade of the package.
        if not PGBOUNCER[name].reloadable or name not in rows
    ]
    reasons += [_left_over(name, row) for name, row in rows.items() if name not in wanted]
    return [reason for reason in reasons if reason]


__all__ = ("config_differences", "render", "restart_reasons", "texts")
