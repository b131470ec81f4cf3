"""The virtual file as mpv's demuxer thread reads it: bytes, restarts, kicks, pacing, endings."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from fractions import Fraction
from typing import TYPE_CHECKING

import pytest
from fakes import PATIENCE, FakeClock, FakePlayhead, offset_of
from hypothesis import given, settings
from hypothesis import strategies as st
from opened import NUM_FRAMES, Opened

from rtvfi.core.errors import DecodeError
from rtvfi.core.frame import Kind, OutputFrame
from rtvfi.stream.run.playhead import Playhead
from rtvfi.stream.serve.frame_stream import AHEAD_SECONDS

if TYPE_CHECKING:
    from collections.abc import Iterator

# --- bytes -----------------------------------------------------------------------------------


@settings(deadline=None)
@given(chunks=st.lists(st.integers(1, 2000), min_size=1), start=st.sampled_from([0, 1]))
def test_any_chunking_gives_the_same_bytes(chunks: list[int], start: int) -> None:
    opened = Opened(start=Fraction(start, 3))
    got = b""
    for turn in range(100_000):
        piece = opened.read(chunks[turn % len(chunks)])
        if not piece:
            break
        got += piece
    assert got == opened.whole()
    assert opened.feed.seeks == [opened.records.first_index]


@settings(deadline=None)
@given(jumps=st.lists(st.tuples(st.floats(0, 1.1), st.integers(1, 3000)), max_size=12))
def test_seeks_and_reads_give_the_bytes_that_stand_there(jumps: list[tuple[float, int]]) -> None:
    opened = Opened()
    whole = opened.whole()
    for part, count in jumps:
        place = opened.stream.seek(int(part * len(whole)))
        assert place == min(int(part * len(whole)), len(whole))
        piece = opened.read(count)
        assert piece == whole[place : place + len(piece)]
        assert piece or place == len(whole)


def test_the_size_is_that_of_the_whole_file() -> None:
    opened = Opened()
    assert opened.stream.size == len(opened.whole())


def test_a_position_before_the_file_is_its_start() -> None:
    assert Opened().stream.seek(-5) == 0


def test_the_header_needs_no_frame() -> None:
    opened = Opened(ready=0)
    assert opened.read(1 << 20) == opened.mkv.header
    assert opened.feed.seeks == []


def test_a_read_gives_what_is_at_hand_rather_than_wait_for_the_next_frame() -> None:
    opened = Opened(ready=1)
    opened.go_to(0)
    assert opened.read(1 << 20) == opened.record(0)


def test_asked_records_and_copied_pictures_are_counted() -> None:
    opened = Opened()
    while opened.read(500):
        pass
    assert opened.stream.num_asked == NUM_FRAMES
    assert len(opened.stream.serve_ms) == NUM_FRAMES


def test_the_first_interpolated_frame_is_noted() -> None:
    opened = Opened()
    made = opened.feed.frames[1]
    opened.feed.frames[1] = OutputFrame(made.payload, 1, made.pts, Kind.SYNTHETIC)
    opened.go_to(0)
    opened.read_record()
    assert opened.stream.first_synthetic_at is None
    opened.clock.advance(7.0)
    opened.read_record()
    opened.clock.advance(7.0)
    opened.read_record()
    assert opened.stream.first_synthetic_at == 7.0


# --- restarts --------------------------------------------------------------------------------


def test_a_seek_costs_one_restart() -> None:
    opened = Opened()
    opened.go_to(1)
    opened.read_record()
    opened.go_to(4)
    assert opened.read_record() == opened.record(4)
    assert opened.feed.seeks == [1, 4]


def test_thirty_queued_seeks_cost_one_restart() -> None:
    opened = Opened(40)
    for record in range(30):
        opened.go_to(record)
    assert opened.read_record() == opened.record(29)
    assert opened.feed.seeks == [29]


def test_a_seek_to_where_reading_goes_on_costs_nothing() -> None:
    opened = Opened()
    opened.go_to(1)
    opened.read_record()
    opened.go_to(1)  # the frame in hand
    opened.read_record()
    opened.go_to(2)  # the next one
    opened.read_record()
    assert opened.feed.seeks == [1]


def test_the_playhead_stands_at_the_target_while_a_seek_is_under_way() -> None:
    playhead = Playhead(FakeClock())
    playhead.report(0.0)
    opened = Opened(240, playhead=playhead)
    opened.go_to(120)
    held: list[float | None] = []
    opened.feed.on_prime = lambda _: held.append(playhead.now())
    opened.read_record()
    assert held == [5.0]
    assert not playhead.is_held


def test_playback_waits_for_a_stock_of_frames_but_not_for_ever() -> None:
    opened = Opened()
    opened.feed.is_primed = False
    opened.feed.on_prime = lambda _: opened.clock.advance(0.1)
    opened.go_to(0)
    assert opened.read_record() == opened.record(0)
    assert opened.clock.now == pytest.approx(0.3)


def test_only_a_restart_waits_for_a_stock_of_frames() -> None:
    opened = Opened()
    asked: list[float] = []
    opened.feed.on_prime = asked.append
    while opened.read(4000):
        pass
    assert len(asked) == 1


def test_a_feed_that_gives_another_frame_is_found_out() -> None:
    opened = Opened()
    opened.feed.frames[0] = opened.feed.frames[3]
    opened.go_to(0)
    with pytest.raises(RuntimeError, match="wanted frame 0, the feed gave 3"):
        opened.read(100)


# --- a second thread -------------------------------------------------------------------------


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(1, "mpv-demuxer") as pool:
        yield pool


def blocked(opened: Opened, pool: ThreadPoolExecutor, record: int) -> Future[bytes]:
    """A read of ``record`` that waits for its frame."""
    opened.go_to(record)
    future = pool.submit(opened.read_record)
    opened.feed.wait_asked()
    return future


def test_a_read_waits_for_its_frame(pool: ThreadPoolExecutor) -> None:
    opened = Opened(ready=0)
    read = blocked(opened, pool, 0)
    opened.feed.wait_asked()
    assert opened.stream.blocked_on == 0.0
    opened.feed.provide(1)
    assert read.result(PATIENCE) == opened.record(0)
    assert opened.stream.blocked_on is None


def test_cancel_ends_a_blocked_read(pool: ThreadPoolExecutor) -> None:
    opened = Opened(ready=0)
    read = blocked(opened, pool, 0)
    opened.stream.cancel()
    assert read.result(PATIENCE) == b""
    opened.stream.seek(0)
    assert opened.read(10) == b""


def test_close_ends_a_blocked_read_and_stops_the_feed(pool: ThreadPoolExecutor) -> None:
    opened = Opened(ready=0)
    read = blocked(opened, pool, 0)
    opened.stream.close()
    assert opened.feed.num_stops == 1
    assert read.result(PATIENCE) == b""


def waiting(pool: ThreadPoolExecutor) -> tuple[Opened, Future[bytes]]:
    """A stream of which record 2 was read, and a read of record 24 that waits."""
    opened = Opened(48, ready=3)
    opened.go_to(2)
    opened.read_record()
    return opened, blocked(opened, pool, 24)


def test_a_kick_ends_a_blocked_read_with_the_picture_in_hand(pool: ThreadPoolExecutor) -> None:
    opened, read = waiting(pool)
    opened.stream.kick(0.125)
    stale = read.result(PATIENCE)
    assert stale == opened.mkv.prefix(24) + opened.feed.frames[2].payload.tobytes()


def test_a_kicked_stream_reads_the_target_of_the_seek(pool: ThreadPoolExecutor) -> None:
    opened, read = waiting(pool)
    opened.stream.kick(0.0)
    read.result(PATIENCE)
    opened.go_to(0)
    assert opened.read_record() == opened.record(0)


def test_a_kick_that_no_seek_follows_spoils_one_record_only(pool: ThreadPoolExecutor) -> None:
    opened, read = waiting(pool)
    opened.stream.kick(0.0)
    read.result(PATIENCE)
    opened.feed.provide(48)
    assert opened.read_record() == opened.record(25)
    assert opened.read_record() == opened.record(26)


@pytest.mark.parametrize(
    ("record", "target"), [(24, 1.0), (24, 1.6), (24, 0.95), (47, 100.0)], ids=str
)
def test_a_read_that_waits_for_the_target_itself_is_not_kicked(
    pool: ThreadPoolExecutor, record: int, target: float
) -> None:
    opened = Opened(48, ready=3)
    opened.go_to(2)
    opened.read_record()
    read = blocked(opened, pool, record)
    opened.stream.kick(target)  # beyond the film is its last frame
    opened.feed.wait_asked()
    opened.feed.provide(48)
    assert read.result(PATIENCE) == opened.record(record)


def test_a_kick_without_a_blocked_read_is_nothing() -> None:
    opened = Opened()
    opened.go_to(0)
    opened.read_record()
    opened.stream.kick(100.0)
    assert opened.read_record() == opened.record(1)


def test_a_frame_is_not_handed_out_long_before_it_is_due(pool: ThreadPoolExecutor) -> None:
    playhead = FakePlayhead(0.0)
    opened = Opened(120, playhead=playhead)
    opened.go_to(48)  # due at 2 s
    read = pool.submit(opened.read_record)
    playhead.wait_asked(3)
    playhead.move(2.0 - AHEAD_SECONDS - 0.01)
    playhead.wait_asked(2)
    assert opened.feed.num_reads == 0
    playhead.move(2.0 - AHEAD_SECONDS)
    assert read.result(PATIENCE) == opened.record(48)


def test_a_playhead_that_goes_back_frees_a_read_held_back_by_pacing(
    pool: ThreadPoolExecutor,
) -> None:
    playhead = FakePlayhead(0.3)
    opened = Opened(120, playhead=playhead)
    opened.go_to(48)
    read = pool.submit(opened.read_record)
    playhead.wait_asked(2)
    assert opened.feed.num_reads == 0
    playhead.move(0.0)
    assert read.result(PATIENCE) == opened.record(48)


def test_cancel_ends_a_read_held_back_by_pacing(pool: ThreadPoolExecutor) -> None:
    playhead = FakePlayhead(None)
    opened = Opened(120, playhead=playhead)
    opened.go_to(48)
    read = pool.submit(opened.read_record)
    playhead.wait_asked(2)
    opened.stream.cancel()
    assert read.result(PATIENCE) == b""


# --- the end ---------------------------------------------------------------------------------


def test_a_stream_shorter_than_planned_ends_between_records() -> None:
    opened = Opened()
    whole = opened.whole()
    del opened.feed.frames[4]
    got = b""
    while piece := opened.read(700):
        got += piece
    assert got == whole[: offset_of(opened.mkv, 4)]
    assert opened.read(700) == b""


def test_after_the_end_a_seek_back_reads_on() -> None:
    opened = Opened()
    opened.stream.seek(opened.stream.size)
    assert opened.read(100) == b""
    opened.go_to(1)
    assert opened.read_record() == opened.record(1)


def test_a_feed_that_fails_ends_the_file_and_is_told_once() -> None:
    opened = Opened()
    del opened.feed.frames[5]
    opened.feed.error = DecodeError("broken")
    told: list[str] = []
    opened.stream.on_failure = lambda error: told.append(str(error))
    opened.go_to(4)
    assert opened.read_record() == opened.record(4)
    assert told == []
    assert opened.read(100) == opened.read(100) == b""
    assert told == ["broken"]
