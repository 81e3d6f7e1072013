# Copyright: the djangoops.pooling authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Python source of Django's DATABASES.

Private to this collection. The text is made of literals (repr), so that no value can become code.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from typing import Any

TEXTS = ("NAME", "USER", "HOST", "password_variable")
REQUIRED = (*TEXTS, "PORT")
# Everything an alias may say, in the order of the file; with the reason that stands above the line, if any.
KEYS: dict[str, str] = {
    "NAME": "",
    "USER": "",
    "password_variable": "",
    "HOST": "",
    "PORT": "",
    "CONN_MAX_AGE": "seconds a thread keeps its connection: saves the login, PgBouncer lends the server connection on",
    "CONN_HEALTH_CHECKS": "a kept connection is tested before each request: PgBouncer may have been restarted",
    "DISABLE_SERVER_SIDE_CURSORS": "iterator() would ask the next server connection for a cursor it does not have",
    "pool": "",
}
# Follows from CONN_MAX_AGE, so nobody sets it.
SETTABLE = tuple(key for key in KEYS if key != "CONN_HEALTH_CHECKS")
# What psycopg_pool's ConnectionPool takes, numbers all of them; its min_size is 4 unless given.
POOL_KEYS = (
    "max_idle",
    "max_lifetime",
    "max_size",
    "max_waiting",
    "min_size",
    "num_workers",
    "reconnect_timeout",
    "timeout",
)


def databases_source(databases: Mapping[str, Mapping[str, Any]]) -> str:
    """Source of a module body that defines DATABASES; alias -> settings, keys as in KEYS.

    Raises ValueError for an empty mapping, a missing or unknown key, a wrong type or a combination that Django refuses.
    """
    if not isinstance(databases, Mapping) or not databases:
        raise ValueError("django_settings_databases: at least one alias is expected")
    body = "".join(_alias(str(alias), settings) for alias, settings in databases.items())
    return f"import os\n\nDATABASES = {{\n{body}}}\n"


def _alias(alias: str, settings: Mapping[str, Any]) -> str:
    path = f"django_settings_databases.{alias}"
    _check(path, settings)
    age = _integer(f"{path}.CONN_MAX_AGE", settings.get("CONN_MAX_AGE", 0), 0, 86400)
    pool = _pool(f"{path}.pool", settings.get("pool"))
    if pool is not None and age:
        raise ValueError(
            f"{path}: pool and CONN_MAX_AGE {age} exclude each other in Django; set CONN_MAX_AGE to 0"
        )
    lines = {
        "NAME": repr(str(settings["NAME"])),
        "USER": repr(str(settings["USER"])),
        "password_variable": f"os.environ[{str(settings['password_variable'])!r}]",
        "HOST": repr(str(settings["HOST"])),
        "PORT": repr(_integer(f"{path}.PORT", settings["PORT"], 1, 65535)),
        "CONN_MAX_AGE": repr(age),
    }
    if age:
        lines["CONN_HEALTH_CHECKS"] = "True"
    if settings.get("DISABLE_SERVER_SIDE_CURSORS"):
        lines["DISABLE_SERVER_SIDE_CURSORS"] = "True"
    if pool is not None:
        lines["pool"] = repr({"pool": pool or True})
    text = f"    {alias!r}: {{\n        'ENGINE': 'django.db.backends.postgresql',\n"
    for key, value in lines.items():
        if KEYS[key] and value != "0":
            text += f"        # {KEYS[key]}\n"
        text += (
            f"        { ({'password_variable': 'PASSWORD', 'pool': 'OPTIONS'}.get(key, key))!r}: {value},\n"
        )
    return text + "    },\n"


def _check(path: str, settings: Mapping[str, Any]) -> None:
    if not isinstance(settings, Mapping):
        raise ValueError(f"{path}: a mapping is expected")
    _check_keys(path, settings, SETTABLE)
    for key in REQUIRED:
        if settings.get(key) in (None, ""):
            raise ValueError(f"{path}.{key} is missing")
    for key in TEXTS:
        # a database may be called 2024, which YAML reads as a number
        if isinstance(settings[key], bool) or not isinstance(settings[key], str | int):
            raise ValueError(f"{path}.{key}: '{settings[key]}' is not a string")
    cursors = settings.get("DISABLE_SERVER_SIDE_CURSORS", False)
    if not isinstance(cursors, bool):
        raise ValueError(f"{path}.DISABLE_SERVER_SIDE_CURSORS: '{cursors}' is not true or false")


def _check_keys(path: str, settings: Mapping[str, Any], known: Sequence[str]) -> None:
    for key in settings:
        if key not in known:
            near = difflib.get_close_matches(str(key), known, 1)
            hint = f"did you mean {near[0]}?" if near else f"known are {', '.join(known)}"
            raise ValueError(f"{path}: unknown key '{key}'; {hint}")


def _pool(path: str, value: Any) -> dict[str, int] | None:
    """The native pool's own settings, empty for its defaults; None for no pool."""
    if value is None or isinstance(value, bool):
        return {} if value else None
    if not isinstance(value, Mapping):
        raise ValueError(f"{path}: '{value}' is not true, false or a mapping such as {{max_size: 4}}")
    _check_keys(path, value, POOL_KEYS)
    pool = {str(key): _integer(f"{path}.{key}", number, 0, 86400) for key, number in value.items()}
    least = pool.get("min_size", 4)
    most = pool.get("max_size", least)
    if most < max(least, 1):
        raise ValueError(
            f"{path}: max_size {most} is below 1 or min_size {least}, which psycopg_pool refuses; declare both"
        )
    return pool


def _integer(path: str, value: Any, low: int, high: int) -> int:
    try:
        number = None if isinstance(value, bool | float) else int(value)
    except (TypeError, ValueError):
        number = None
    if number is None or not low <= number <= high:
        raise ValueError(f"{path}: '{value}' is not a whole number from {low} to {high}")
    return number
