"""The planner asks for the calls of the cost model: passes, and outputs between knots."""

from __future__ import annotations

from fractions import Fraction
from math import ceil, floor

import pytest

from benchmarks.retiming import SOURCE_RATE, calls, calls_per_second

PERIODS = 120
"""Source frames the model is summed over: a multiple of every hold and of every rate's pattern."""


def modelled(hold: int, passes: int, rate: int) -> Fraction:
    """Calls per second, counted frame by frame: B_k(i) is a blend unless frames i..i+k are one
    drawing, and every output strictly between two knots that differ is a call.
    """
    ratio = Fraction(rate, SOURCE_RATE)
    total = 0
    for i in range(PERIODS):
        for level in range(1, passes + 1):
            total += i // hold != (i + level) // hold
        if i // hold != (i + passes + 1) // hold:
            left = i + Fraction(passes, 2)
            total += ceil((left + 1) * ratio) - 1 - floor(left * ratio)
    return Fraction(total * SOURCE_RATE, PERIODS)


@pytest.mark.parametrize("rate", [48, 60, 120])
@pytest.mark.parametrize("passes", [0, 1, 2, 3])
@pytest.mark.parametrize("hold", [1, 2, 3])
def test_calls_per_second_are_those_of_the_model(hold: int, passes: int, rate: int) -> None:
    assert calls_per_second(hold, passes, rate) == modelled(hold, passes, rate)


@pytest.mark.parametrize("rate", [48, 60, 120])
@pytest.mark.parametrize("passes", [0, 2])
def test_on_ones_a_frame_costs_its_passes_and_what_is_no_hit(passes: int, rate: int) -> None:
    ratio = Fraction(rate, SOURCE_RATE)
    hits = Fraction(1, ratio.denominator)
    assert calls_per_second(1, passes, rate) == SOURCE_RATE * (passes + ratio - hits)


@pytest.mark.parametrize("rate", [48, 60, 120])
@pytest.mark.parametrize("hold", [1, 2, 3, 4])
def test_without_their_repeats_drawings_cost_what_is_shown_between_their_centres(
    hold: int, rate: int
) -> None:
    ratio = Fraction(rate, SOURCE_RATE)
    total = 0
    for first in range(0, PERIODS, hold):
        centre = first + Fraction(hold - 1, 2)
        total += ceil((centre + hold) * ratio) - 1 - floor(centre * ratio)
    assert calls_per_second(hold, None, rate) == Fraction(total * SOURCE_RATE, PERIODS)


@pytest.mark.parametrize(
    ("hold", "passes", "mids", "retimes"),
    [
        (1, 1, 11, 10),
        (2, 1, 5, 10),
        (3, 1, 3, 6),
        (1, 2, 21, 9),
        (2, 2, 15, 9),
        (3, 2, 9, 9),
    ],
)
def test_calls_of_a_scene_of_twelve_frames(hold: int, passes: int, mids: int, retimes: int) -> None:
    # Counted by another program; the ends of a scene cost nothing more.
    assert calls(hold, passes, 48, 12) == mids + retimes
