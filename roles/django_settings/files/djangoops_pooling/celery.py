# Copyright: the djangoops.pooling authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Celery: connections as CONN_MAX_AGE says, tested before a task uses them, and none inherited by a prefork child.

Celery itself closes every connection before and after each task, so that CONN_MAX_AGE has no effect, and with prefork
Django's own pool as well. That is safe, and costs a login for each task. In the project's celery.py:

    app = Celery("project")
    app.config_from_object("django.conf:settings", namespace="CELERY")
    djangoops_pooling.celery.install(app)
"""

from __future__ import annotations

import sys
from typing import Any

from celery import signals
from django.db import close_old_connections

from djangoops_pooling.connections import forget_inherited


def install(app: Any) -> None:
    """Close what is too old or broken around each task, in place of closing everything."""
    # after so many tasks Celery would close all; see celery.fixups.django
    app.conf["CELERY_DB_REUSE_MAX"] = sys.maxsize
    for signal in (signals.task_prerun, signals.task_postrun):
        signal.connect(_between_tasks, weak=False, dispatch_uid="djangoops_pooling.between_tasks")
    signals.worker_process_init.connect(
        _in_child, weak=False, dispatch_uid="djangoops_pooling.worker_process_init"
    )


def _between_tasks(sender: Any = None, **kwargs: Any) -> None:
    # a task that is called within another one, or in a request, leaves their transaction alone
    if not getattr(getattr(sender, "request", None), "is_eager", False):
        close_old_connections()


def _in_child(**kwargs: Any) -> None:
    forget_inherited()
