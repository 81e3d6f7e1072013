# Copyright: the djangoops.pooling authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Splitting a number of connections: bounded largest remainder (docs/sizing.md 9)."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Sequence
from fractions import Fraction


def apportion(
    total: int,
    weights: Sequence[Fraction | int],
    minimums: Sequence[int] | None = None,
    caps: Sequence[int] | None = None,
) -> list[int]:
    """Split ``total`` in proportion to ``weights`` within bounds; exact sum, each part less than 1 off.

    ``minimums`` default to 0, ``caps`` to none; a cap below its minimum counts as the minimum. Where the caps
    sum to at most ``total``, everybody gets the cap. A zero weight stays at its minimum unless all others are
    capped. The last units go to the largest remainders, ties to the larger weight, then to the lower index.

    Raises ValueError where the minimums exceed ``total``.
    """
    low = list(minimums) if minimums is not None else [0] * len(weights)
    if sum(low) > total:
        raise ValueError(f"the minimums {low} sum to {sum(low)}, more than {total}")
    high = [max(cap, least) for cap, least in zip(caps, low, strict=True)] if caps is not None else None
    if high is None:
        high = [max(total, least) for least in low]
    if sum(high) <= total:
        return high

    weighted = [index for index, weight in enumerate(weights) if weight > 0]
    unweighted = [index for index, weight in enumerate(weights) if weight == 0]
    rest = total - sum(low[index] for index in unweighted)
    if weighted and sum(high[index] for index in weighted) >= rest:
        parts, members, shares = low, weighted, [weights[index] for index in weighted]
    else:
        parts, members, shares = high, unweighted, [1] * len(unweighted)
        rest = total - sum(high[index] for index in weighted)
    result = list(parts)
    for index, part in zip(
        members,
        _split(rest, shares, [low[index] for index in members], [high[index] for index in members]),
        strict=True,
    ):
        result[index] = part
    return result


def _split(
    total: int, weights: Sequence[Fraction | int], low: Sequence[int], high: Sequence[int]
) -> list[int]:
    """``apportion`` for positive weights and sum(low) <= total <= sum(high)."""
    quotas = _quotas(total, weights, low, high)
    parts = [math.floor(quota) for quota in quotas]
    order = sorted(
        range(len(parts)), key=lambda index: (parts[index] - quotas[index], -weights[index], index)
    )
    for index in order[: total - sum(parts)]:
        parts[index] += 1
    return parts


def _quotas(
    total: int, weights: Sequence[Fraction | int], low: Sequence[int], high: Sequence[int]
) -> list[Fraction]:
    """Solve sum(clamp(t x weight, low, high)) = total for t and return the summands.

    The sum is piecewise linear and non-decreasing in t, with corners where a weight meets one of its bounds:
    find the last corner that does not exceed the total, then go on along the straight line.
    """
    scale = math.lcm(*(Fraction(weight).denominator for weight in weights))
    whole = [int(weight * scale) for weight in weights]
    bounds = list(zip(whole, low, high, strict=True))

    def at(factor: Fraction) -> Fraction:
        top, bottom = factor.numerator, factor.denominator
        return Fraction(
            sum(min(max(top * weight, least * bottom), most * bottom) for weight, least, most in bounds),
            bottom,
        )

    corners = sorted({Fraction(bound, weight) for weight, *limits in bounds for bound in limits})
    corner = corners[max(0, bisect_right(corners, Fraction(total), key=at) - 1)]
    slope = sum(weight for weight, least, most in bounds if least <= corner * weight < most)
    factor = corner + (total - at(corner)) / slope if slope else corner
    return [min(max(factor * weight, Fraction(least)), Fraction(most)) for weight, least, most in bounds]
