# Copyright: the djangoops.pooling authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""manage.py reconnect: close and open connections, and say what is at the other end."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import DEFAULT_DB_ALIAS, connections
from django.db.utils import OperationalError

from djangoops_pooling.connections import lent, reconnect


class Command(BaseCommand):
    """For deployments, and for long-running commands by way of djangoops_pooling.connections.reconnect()."""

    help = "Close connections and open them again; waits for a server or pooler that is restarting."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        """Options of the command."""
        parser.add_argument(
            "--database",
            action="append",
            choices=tuple(connections),
            help="alias, may be given several times; default is 'default'",
        )
        parser.add_argument("--wait", type=float, default=0, help="seconds to try again, default 0")

    def handle(self, *args: Any, **options: Any) -> None:
        """One line for each alias; fails with the first that does not come back."""
        for alias in options["database"] or [DEFAULT_DB_ALIAS]:
            try:
                seconds = reconnect(alias, options["wait"])
                lends, _ = lent(connections[alias])
            except (OperationalError, connections[alias].Database.Error) as exc:
                raise CommandError(f"{alias}: {' '.join(str(exc).split())}") from exc
            end = f"a pooler that lends by {lends}" if lends else "PostgreSQL itself"
            self.stdout.write(f"{alias}: open after {seconds * 1000:.1f} ms, to {end}")
