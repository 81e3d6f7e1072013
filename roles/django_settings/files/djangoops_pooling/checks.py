# Copyright: the djangoops.pooling authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The system check: do the settings fit what is at the other end of each alias?"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from django.core import checks
from django.db import connections

from djangoops_pooling import DIRECT
from djangoops_pooling.connections import lent
from djangoops_pooling.routers import direct_alias


def check_poolers(
    app_configs: Any = None, databases: Iterable[str] | None = None, **kwargs: Any
) -> list[checks.CheckMessage]:
    """For manage.py check --database, and before migrations and tests: ask each alias's other end."""
    messages: list[checks.CheckMessage] = []
    for alias in databases or ():
        connection = connections[alias]
        if connection.vendor != "postgresql":
            continue
        try:
            lends, statements = lent(connection)
        except connection.Database.Error as exc:
            messages.append(
                checks.Warning(
                    f"Alias '{alias}' cannot be asked: {' '.join(str(exc).split())}",
                    hint="Is the server or the pooler running, and does it know this database and user?",
                    obj=alias,
                    id="djangoops_pooling.W001",
                )
            )
            continue
        messages += contradictions(
            alias, connection.settings_dict, lends, statements, past=direct_alias(alias) != alias
        )
    return messages


def contradictions(
    alias: str, settings: Mapping[str, Any], lends: str, statements: int | None, *, past: bool
) -> list[checks.CheckMessage]:
    """What in an alias's settings does not fit a pooler that lends so, and keeps so many prepared statements.

    `past` says that there is another alias, which leads past the pooler.
    """
    found = [*_shared(settings, lends, statements), *_kept(settings, lends), *_names(alias, lends, past)]
    return [
        (checks.Error if number[0] == "E" else checks.Warning)(
            f"Alias '{alias}' {what}", hint=hint, obj=alias, id=f"djangoops_pooling.{number}"
        )
        for number, what, hint in found
    ]


def _shared(
    settings: Mapping[str, Any], lends: str, statements: int | None
) -> Iterator[tuple[str, str, str]]:
    """What a server connection carries from one client to the next."""
    options = settings["OPTIONS"]
    cursors = settings.get("DISABLE_SERVER_SIDE_CURSORS")
    if lends not in ("transaction", "statement"):
        if cursors:
            yield (
                "W002",
                "has a session of its own, and DISABLE_SERVER_SIDE_CURSORS makes iterator() fetch all rows at once.",
                "Leave DISABLE_SERVER_SIDE_CURSORS out.",
            )
        return
    if lends == "statement":
        yield (
            "E001",
            "goes through a pooler in statement mode, which refuses every transaction: atomic(), the admin, sessions.",
            "Use transaction mode, or this alias for single statements only.",
        )
    if not cursors:
        yield (
            "W003",
            f"goes through a pooler in {lends} mode, and iterator() would not find its cursor again.",
            "Set DISABLE_SERVER_SIDE_CURSORS to True.",
        )
    # psycopg2 has no such thing, and Django leaves it off with psycopg 3
    if options.get("prepare_threshold") is not None and not statements:
        yield (
            "W004",
            f"goes through a pooler in {lends} mode, and prepare_threshold makes psycopg rely on prepared statements.",
            "Leave prepare_threshold out, or see to max_prepared_statements above 0 (PgBouncer 1.21 and newer).",
        )
    if options.get("assume_role"):
        yield (
            "W005",
            f"goes through a pooler in {lends} mode, and assume_role stays on a server connection for others.",
            "Log in as that role.",
        )


def _kept(settings: Mapping[str, Any], lends: str) -> Iterator[tuple[str, str, str]]:
    age = settings["CONN_MAX_AGE"]
    if age is None and lends:
        yield (
            "W006",
            "keeps its connections to a pooler for ever, so that they stay where they are when poolers come and go.",
            "Set CONN_MAX_AGE to 60.",
        )
    if age != 0 and not settings["CONN_HEALTH_CHECKS"]:
        yield (
            "W007",
            "keeps its connections and does not test them: a request fails for each after every restart.",
            "Set CONN_HEALTH_CHECKS to True.",
        )


def _names(alias: str, lends: str, past: bool) -> Iterator[tuple[str, str, str]]:
    if alias.endswith(DIRECT) and lends in ("transaction", "statement"):
        yield (
            "W008",
            f"is the direct one by its name, and goes through a pooler in {lends} mode.",
            "Give it PostgreSQL's own HOST and PORT, for migrations, tests, LISTEN and session locks.",
        )
    if past and not lends:
        yield (
            "W009",
            f"goes straight to PostgreSQL, although there is '{alias}{DIRECT}' for that.",
            "Give it the pooler's HOST and PORT.",
        )
