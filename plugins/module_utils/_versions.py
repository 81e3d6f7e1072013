# Copyright: the djangoops.pooling authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Versions of PgBouncer.

Private to this collection.
"""

from __future__ import annotations

import re


def parsed(text: str) -> tuple[int, ...]:
    """1.24 and 1.24.0 are the same; what follows the numbers, as in a package's version, does not count."""
    match = re.match(r"[0-9]+\.[0-9]+(\.[0-9]+)?", text)
    if match is None:
        raise ValueError(f"a version of PgBouncer such as 1.24.1 is expected, not {text!r}")
    parts = [int(part) for part in match[0].split(".")]
    return (*parts, 0)[:3]


def is_older(text: str, than: str) -> bool:
    """Whether the first version is older than the second."""
    return parsed(text) < parsed(than)


__all__ = ("is_older", "parsed")
