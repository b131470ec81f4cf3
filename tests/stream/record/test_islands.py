"""Which recorded pictures make which file."""

from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from rtvfi.stream.record.islands import Segment, islands, ranges

GOP = 6


def segment(first: int, stop: int, rough: tuple[int, ...] = (), gop: int = GOP) -> Segment:
    return Segment(Path(f"{first}-{stop}"), first, stop, tuple(range(first, stop, gop)), rough)


segments = st.lists(
    st.tuples(st.integers(0, 60), st.integers(0, 40)).map(lambda p: segment(p[0], p[0] + p[1])),
    max_size=8,
)


@given(segments)
def test_every_recorded_picture_is_there_once_and_in_order(given_segments: list[Segment]) -> None:
    recorded = {n for s in given_segments for n in range(s.first, s.stop)}
    joined = [
        n for runs in islands(given_segments) for run in runs for n in range(run.start, run.stop)
    ]
    assert joined == sorted(recorded)


@given(segments)
def test_a_run_begins_at_a_key_frame_of_its_segment(given_segments: list[Segment]) -> None:
    for runs in islands(given_segments):
        for run in runs:
            assert run.start in run.segment.keys
            assert run.segment.first <= run.start < run.stop <= run.segment.stop


@given(segments)
def test_islands_have_gaps_between_and_none_inside(given_segments: list[Segment]) -> None:
    found = islands(given_segments)
    for runs in found:
        assert all(a.stop == b.start for a, b in itertools.pairwise(runs))
    assert all(a[-1].stop < b[0].start for a, b in itertools.pairwise(found))


def test_stand_ins_are_replaced_where_a_better_picture_was_recorded() -> None:
    first = segment(0, 30, rough=tuple(range(12, 30)))
    again = segment(6, 40)
    (runs,) = islands([first, again])
    assert sum(run.num_rough for run in runs) == 0
    assert [run.segment for run in runs] == [first, again]


def test_good_pictures_are_kept_where_the_later_ones_are_stand_ins() -> None:
    first = segment(0, 30)
    again = segment(6, 40, rough=tuple(range(6, 18)))
    (runs,) = islands([first, again])
    assert sum(run.num_rough for run in runs) == 0


def test_segments_of_another_encoder_make_islands_of_their_own() -> None:
    first, second, third = segment(0, 30), segment(30, 60), segment(60, 90)
    other = replace(second, coding=("h264", b"other headers"))
    found = islands([first, other, third])
    assert [[run.segment for run in runs] for runs in found] == [[first], [other], [third]]


def test_one_viewing_without_a_seek_is_one_run() -> None:
    only = segment(0, 100)
    assert [[(r.start, r.stop) for r in runs] for runs in islands([only])] == [[(0, 100)]]


def test_ranges_are_half_open() -> None:
    assert ranges([3, 4, 5, 9]) == [(3, 6), (9, 10)]
    assert ranges([]) == []
