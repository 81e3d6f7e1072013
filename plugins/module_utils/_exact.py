# Copyright: the djangoops.pooling authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Exact arithmetic: what becomes an integer is computed with integers and fractions (docs/sizing.md 4)."""

from __future__ import annotations

import re
from fractions import Fraction
from typing import Any

# No exponents in text: "1e999999999" would be an integer of a billion digits.
_NUMBER = re.compile(r"\s*[+-]?[0-9]+(\.[0-9]+|/0*[1-9][0-9]*)?\s*", re.ASCII)


def to_fraction(value: Any) -> Fraction | None:
    """Return the number that ``value`` stands for, or None where it is none.

    Numbers are int, Fraction, finite float and decimal text ("8", "1.5", "3/2"); booleans are not.
    A float counts as its shortest decimal text: 1.1 is 11/10, so that ceil(100 x 1.1) is 110 and not 111.
    """
    if isinstance(value, bool):
        return None
    if isinstance(value, Fraction):
        return value
    if isinstance(value, int):
        return Fraction(int(value))
    if isinstance(value, float):
        text = float.__repr__(value)
        return None if text in ("nan", "inf", "-inf") else Fraction(text)
    if isinstance(value, str) and _NUMBER.fullmatch(value):
        return Fraction(str(value))
    return None


def show(value: Fraction | int) -> str:
    """Return ``value`` as a person writes it: "2", "1.5"."""
    exact = Fraction(value)
    return str(exact.numerator) if exact.denominator == 1 else repr(round(float(exact), 6))


def ceil_to(value: int, step: int) -> int:
    """Return the smallest multiple of ``step`` that is at least ``value``."""
    return -(-value // step) * step


def next_pow2(value: int) -> int:
    """Return the smallest power of two that is at least ``value``; 1 for everything up to 1."""
    return 1 << max(0, value - 1).bit_length()
