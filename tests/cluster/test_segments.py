"""Segments of films, and how long several workers need for them."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtvfi.cluster.segments import START_FRAMES, Segment, makespan, segment_frames, split

SIXTY = Fraction(60)
EPISODE = 24 * 60 * 60


@given(
    first=st.integers(0, 1000),
    count=st.integers(1, 5000),
    length=st.integers(1, 700),
    is_open=st.booleans(),
)
def test_segments_cover_a_part_once(first: int, count: int, length: int, is_open: bool) -> None:
    last = first + count
    stop = None if is_open else last
    segments = split(first, last, stop, length)
    assert segments[0].first == first
    assert segments[-1].stop == stop
    assert [s.stop for s in segments[:-1]] == [s.first for s in segments[1:]]
    assert all((s.stop or last) - s.first < length + length // 2 + 1 for s in segments)
    assert len({s.name for s in segments}) == len(segments)


def test_a_film_that_does_not_tell_its_length_is_one_segment() -> None:
    assert split(7, None, None, 100) == (Segment(7, None),)


def test_one_worker_gets_segments_of_a_minute() -> None:
    assert segment_frames(EPISODE, 1, SIXTY) == 3600


@pytest.mark.parametrize("num_workers", [2, 8, 64])
def test_the_length_is_about_the_best_there_is(num_workers: int) -> None:
    """Against every other length, in the simulation that the formula simplifies."""

    def seconds(length: int) -> float:
        parts = split(0, EPISODE, EPISODE, length)
        frames = [s.stop - s.first + START_FRAMES for s in parts if s.stop is not None]
        return makespan(frames, num_workers)

    chosen = segment_frames(EPISODE, num_workers, SIXTY)
    assert chosen % 120 == 0
    best = min(seconds(length) for length in range(120, 3601, 120))
    assert seconds(chosen) <= 1.12 * best


@given(st.lists(st.floats(0.1, 50), min_size=1, max_size=60), st.integers(1, 9))
def test_a_makespan_is_between_its_bounds(seconds: list[float], num_workers: int) -> None:
    took = makespan(seconds, num_workers)
    assert took >= max(max(seconds), sum(seconds) / num_workers) - 1e-6
    assert took <= sum(seconds) / num_workers + max(seconds) + 1e-6


def test_what_comes_back_comes_one_at_a_time() -> None:
    assert makespan([1.0, 1.0, 1.0], 3, transfer=0.5) == 2.5
