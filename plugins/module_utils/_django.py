# Copyright: the djangoops.pooling authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Python source of Django's DATABASES.

Private to this collection. The text is made of literals (repr), so that no value can become code.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Any

REQUIRED = ("NAME", "USER", "HOST", "PORT", "password_variable")
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
    pool = settings.get("pool") or None
    if pool and age:
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
    if pool:
        lines["pool"] = repr({"pool": dict(pool) if isinstance(pool, Mapping) else True})
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
    for key in settings:
        if key not in KEYS:
            near = difflib.get_close_matches(str(key), KEYS, 1)
            hint = f"did you mean {near[0]}?" if near else f"known are {', '.join(KEYS)}"
            raise ValueError(f"{path}: unknown key '{key}'; {hint}")
    for key in REQUIRED:
        if settings.get(key) in (None, ""):
            raise ValueError(f"{path}.{key} is missing")


def _integer(path: str, value: Any, low: int, high: int) -> int:
    try:
        number = None if isinstance(value, bool | float) else int(value)
    except (TypeError, ValueError):
        number = None
    if number is None or not low <= number <= high:
        raise ValueError(f"{path}: '{value}' is not a whole number from {low} to {high}")
    return number
