# Copyright: the djangoops.pooling authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The middleware: how many connections did a request open, and how long did that take?"""

from __future__ import annotations

import contextlib
import functools
import logging
import time
from collections.abc import Callable, Iterator
from typing import Any

from django.db import connections

logger = logging.getLogger("djangoops_pooling")


@contextlib.contextmanager
def measured() -> Iterator[list[tuple[str, float]]]:
    """Alias and seconds of every connection that this thread opens, or takes from a pool of the process."""
    opened: list[tuple[str, float]] = []
    watched = connections.all()
    for connection in watched:
        connection.get_new_connection = functools.partial(
            _timed, opened, connection.alias, connection.get_new_connection
        )
    try:
        yield opened
    finally:
        for connection in watched:
            del connection.get_new_connection  # the class's own is there again


def _timed(
    opened: list[tuple[str, float]],
    alias: str,
    connect: Callable[[dict[str, Any]], Any],
    parameters: dict[str, Any],
) -> Any:
    begin = time.perf_counter()
    try:
        return connect(parameters)
    finally:
        opened.append((alias, time.perf_counter() - begin))


class NewConnections:
    """Logs one line for each request that opened connections, at level INFO of the logger djangoops_pooling.

    To be put first in MIDDLEWARE. With CONN_MAX_AGE or a pool most requests log nothing.
    """

    def __init__(self, get_response: Callable[[Any], Any]) -> None:
        """Django's protocol."""
        self.get_response = get_response

    def __call__(self, request: Any) -> Any:
        """Django's protocol."""
        with measured() as opened:
            response = self.get_response(request)
        if opened:
            # the path is the client's, and may hold a newline
            logger.info(
                "%s %r opened %d connection(s): %s",
                request.method,
                request.path,
                len(opened),
                ", ".join(f"{alias} in {seconds * 1000:.1f} ms" for alias, seconds in opened),
            )
        return response
