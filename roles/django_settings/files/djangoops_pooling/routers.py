# Copyright: the djangoops.pooling authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The router: what needs a session of its own goes past the pooler."""

from __future__ import annotations

import contextlib
import contextvars
from collections.abc import Iterator
from typing import Any

from django.conf import settings
from django.db import connections
from django.db.transaction import TransactionManagementError

from djangoops_pooling import DIRECT

_alias: contextvars.ContextVar[str | None] = contextvars.ContextVar("djangoops_pooling_direct", default=None)


def direct_alias(alias: str = "default") -> str:
    """The alias past the pooler of this one; the alias itself where there is none, or where both lead to the same place.

    The latter is so with the settings for tests, where the pooled alias has been given the direct one's settings.
    """
    other = alias + DIRECT
    if other not in connections:
        return alias
    here, there = (connections[name].settings_dict for name in (alias, other))
    return alias if all(here[key] == there[key] for key in ("HOST", "PORT", "NAME")) else other


@contextlib.contextmanager
def direct(alias: str = "default") -> Iterator[str]:
    """Send all queries that no other router claims past the pooler, and name the alias for cursors, locks and LISTEN.

    Raises TransactionManagementError inside of a transaction on the pooled alias: what runs past the pooler would not
    see it, and might wait for its locks for ever.
    """
    target = direct_alias(alias)
    if target != alias and connections[alias].in_atomic_block:
        raise TransactionManagementError(
            f"A transaction on '{alias}' is open, which '{target}' does not see; leave it before direct()"
        )
    token = _alias.set(target)
    try:
        yield target
    finally:
        _alias.reset(token)


class DirectRouter:
    """To be put last in DATABASE_ROUTERS.

    Inside of direct() everything goes past the pooler; always do the models in settings.POOLING_DIRECT_MODELS, labels
    such as "reports" (an app) or "reports.Report".
    """

    def db_for_read(self, model: Any, **hints: Any) -> str | None:
        """Django's protocol: an alias, or None for no opinion."""
        chosen = _alias.get()
        if chosen is None and {model._meta.app_label, model._meta.label} & set(
            getattr(settings, "POOLING_DIRECT_MODELS", ())
        ):
            chosen = direct_alias()
        return chosen

    db_for_write = db_for_read

    def allow_relation(self, one: Any, two: Any, **hints: Any) -> bool | None:
        """Both aliases are the same database."""
        names = {instance._state.db.removesuffix(DIRECT) for instance in (one, two) if instance._state.db}
        return True if len(names) == 1 else None
