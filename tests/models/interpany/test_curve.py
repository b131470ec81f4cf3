from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.interpolate import CubicSpline

from rtvfi.models.interpany.curve import Curve, parse_curve

UNIT = st.floats(0, 1, allow_nan=False)


@st.composite
def curves(draw: st.DrawFn) -> Curve:
    steps = draw(st.lists(st.floats(0.05, 1), min_size=1, max_size=7))
    xs = np.cumsum([0.0, *steps])
    ys = draw(st.lists(UNIT, min_size=len(xs), max_size=len(xs)))
    return Curve(tuple((float(x), y) for x, y in zip(xs / xs[-1], ys, strict=True)))


@given(curves())
def test_a_curve_goes_through_its_points(curve: Curve) -> None:
    xs, ys = zip(*curve.points, strict=True)
    np.testing.assert_allclose(curve.at(xs), ys, atol=1e-6)


@given(curves(), st.lists(UNIT, min_size=1))
def test_a_curve_stays_within_0_and_1(curve: Curve, times: list[float]) -> None:
    assert all(0 <= y <= 1 for y in curve.at(times))


@given(curves(), st.lists(UNIT, min_size=1))
def test_through_four_points_and_more_it_is_the_usual_spline(
    curve: Curve, times: list[float]
) -> None:
    xs, ys = zip(*curve.points, strict=True)
    if len(xs) >= 4:
        wanted = np.clip(CubicSpline(xs, ys)(times), 0, 1)
        np.testing.assert_allclose(curve.at(times), wanted, atol=1e-6)


def test_before_the_first_and_after_the_last_point_it_holds() -> None:
    assert Curve(((0.25, 0.1), (0.75, 0.9))).at([0, 0.5, 1]) == pytest.approx([0.1, 0.5, 0.9])


def test_a_curve_is_read_from_words() -> None:
    assert parse_curve("0,0 0.3,0.8 1,1").points == ((0, 0), (0.3, 0.8), (1, 1))


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("0,0", "fewer than two"),
        ("0,0 1", 'no "time,distance"'),
        ("0,0 1,2", "outside 0 to 1"),
        ("0.5,0 0.5,1", "do not rise"),
        ("0,0 1,x", "could not convert"),
        ("0,0 1,nan", "outside"),
    ],
)
def test_a_wrong_curve_says_what_is_wrong(text: str, wrong: str) -> None:
    with pytest.raises(ValueError, match=wrong):
        parse_curve(text)
