"""Which frame of the grid stands in which record of the virtual file, and when."""

from __future__ import annotations

from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from rtvfi.core.rates import Grid
from rtvfi.stream.serve.records import RecordMap

RATE = Fraction(24)


def records(start: Fraction, origin: Fraction = Fraction(0), length: int = 10) -> RecordMap:
    return RecordMap(Grid(start, 1 / RATE), origin, start + length / RATE)


def test_a_stream_that_starts_at_zero_is_mapped_one_to_one() -> None:
    made = records(Fraction(0))
    assert [made.index(i) for i in range(made.num_records)] == list(range(10))


def test_a_late_first_frame_fills_the_grid_before_it() -> None:
    made = records(Fraction(1, 4))
    assert made.num_records == 6 + 10
    assert made.index(0) == -6
    assert list(made.times_us())[5:8] == [208_333, 250_000, 291_667]


def test_frames_before_zero_are_left_out() -> None:
    made = records(Fraction(-1, 8))
    assert made.num_records == 7
    assert made.index(0) == 3


def test_the_first_record_starts_at_zero_between_two_points_of_the_grid() -> None:
    made = records(Fraction(-1, 48))
    assert [made.index(i) for i in range(2)] == [1, 2]
    assert list(made.times_us())[:3] == [0, 62_500, 104_167]


def test_no_frame_starts_at_the_end_or_later() -> None:
    grid = Grid(Fraction(0), 1 / RATE)
    assert RecordMap(grid, Fraction(0), Fraction(10, 24)).num_records == 10
    assert RecordMap(grid, Fraction(0), Fraction(10, 24) + Fraction(1, 10**9)).num_records == 11


def test_a_stream_of_no_length_has_a_record() -> None:
    assert records(Fraction(0), length=0).num_records == 1


@given(
    start=st.fractions(-2, 2),
    origin=st.fractions(-2, 2),
    rate=st.sampled_from([RATE, Fraction(48000, 1001), Fraction(60), Fraction(7001, 146)]),
    length=st.integers(1, 200),
)
def test_record_times_are_exact_microseconds(
    start: Fraction, origin: Fraction, rate: Fraction, length: int
) -> None:
    grid = Grid(start, 1 / rate)
    made = RecordMap(grid, origin, start + length / rate)
    times = made.times_us()
    assert len(times) == made.num_records
    assert times[0] == 0
    for record in range(1, made.num_records):
        exact = (grid.pts(made.index(record)) - origin) * 10**6
        assert -Fraction(1, 2) < times[record] - exact <= Fraction(1, 2)
        assert times[record] > times[record - 1]
    assert 0 <= grid.pts(made.index(0)) - origin < grid.step
