# Copyright: the djangoops.pooling authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The files of the role django_settings: a Python module with DATABASES, or lines with a DATABASE_URL for each alias.

Private to this collection. A module is made of literals (repr), a URL of percent-encoded parts, so that no value can
become code or another part. Names in comments are literals too, and so keep to their line.
"""

from __future__ import annotations

import posixpath
import re
import textwrap
import urllib.parse
from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.djangoops.pooling.plugins.module_utils._django import (
    VARIABLE,
    Alias,
    Secret,
    aliases,
    direct_of,
    django_version,
)
from ansible_collections.djangoops.pooling.plugins.module_utils._django_strategies import CURSORS, ON_LOAN

# The first line, by which the role knows its own file again.
HEADER = (
    "# Written by the Ansible role djangoops.pooling.django_settings: change the inventory, not this file."
)
FORMS = ("module", "django-environ", "dj-database-url")
WIDTH = 110


def settings_file(
    databases: Any,
    form: str = "module",
    path: str = "pooling_databases.py",
    version: Any = "",
    psycopg: Any = 3,
    users: Any = None,
) -> str:
    """Text of the settings file, for alias -> settings as _django.aliases takes them.

    `form` is one of FORMS, `path` the file that will hold it. Raises ValueError for what cannot work or be said.
    """
    if form not in FORMS:
        raise ValueError(f"django_settings_form: '{form}' is not known; known are {', '.join(FORMS)}")
    found = aliases(databases, version, psycopg, users)
    if form == "module":
        return _module(found, path, django_version(version), int(psycopg))
    return _environment(found, form)


def _module(found: Sequence[Alias], path: str, version: str, psycopg: int) -> str:
    name, extension = posixpath.splitext(posixpath.basename(path))
    if extension != ".py" or not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
        raise ValueError(
            f"django_settings_path: '{path}' cannot be imported; letters, digits and _ are expected before .py"
        )
    lines = [f"In settings.py:  from {name} import DATABASES", "", *_advice(found)]
    imports = sorted(
        {"password_variable": "os", "password_file": "pathlib"}.get(entry.value.source, "")
        for alias in found
        for entry in alias.entries
        if isinstance(entry.value, Secret)
    )
    imported = "".join(f"import {module}\n" for module in dict.fromkeys(imports) if module)
    body = "".join(_entry(alias) for alias in found)
    return f"{HEADER}\n#\n{_comment(lines)}\n{imported}{imported and chr(10)}DATABASES = {{\n{body}}}\n"


def _entry(alias: Alias) -> str:
    text = f"    {alias.name!r}: {{\n"
    for entry in alias.entries:
        value = _secret(entry.value) if isinstance(entry.value, Secret) else repr(entry.value)
        text += f"        # {entry.why}\n        {entry.key!r}: {value},\n"
    return text + "    },\n"


def _secret(secret: Secret) -> str:
    if secret.source == "password_variable":
        return f"os.environ[{secret.value!r}]"
    if secret.source == "password_file":
        return f"pathlib.Path({secret.value!r}).read_text(encoding='utf-8').rstrip('\\n')"
    return repr(secret.value)


def _comment(lines: Sequence[str]) -> str:
    """Lines as comments, long ones wrapped and indented as their beginning."""
    text = ""
    for line in lines:
        indent = " " * (len(line) - len(line.lstrip()))
        wrapped = (
            textwrap.wrap(
                line,
                WIDTH,
                initial_indent="",
                subsequent_indent=indent + "  ",
                break_long_words=False,
                break_on_hyphens=False,
            )
            if not indent.startswith("    ")  # code stays as it is
            else [line]
        )
        text += "".join(f"# {part}".rstrip() + "\n" for part in wrapped or [""])
    return text


def _advice(found: Sequence[Alias]) -> list[str]:
    """What a developer has to know, for these aliases."""
    partners = {alias.name: direct_of(alias, found) for alias in found if not alias.direct}
    lines: list[str] = []
    for alias in found:
        use = "for what is named below" if alias.direct else "for requests"
        if alias.replica_of:
            use = f"a replica of {alias.replica_of!r}, for reads that may be a moment old"
        lines.append(f"{alias.name!r}: {use}. To {alias.strategy.path}.")
    for lends in dict.fromkeys(alias.strategy.lends for alias in found if not alias.direct):
        names = [alias.name for alias in found if alias.strategy.lends == lends and not alias.direct]
        lines += ["", f"{_names(names)}: {ON_LOAN[lends]}"]
        if lends in CURSORS:
            lines += _elsewhere(names, partners)
    lines += ["", *_migrations(found, partners), "", *_celery(found)]
    if any(
        alias.setting("OPTIONS", {}).get("pool") or alias.setting("POOL_OPTIONS") is not None
        for alias in found
    ):
        lines += [
            "",
            "A pool belongs to its process: do not query before a fork (gunicorn --preload), or close the pools in "
            "the child, as djangoops_pooling does.",
        ]
    return lines


def _names(names: Sequence[str]) -> str:
    return ", ".join(repr(name) for name in names)


def _elsewhere(names: Sequence[str], partners: Mapping[str, str]) -> list[str]:
    """What these aliases cannot do, and the alias that can."""
    lines = []
    for partner in dict.fromkeys(partners[name] for name in names):
        here = _names([name for name in names if partners[name] == partner])
        where = repr(partner) if partner else "an alias with strategy direct (none is declared)"
        lines.append(
            f"Not on {here}, but on {where}: LISTEN, pg_advisory_lock(), temporary tables, SET, cursors WITH HOLD, "
            f"and reports that run for minutes."
        )
        if partner:
            lines.append(f"    connections[{partner!r}].cursor()    Model.objects.using({partner!r})")
    return lines


def _migrations(found: Sequence[Alias], partners: Mapping[str, str]) -> list[str]:
    """Migrations and tests want a session and, for tests, a server that makes databases: settings of their own."""
    replaced = {name: partner for name, partner in partners.items() if partner}
    if not replaced:
        if any(alias.strategy.lends for alias in found):
            return [
                "Migrations and tests: no alias with strategy direct is declared. Tests need one, because the pooler does "
                "not know the test database; migrations should have one, because they run long and take locks."
            ]
        return ["Migrations and tests: as usual, manage.py migrate and manage.py test."]
    # measured (docs/django.md): the pool made for the real database outlives Django's change to the test database
    pooled = any(alias.strategy.keeper == "native_pool" and alias.strategy.lends for alias in found)
    swaps = ", ".join(f"{name!r}: DATABASES[{partner!r}]" for name, partner in replaced.items())
    return [
        "Migrations and tests: past the pooler, with settings of their own. PROJECT/settings_direct.py:",
        "    from .settings import *",
        f"    DATABASES = {{**DATABASES, {swaps}}}",
        "and then",
        "    manage.py migrate --settings PROJECT.settings_direct",
        "    manage.py test --settings PROJECT.settings_direct",
        "Tests need a role with CREATEDB. With the pooled settings they would "
        + ("RUN ON THE REAL DATABASE, which the native pool stays connected to, " if pooled else "fail, ")
        + "because the pooler does not know the test database. Do not use TEST['MIRROR'] for it: Django would run the "
        "tests on the real database.",
    ]


def _celery(found: Sequence[Alias]) -> list[str]:
    lines = [
        "Celery: with DJANGO_SETTINGS_MODULE set it closes connections before and after each task and after its fork, "
        "so that nothing is needed; CONN_MAX_AGE has no effect there unless djangoops_pooling.celery gives it one."
    ]
    if any(alias.setting("OPTIONS", {}).get("pool") for alias in found):
        lines.append(
            "With prefork it also closes Django's pool after each task: give workers settings without pool, or the "
            "threads pool."
        )
    return lines


def _environment(found: Sequence[Alias], form: str) -> str:
    """Lines VARIABLE=URL; what a URL cannot say is in the call that a comment shows."""
    owners: dict[str, str] = {}
    text, calls = "", []
    for alias in found:
        variable = url_variable(alias.name)
        other = owners.setdefault(variable, alias.name)
        if other != alias.name:
            raise ValueError(
                f"{VARIABLE}: aliases '{other}' and '{alias.name}' would both be {variable}; rename one"
            )
        text += f"{variable}={database_url(alias, form)}\n"
        calls.append(f"        {alias.name!r}: {_call(alias, variable, form)},")
    imported = "env = environ.Env()" if form == "django-environ" else "import dj_database_url"
    lines = [
        "In settings.py, with these lines in the environment (not for a shell's source, which would read &):",
        f"    {imported}",
        "    DATABASES = {",
        *calls,
        "    }",
        "",
        *_advice(found),
    ]
    return f"{HEADER}\n#\n{_comment(lines)}\n{text}"


def url_variable(alias: str) -> str:
    """Environment variable with the URL of an alias: DATABASE_URL for default, JOBS_DATABASE_URL for jobs."""
    return (
        "DATABASE_URL"
        if alias == "default"
        else re.sub(r"\W", "_", alias, flags=re.ASCII).upper() + "_DATABASE_URL"
    )


# Django's own settings: django-environ reads them from the URL, dj-database-url takes them as arguments.
OWN = ("CONN_MAX_AGE", "CONN_HEALTH_CHECKS", "DISABLE_SERVER_SIDE_CURSORS")


def database_url(alias: Alias, form: str) -> str:
    """URL of an alias, every part percent-encoded. Raises ValueError for what this form cannot say."""
    path = f"{VARIABLE}.{alias.name}"
    secret = alias.setting("PASSWORD")
    if secret.source != "password":
        raise ValueError(
            f"{path}.{secret.source}: a URL carries its password; give it in password, or use django_settings_form module"
        )
    options = alias.setting("OPTIONS", {})
    if "pool" in options or alias.setting("POOL_OPTIONS") is not None:
        raise ValueError(
            f"{path}.strategy: a URL cannot carry a pool's settings; use django_settings_form module"
        )
    scheme = "postgres" if alias.setting("ENGINE").startswith("django.db.") else "postgis"
    user, password, name = (
        _quote(f"{path}.{key}", value)
        for key, value in (
            ("USER", alias.setting("USER")),
            ("password", secret.value),
            ("NAME", alias.setting("NAME")),
        )
    )
    host, port = alias.setting("HOST"), alias.setting("PORT")
    if host != host.lower():
        raise ValueError(
            f"{path}.HOST: '{host}' has capitals, which a URL loses; use small letters, or form module"
        )
    if name.startswith("%2F"):
        raise ValueError(
            f"{path}.NAME: '{alias.setting('NAME')}' begins with /, which a URL cannot say; use form module"
        )
    where = _where(f"{path}.HOST", host, form)
    if host.startswith("/") and form == "django-environ":
        # a socket's directory stands before the name
        where, name = "", f"{host}/{name}"
    query = {
        key: alias.setting(key) for key in OWN if alias.setting(key) is not None and form == "django-environ"
    }
    if form == "django-environ" and alias.setting("CONN_MAX_AGE") is None:
        query["CONN_MAX_AGE"] = None
    if form == "django-environ" and alias.setting("ATOMIC_REQUESTS"):
        query["ATOMIC_REQUESTS"] = True
    if form == "dj-database-url" and alias.setting("ATOMIC_REQUESTS"):
        raise ValueError(
            f"{path}.ATOMIC_REQUESTS: dj-database-url has no way to say it; use django-environ, or form module"
        )
    for key, value in options.items():
        if not _survives(value, form):
            raise ValueError(
                f"{path}.OPTIONS.{key}: {value!r} would come back as something else; use form module"
            )
        query[key] = value
    text = "&".join(f"{key}={_quote(f'{path}.OPTIONS.{key}', str(value))}" for key, value in query.items())
    return f"{scheme}://{user}:{password}@{where}:{port}/{name}" + (f"?{text}" if text else "")


def _where(path: str, host: str, form: str) -> str:
    if host.startswith("/"):
        return _quote(path, host)
    if ":" in host:
        if "," in host:
            raise ValueError(
                f"{path}: '{host}' has several hosts with colons, which a URL cannot say; use form module"
            )
        return f"[{host}]"
    if not re.fullmatch(r"[a-z0-9._,-]+", host):
        raise ValueError(f"{path}: '{host}' is no host name for a URL; use form module")
    return host


def _survives(value: Any, form: str) -> bool:
    """Whether an option comes back as it is: both readers make numbers of digits, only one knows true and false."""
    if isinstance(value, bool):
        return form == "dj-database-url"
    if isinstance(value, str):
        return bool(value) and not value.isdigit() and (value.lower() not in ("true", "false"))
    return isinstance(value, int) and value >= 0


def _quote(path: str, text: str) -> str:
    try:
        return urllib.parse.quote(text, safe="")
    except UnicodeEncodeError as exc:
        raise ValueError(f"{path}: it is no text that UTF-8 can carry") from exc


def _call(alias: Alias, variable: str, form: str) -> str:
    mirror = alias.setting("TEST")
    if form == "django-environ":
        call = f"env.db({variable!r})"
        return f"{{**{call}, 'TEST': {mirror!r}}}" if mirror else call
    own = [f"{key.lower()}={alias.setting(key)!r}" for key in OWN if alias.setting(key, 0)]
    if alias.setting("CONN_MAX_AGE") is None:
        own.insert(0, "conn_max_age=None")
    if mirror:
        own.append(f"test_options={mirror!r}")
    return f"dj_database_url.config({', '.join([f'env={variable!r}', *own])})"
