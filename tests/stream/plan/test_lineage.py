"""What pictures are made of, and which source frame stands in for one."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

import pytest

from rtvfi.stream.plan.lineage import Lineage
from rtvfi.stream.plan.planner import Copy, Mid, Retime, Retime3

if TYPE_CHECKING:
    from rtvfi.core.stamp import ImageId

A, B, C, D = ((0, i) for i in range(4))
ZERO, HALF = Fraction(0), Fraction(1, 2)


def two_passes() -> Lineage:
    """B_1(0), B_1(1), B_1(2), B_2(0), B_2(1) of the frames A to D."""
    lineage = Lineage()
    for i in range(3):
        lineage.add(Mid((1, i), (0, i), (0, i + 1)))
    for i in range(2):
        lineage.add(Mid((2, i), (1, i), (1, i + 1)))
    return lineage


def test_a_source_frame_is_made_of_itself() -> None:
    assert set(Lineage().sources(A)) == {A}


def test_a_pass_is_made_of_the_source_frames_below_it() -> None:
    assert set(two_passes().sources((2, 1))) == {B, C, D}


def test_pictures_in_play_keep_their_source_frames() -> None:
    lineage = two_passes()
    assert lineage.keep([(2, 0), D]) == {A, B, C, D}
    assert lineage.keep([(2, 0)]) == {A, B, C}


@pytest.mark.parametrize(("t", "image"), [(Fraction(1, 4), A), (HALF, B), (Fraction(3, 4), B)])
def test_between_source_frames_the_nearer_one_stands_in(t: Fraction, image: ImageId) -> None:
    assert Lineage().stand_in(Retime(0, ZERO, A, B, t)) == image


@pytest.mark.parametrize(
    ("t", "image"), [(Fraction(3, 4), B), (Fraction(5, 4), B), (Fraction(7, 5), B)]
)
def test_among_three_the_nearest_stands_in(t: Fraction, image: ImageId) -> None:
    assert Lineage().stand_in(Retime3(0, ZERO, A, B, C, t)) == image


def test_the_middle_frame_stands_in_for_a_pass() -> None:
    lineage = two_passes()
    assert lineage.stand_in(Copy(0, ZERO, (2, 0))) == B
    # Content 1.5 + t of A B C D at 0 1 2 3.
    assert lineage.stand_in(Retime(0, ZERO, (2, 0), (2, 1), Fraction(1, 4))) == B
    assert lineage.stand_in(Retime(0, ZERO, (2, 0), (2, 1), Fraction(3, 4))) == C


def test_a_held_drawing_stands_in_where_it_is_held() -> None:
    lineage = Lineage()  # A A A B
    lineage.add(Mid((1, 2), A, B))
    lineage.add(Mid((2, 1), A, (1, 2)))
    assert lineage.stand_in(Copy(0, ZERO, (2, 1))) == A
