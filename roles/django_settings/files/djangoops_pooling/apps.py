# Copyright: the djangoops.pooling authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The app: a check, a command, and nothing inherited by forks."""

from __future__ import annotations

import os

from django.apps import AppConfig
from django.core.checks import Tags, register

from djangoops_pooling.checks import check_poolers
from djangoops_pooling.connections import forget_inherited


class PoolingConfig(AppConfig):
    """django.setup() calls ready() once."""

    name = "djangoops_pooling"
    verbose_name = "Connection pooling"

    def ready(self) -> None:
        """Register the check of --database, and what a child process does first."""
        register(check_poolers, Tags.database)
        os.register_at_fork(after_in_child=forget_inherited)
