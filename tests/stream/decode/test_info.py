"""Frame rates that files claim, against the timestamps they carry."""

from __future__ import annotations

from fractions import Fraction
from types import SimpleNamespace
from typing import Any, cast

import pytest

from rtvfi.stream.decode.info import FALLBACK_RATE, nominal_rate

FILM = Fraction(24000, 1001)
MS = Fraction(1, 1000)


def rate_of(
    ticks: list[int], *stated: Fraction | int | None, time_base: Fraction | None = MS
) -> Fraction:
    guessed, average, base = (Fraction(r) if r else None for r in stated)
    stream = SimpleNamespace(
        guessed_rate=guessed, average_rate=average, base_rate=base, time_base=time_base
    )
    return nominal_rate(cast("Any", stream), ticks)


def rounded(rate: Fraction, count: int = 30, start: int = 0) -> list[int]:
    return [start + round(i / rate / MS) for i in range(count)]


def test_a_stated_rate_that_fits_is_taken() -> None:
    assert rate_of(rounded(FILM), FILM, FILM, FILM) == FILM


def test_a_stated_rate_is_snapped() -> None:
    assert rate_of(rounded(FILM), Fraction(2997, 125), None, None) == FILM


def test_order_of_packets_does_not_matter() -> None:
    ticks = rounded(FILM)
    ticks[1:4] = ticks[3:0:-1]
    assert rate_of(ticks, FILM, None, None) == FILM


def test_a_thousand_frames_a_second_is_not_believed() -> None:
    assert rate_of(rounded(Fraction(24)), 1000, 1000, 1000) == 24


def test_the_stated_rate_that_fits_wins_over_the_first() -> None:
    assert rate_of(rounded(Fraction(25)), 50 * 7, 25, 90) == 25


def test_two_packets_a_picture_are_fine() -> None:
    assert rate_of(rounded(Fraction(50)), 25, 25, 25) == 25


@pytest.mark.parametrize(
    "rate", [FILM, Fraction(25), Fraction(30000, 1001), Fraction(60000, 1001), Fraction(12)]
)
def test_a_rate_not_stated_is_read_from_the_timestamps(rate: Fraction) -> None:
    assert rate_of(rounded(rate, 40, start=67), None, None, None) == rate


def test_an_unusual_rate_is_that_of_the_median_step() -> None:
    assert rate_of([i * 70 for i in range(30)], None, None, None) == Fraction(100, 7)


def test_gaps_do_not_change_the_rate() -> None:
    ticks = [t for i, t in enumerate(rounded(Fraction(24))) if i not in (4, 5, 11)]
    assert rate_of(ticks, 1000, None, None) == 24


@pytest.mark.parametrize("stated", [None, 1000])
def test_nothing_known_is_film(stated: int | None) -> None:
    assert rate_of([38, 6038], stated, stated, stated) == FALLBACK_RATE


def test_few_timestamps_leave_the_stated_rate() -> None:
    assert rate_of([0, 40], 30, None, None) == 30


def test_without_a_time_base_the_stated_rate_is_all_there_is() -> None:
    assert rate_of(rounded(FILM), 25, None, None, time_base=None) == 25


def test_a_slide_show_keeps_the_fallback() -> None:
    assert rate_of([i * 5000 for i in range(10)], None, None, None) == FALLBACK_RATE
