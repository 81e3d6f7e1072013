# Copyright: the djangoops.pooling authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Compile and import new settings with the application's own Python, before they replace the old ones.

Reads JSON from standard input: source, version ("5.2" or ""), psycopg (2 or 3), aliases (names). Says on standard
output what is wrong, a line each, and nothing of the source, which may hold passwords. Exit code 1 if something is.
With Django each alias is loaded as Django would, without connecting to anything; without Django that part is left out.
Runs with every Python that Django 4.2 runs with, 3.8 and newer.
"""

import json
import os
import pathlib
import sys
from unittest import mock


class Environment(dict):  # type: ignore[type-arg]
    """The environment with a value for every variable: the real passwords are not here, and not asked for."""

    def __missing__(self, key):
        return "x"


def problems(source, version, psycopg, aliases):
    """What is wrong with the settings, one sentence after another."""
    try:
        code = compile(source, "settings", "exec")
    except (SyntaxError, ValueError) as exc:
        yield f"the settings are not Python: {type(exc).__name__} in line {getattr(exc, 'lineno', '?')}"
        return
    module = {}
    try:
        secrets = mock.patch.object(pathlib.Path, "read_text", lambda *args, **kwargs: "x")
        with mock.patch.object(os, "environ", Environment(os.environ)), secrets:
            exec(code, module)
    except Exception as exc:
        yield f"the settings cannot be imported: {type(exc).__name__}"
        return
    names = set(module) - {"__builtins__", "os", "pathlib"}
    if names != {"DATABASES"} or list(module["DATABASES"]) != aliases:
        yield f"the settings define more or less than DATABASES with the aliases {', '.join(aliases)}"
        return
    try:
        import django
    except ImportError:
        if version:
            yield (
                f"django_settings_version is {version}, and {sys.executable} has no Django; install it there, or name "
                f"the application's Python in django_settings_python"
            )
        return
    found = ".".join(str(part) for part in django.VERSION[:2])
    if version not in ("", found):
        yield (
            f"django_settings_version is {version}, and {sys.executable} has Django {django.get_version()}; "
            f"set it to '{found}', or name the application's Python in django_settings_python"
        )
        return
    for problem in dict.fromkeys(loaded(module["DATABASES"], psycopg)):
        yield f"{problem} (with {sys.executable}, Django {django.get_version()})"


def loaded(databases, psycopg):
    """What Django says when it loads each alias."""
    import django
    from django.conf import settings
    from django.core.exceptions import ImproperlyConfigured
    from django.db import connections

    settings.configure(DATABASES=databases)
    django.setup()
    for alias in databases:
        try:
            connection = connections[alias]
            major = int(connection.Database.__version__.split(".")[0])
            if major != psycopg:
                yield f"django_settings_psycopg is {psycopg}, and Django takes psycopg {major} here"
            connection.get_connection_params()
            if "pool" in connection.settings_dict["OPTIONS"] and not getattr(connection, "pool", None):
                yield f"alias '{alias}': this Django has no pool of its own, that came with 5.1"
        except (ImportError, ImproperlyConfigured, TypeError, ValueError) as exc:
            # what Django says of a missing library has several lines
            yield f"alias '{alias}': {' '.join(str(exc).split())}"


def main():
    """Print the problems; the exit code says whether there are any."""
    given = json.load(sys.stdin)
    found = list(problems(given["source"], given["version"], given["psycopg"], given["aliases"]))
    print("\n".join(found))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
