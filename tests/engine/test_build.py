"""Rates, and a viewing that plays from file to bytes."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest
from fakes import stream_info

from rtvfi.core.frame import Kind
from rtvfi.core.options import StreamOptions
from rtvfi.core.rates import RateChoice, parse_rate
from rtvfi.engine.build import target_rate

INFO = stream_info()


@pytest.mark.parametrize(
    ("display", "rate"),
    [
        (None, Fraction(60000, 1001)),
        (float("nan"), Fraction(60000, 1001)),
        (0.0, Fraction(60000, 1001)),
        (59.94005994, Fraction(60000, 1001)),
        (143.973, Fraction(144000, 1001)),
        (48.0, Fraction(48000, 1001)),
    ],
)
def test_the_display_sets_the_rate(display: float | None, rate: Fraction) -> None:
    info = stream_info(source_rate=Fraction(24000, 1001))
    assert target_rate(RateChoice("display"), info, display) == rate


def test_a_multiple_needs_no_display() -> None:
    assert target_rate(parse_rate("2x"), INFO, None) == 48


def test_a_viewing_serves_the_whole_file(make_viewed: Any) -> None:
    viewed = make_viewed()
    whole = viewed.read()
    assert len(whole) == viewed.viewing.stream.size
    assert viewed.viewing.stream.num_asked == 48
    assert viewed.pipeline.statistics().counts == {Kind.COPY: 48}


def test_a_length_stated_too_long_ends_with_the_last_frame(make_viewed: Any) -> None:
    viewed = make_viewed(duration=Fraction(3))
    whole = viewed.read()
    assert len(whole) < viewed.viewing.stream.size
    assert viewed.viewing.stream.num_asked == 48


def test_a_first_frame_within_a_millisecond_of_zero_is_at_zero(make_viewed: Any) -> None:
    start = Fraction(1, 24)
    origin = Fraction(41_667, 1_000_000)
    viewed = make_viewed(stream_info(start=start), origin=origin)
    viewed.read()
    assert viewed.viewing.stream.num_asked == 48


def test_a_late_first_frame_fills_the_time_before_it(make_viewed: Any) -> None:
    viewed = make_viewed(stream_info(start=Fraction(1, 2)))
    viewed.read()
    assert viewed.viewing.stream.num_asked == 24 + 48


@pytest.mark.parametrize(
    ("options", "frames"),
    [
        (StreamOptions(ring_seconds=0.5), 24),
        (StreamOptions(ring_seconds=0.01), 2),
        (StreamOptions(ring_bytes=5 * INFO.payload_bytes), 5),
    ],
)
def test_the_ring_is_bounded_in_seconds_and_bytes(
    make_viewed: Any, options: StreamOptions, frames: int
) -> None:
    viewed = make_viewed(options=options)
    viewed.pipeline.seek(0)
    assert viewed.pipeline.wait_until_full(10.0)
    assert viewed.pipeline.statistics().num_ready == frames


def test_a_file_of_two_frames_is_primed(make_viewed: Any) -> None:
    viewed = make_viewed(duration=Fraction(2, 48))
    viewed.pipeline.seek(0)
    assert viewed.pipeline.wait_primed(10.0)


def test_a_closed_viewing_gives_no_more_bytes(make_viewed: Any) -> None:
    viewed = make_viewed()
    viewed.viewing.close()
    assert not viewed.pipeline.is_running
    assert viewed.read() == b""
