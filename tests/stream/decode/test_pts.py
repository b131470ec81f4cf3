"""Exact stamps from rounded ones."""

from __future__ import annotations

import json
from fractions import Fraction
from itertools import accumulate
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtvfi.stream.decode.pts import PtsRegulariser

VECTORS = Path(__file__).parents[2] / "goldens" / "scheduling_vectors.json"
CASES: list[list[Any]] = json.loads(VECTORS.read_text())["pts"]

F = Fraction
FILM = F(24000, 1001)
MS = F(1, 1000)


def rounded(pts: Fraction) -> Fraction:
    return F(round(pts * 1000), 1000)


@pytest.mark.parametrize("case", CASES, ids=lambda c: c[0])
def test_vectors(case: list[Any]) -> None:
    _, ticks, base, rate, wanted = case
    regulariser = PtsRegulariser(F(rate), F(base))
    for raw, (clean, *_) in zip(ticks, wanted, strict=True):
        got = regulariser.push(raw * F(base))
        assert got == (None if clean is None else F(clean))


rates = st.sampled_from([FILM, F(24), F(25), F(30000, 1001), F(60000, 1001), F(120000, 1001)])


@given(rates, st.integers(0, 10**8), st.integers(0, 10**6))
def test_a_constant_stream_is_exact_at_any_length(rate: Fraction, first: int, far: int) -> None:
    origin = first * MS
    regulariser = PtsRegulariser(rate, MS)
    for n in (0, 1, 2, far + 3, far + 4):
        assert regulariser.push(rounded(origin + n / rate)) == origin + n / rate


@given(rates, st.lists(st.integers(0, 5000), max_size=20), st.booleans())
def test_a_seek_changes_no_stamp_of_a_constant_stream(
    rate: Fraction, targets: list[int], told: bool
) -> None:
    """Told the origin, it need not even have seen the first frame."""
    origin = F(83, 1000)
    regulariser = PtsRegulariser(rate, MS, origin if told else None)
    if not told:
        regulariser.push(origin)
    for target in targets:
        regulariser.reset()
        for n in range(target, target + 3):
            assert regulariser.push(rounded(origin + n / rate)) == origin + n / rate


@given(st.lists(st.integers(-3, 3) | st.integers(-50, 100), max_size=60), rates)
def test_stamps_rise_strictly_and_stay_within_a_tick(steps: list[int], rate: Fraction) -> None:
    regulariser = PtsRegulariser(rate, MS)
    last = None
    for tick in accumulate(steps):
        stamp = regulariser.push(tick * MS)
        if stamp is None:
            assert last is not None
            continue
        assert last is None or stamp > last
        assert abs(stamp - tick * MS) <= MS
        last = stamp


def test_a_seek_back_over_a_hiccup_gives_the_same_stamps() -> None:
    """A late frame moves the clock by a fraction of a tick; both clocks are remembered."""
    raw = [F(t, 1000) for t in (0, 42, 83, 134, 167, 209, 250, 292, 334)]
    regulariser = PtsRegulariser(FILM, MS)
    first = [regulariser.push(r) for r in raw]
    for start in range(len(raw)):
        regulariser.reset()
        assert [regulariser.push(r) for r in raw[start:]] == first[start:]


def test_one_tick_off_is_rounding_and_more_is_not() -> None:
    regulariser = PtsRegulariser(F(25), MS)
    pushed = [regulariser.push(F(ms, 1000)) for ms in (0, 41, 79, 122)]
    assert pushed == [0, F(40, 1000), F(80, 1000), F(122, 1000)]


def test_a_frame_at_the_exact_time_of_the_last_one_is_dropped() -> None:
    """Its raw stamp is later, but the last one's was rounded down."""
    regulariser = PtsRegulariser(F(25), MS)
    assert [regulariser.push(F(ms, 1000)) for ms in (0, 39, 40)] == [0, F(40, 1000), None]


def test_a_seek_to_a_clock_that_rounding_moved_back_finds_it() -> None:
    """The frame that started a clock is found again although its stamp reads a tick less now."""
    regulariser = PtsRegulariser(F(25), MS)
    for ms in (0, 40, 95, 135):
        regulariser.push(F(ms, 1000))
    regulariser.reset()
    assert regulariser.push(F(94, 1000)) == F(95, 1000)


def test_after_a_seek_an_earlier_stamp_is_welcome() -> None:
    regulariser = PtsRegulariser(FILM, MS)
    for n in (0, 1, 2):
        regulariser.push(rounded(n / FILM))
    assert regulariser.push(rounded(1 / FILM)) is None
    regulariser.reset()
    assert regulariser.push(rounded(1 / FILM)) == 1 / FILM


def test_a_stream_before_its_origin_is_on_its_clock() -> None:
    regulariser = PtsRegulariser(FILM, MS, origin=F(1))
    assert regulariser.push(rounded(1 - 3 / FILM)) == 1 - 3 / FILM


def test_a_gap_stays_on_the_clock() -> None:
    regulariser = PtsRegulariser(F(25), MS)
    regulariser.push(F(0))
    assert regulariser.push(F(2)) == 2
    assert regulariser.push(F(2039, 1000)) == F(51, 25)


def test_stamps_without_a_rate_pass_through() -> None:
    regulariser = PtsRegulariser(F(25), F(1, 90000))
    raw = [F(n * n, 97) for n in range(1, 300)]
    assert [regulariser.push(r) for r in raw] == raw
