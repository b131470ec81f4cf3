"""Rates and the output grid."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtvfi.core.errors import UsageError
from rtvfi.core.rates import Grid, RateChoice, Times, between, parse_rate, resolve, snap_rate

F = Fraction
FILM = F(24000, 1001)


@pytest.mark.parametrize(
    ("value", "rate"),
    [
        (23.976, FILM),
        (23.98, FILM),
        (24000 / 1001, FILM),
        (F(2997, 125), FILM),
        (F(24), F(24)),
        (24, F(24)),
        (24.0001, F(24)),
        (25.0, F(25)),
        (29.97, F(30000, 1001)),
        (47.95, F(48000, 1001)),
        (F(7001, 146), F(48000, 1001)),
        (47.952047, F(48000, 1001)),
        (59.94, F(60000, 1001)),
        (F(5994, 100), F(60000, 1001)),
        (119.88, F(120000, 1001)),
        (143.856, F(144000, 1001)),
        (14.985, F(15000, 1001)),
        (12.5, F(25, 2)),
        (23.9, F(239, 10)),
        (23.99, F(2399, 100)),
        (F(8991, 375), FILM),
    ],
)
def test_snap_rate(value: Fraction | float, rate: Fraction) -> None:
    assert snap_rate(value) == rate


@pytest.mark.parametrize("value", [0, -24.0, float("nan"), float("inf")])
def test_a_rate_is_positive(value: float) -> None:
    with pytest.raises(ValueError, match="positive"):
        snap_rate(value)


@given(st.integers(1, 480), st.sampled_from([F(1), F(1000, 1001)]))
def test_snapping_a_true_rate_or_its_float_keeps_it(whole: int, factor: Fraction) -> None:
    rate = whole * factor
    assert snap_rate(rate) == rate == snap_rate(float(rate))


@pytest.mark.parametrize(
    ("text", "choice"),
    [
        ("2x", RateChoice("multiple", F(2))),
        ("3X", RateChoice("multiple", F(3))),
        ("2.5x", RateChoice("multiple", F(5, 2))),
        ("5/2x", RateChoice("multiple", F(5, 2))),
        ("60", RateChoice("rate", F(60))),
        (" 60000/1001 ", RateChoice("rate", F(60000, 1001))),
        ("59.94", RateChoice("rate", F(60000, 1001))),
        ("display", RateChoice("display")),
        ("VRR", RateChoice("vrr")),
        ("vrr:144", RateChoice("vrr", F(144))),
    ],
)
def test_parse_rate(text: str, choice: RateChoice) -> None:
    assert parse_rate(text) == choice


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x",
        "fast",
        "0",
        "-60",
        "0.5x",
        "17x",
        "1001",
        "60/0",
        "nan",
        "inf",
        "2xx",
        "x2",
        "vrr:",
        "vrr:0",
        "vrr:2x",
    ],
)
def test_a_wrong_rate_is_told_what_is_allowed(text: str) -> None:
    with pytest.raises(UsageError, match=r"2\.5x.*60000/1001.*display, auto or vrr") as caught:
        parse_rate(text)
    assert f'"{text}"' in caught.value.message
    assert caught.value.hint


@pytest.mark.parametrize(
    ("source", "display", "target"),
    [
        (FILM, F(60), F(60000, 1001)),
        (FILM, F(60000, 1001), F(60000, 1001)),
        (FILM, None, F(60000, 1001)),
        (FILM, F(120), F(120000, 1001)),
        (FILM, F(144), F(144000, 1001)),
        (FILM, F(75), F(72000, 1001)),
        (F(24), F(60000, 1001), F(60)),
        (F(25), F(60), F(50)),
        (F(25), F(50), F(50)),
        (F(30), F(60), F(60)),
        (F(30000, 1001), F(60), F(60000, 1001)),
        (F(15), F(60), F(60)),
        (F(60), F(60), F(60)),
        (F(50), F(60), F(50)),
        (F(60), F(144), F(120)),
        (F(120), F(60), F(120)),
    ],
)
def test_display_takes_the_highest_half_multiple_it_can_show(
    source: Fraction, display: Fraction | None, target: Fraction
) -> None:
    assert resolve(RateChoice("display"), source, display) == target


def test_a_rate_below_the_source_is_a_pass_through() -> None:
    assert resolve(parse_rate("60"), F(120)) == 120


def test_a_rate_is_taken_exactly() -> None:
    assert resolve(parse_rate("60"), FILM) / FILM == F(1001, 400)
    assert resolve(parse_rate("59.94"), FILM) / FILM == F(5, 2)


def test_a_multiple_is_of_the_source_rate() -> None:
    assert resolve(parse_rate("2.5x"), FILM) == F(60000, 1001)
    assert resolve(parse_rate("1x"), FILM) == FILM


@pytest.mark.parametrize(
    ("source", "highest", "target"),
    [
        (FILM, F(144), F(144000, 1001)),
        (FILM, F(120), F(120000, 1001)),
        (F(25), F(144), F(125)),
        (F(30), F(75), F(60)),
        (FILM, F(0), F(48000, 1001)),  # the panel is not known: what the display tells, 60
        (F(120), F(75), F(120)),
    ],
)
def test_a_panel_of_variable_rate_gets_the_highest_whole_multiple(
    source: Fraction, highest: Fraction, target: Fraction
) -> None:
    assert resolve(RateChoice("vrr", highest), source, F(60)) == target


@given(st.fractions(F(1), F(240), max_denominator=1001), st.fractions(F(10), F(500)) | st.none())
def test_display_never_asks_for_what_would_be_dropped(
    source: Fraction, display: Fraction | None
) -> None:
    target = resolve(RateChoice("display"), source, display)
    assert target == source or target <= (display or 60) * F(1005, 1000)
    assert (2 * target / source).denominator == 1


points = st.fractions(F(-100), F(100), max_denominator=1000)


@given(points, st.fractions(F(1, 240), F(1)), points)
def test_grid_neighbours_enclose_a_time(origin: Fraction, step: Fraction, pts: Fraction) -> None:
    grid = Grid(origin, step)
    before, after = grid.last_at_or_before(pts), grid.first_at_or_after(pts)
    assert grid.pts(before) <= pts < grid.pts(before + 1)
    assert grid.pts(after - 1) < pts <= grid.pts(after)


@given(points, st.fractions(F(1, 240), F(1)), st.integers(-(10**7), 10**7))
def test_grid_finds_its_own_points_exactly(origin: Fraction, step: Fraction, index: int) -> None:
    grid = Grid(origin, step)
    assert (
        grid.first_at_or_after(grid.pts(index)) == index == grid.last_at_or_before(grid.pts(index))
    )


def test_a_grid_goes_forward() -> None:
    with pytest.raises(ValueError, match="step"):
        Grid(F(0), F(0))


rising = st.lists(st.fractions(F(1, 100), F(2), max_denominator=1000), min_size=1, max_size=12).map(
    lambda steps: [F(7, 3) + sum(steps[:n], F(0)) for n in range(len(steps) + 1)]
)


@given(rising, st.integers(1, 5), points)
def test_times_are_a_clock_like_any_other(
    frames: list[Fraction], multiple: int, pts: Fraction
) -> None:
    clock = between(frames, frames[-1] + F(1, 24), multiple, F(1, 48), F(3, 1000))
    before, after = clock.last_at_or_before(pts), clock.first_at_or_after(pts)
    assert clock.pts(before) <= pts < clock.pts(before + 1)
    assert clock.pts(after - 1) < pts <= clock.pts(after)
    near = clock.nearest(pts)
    assert abs(clock.pts(near) - pts) <= min(
        abs(clock.pts(near + 1) - pts), abs(clock.pts(near - 1) - pts)
    )


@given(rising, st.integers(1, 16))
def test_every_frame_is_on_the_clock_and_outputs_lie_evenly_between(
    frames: list[Fraction], multiple: int
) -> None:
    clock = between(frames, frames[-1] + F(1, 24), multiple, F(1, 48), F(3, 1000))
    assert set(frames) <= set(clock.times)
    assert min(b - a for a, b in pairwise(clock.times)) >= F(3, 1000) or len(clock.times) == 1
    for left, right in pairwise(frames):
        inside = [t for t in clock.times if left <= t <= right]
        assert len({b - a for a, b in pairwise(inside)}) == 1
        assert len(inside) - 1 <= multiple


def test_frames_too_close_to_be_told_apart_are_left_out() -> None:
    frames = [F(n, 1000) for n in (0, 1, 2, 3, 50)]
    clock = between(frames, F(1, 10), 2, F(1, 48), F(3, 1000))
    assert clock.times == (F(0), F(3, 1000), F(53, 2000), F(1, 20), F(3, 40))


def test_times_begin_at_their_origin() -> None:
    with pytest.raises(ValueError, match="origin"):
        Times(F(0), F(1), (F(1),))
