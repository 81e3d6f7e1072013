"""Bounded largest remainder: what docs/sizing.md 9 guarantees."""

from __future__ import annotations

from fractions import Fraction
from random import Random

import pytest
from ansible_collections.djangoops.pooling.plugins.module_utils._apportion import apportion
from hypothesis import given
from hypothesis import strategies as st

PART = st.tuples(st.sampled_from([0, 1, 2, 7, Fraction(5, 2), 100]), st.integers(0, 6), st.integers(0, 20))
PARTS = st.lists(PART, min_size=1, max_size=7)
UNTIED = st.lists(PART, min_size=1, unique_by=lambda part: part[0])


@given(PARTS, st.integers(0, 120))
def test_sum_and_bounds(parts: list[tuple[Fraction, int, int]], extra: int) -> None:
    weights, low, high = (list(column) for column in zip(*parts, strict=True))
    high = [max(least, most) for least, most in zip(low, high, strict=True)]
    total = sum(low) + extra
    result = apportion(total, weights, low, high)
    assert sum(result) == min(total, sum(high))
    assert all(least <= part <= most for least, part, most in zip(low, result, high, strict=True))
    inside = [
        (weight, part)
        for weight, least, part, most in zip(weights, low, result, high, strict=True)
        if least < part < most
    ]
    # Parts that no bound touches keep the proportion of their weights, less than one off on each side.
    for weight, part in inside:
        for other, counterpart in inside:
            if weight and other:
                assert (part - 1) / weight <= (counterpart + 1) / other


@given(PARTS, st.integers(0, 120))
def test_without_bounds_each_part_is_less_than_one_off(
    parts: list[tuple[Fraction, int, int]], total: int
) -> None:
    weights = [weight + 1 for weight, _low, _high in parts]
    for weight, part in zip(weights, apportion(total, weights), strict=True):
        assert abs(part - total * Fraction(weight) / sum(weights)) < 1


@given(UNTIED, st.integers(0, 120), st.randoms(use_true_random=False))
def test_the_order_matters_only_for_ties(
    parts: list[tuple[Fraction, int, int]], extra: int, random: Random
) -> None:
    total = sum(low for _weight, low, _high in parts) + extra
    shuffled = list(parts)
    random.shuffle(shuffled)

    def outcome(order: list[tuple[Fraction, int, int]]) -> list[tuple[Fraction, int, int, int]]:
        weights, low, high = (list(column) for column in zip(*order, strict=True))
        return sorted(
            (*part, got) for part, got in zip(order, apportion(total, weights, low, high), strict=True)
        )

    assert outcome(parts) == outcome(shuffled)


@pytest.mark.parametrize(
    ("total", "weights", "minimums", "caps", "expected"),
    [
        (5, [0, 0], None, None, [3, 2]),
        (0, [0, 0], None, None, [0, 0]),
        (9, [1, 0, 0], [0, 0, 1], [2, 9, 9], [2, 4, 3]),
        (9, [1, 1], [4, 0], [2, 3], [4, 3]),
        (2, [0, 0], [1, 1], [5, 5], [1, 1]),
    ],
)
def test_edges(
    total: int, weights: list[int], minimums: list[int] | None, caps: list[int] | None, expected: list[int]
) -> None:
    assert apportion(total, weights, minimums, caps) == expected


def test_minimums_above_the_total() -> None:
    with pytest.raises(ValueError, match="sum to 4, more than 3"):
        apportion(3, [1, 1], [2, 2])


def test_a_tie_goes_to_the_larger_weight_and_then_to_the_lower_index() -> None:
    assert apportion(2, [1, 3]) == [0, 2]
    assert apportion(2, [3, 1]) == [2, 0]
    assert apportion(3, [1, 1]) == [2, 1]
