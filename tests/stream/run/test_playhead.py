"""The playhead: estimated between reports, held at a seek's target until playback starts."""

from __future__ import annotations

import dataclasses
import threading
from typing import TYPE_CHECKING

import pytest
from fakes import FakeClock

from rtvfi.stream.run.playhead import HOLD_SECONDS, SILENCE_SECONDS, Playhead

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.fixture
def clock() -> FakeClock:
    clock = FakeClock()
    clock.advance(1000.0)
    return clock


@pytest.fixture
def playhead(clock: FakeClock) -> Playhead:
    """Running, at 10 s."""
    playhead = Playhead(clock)
    playhead.report(10.0)
    playhead.set_running(True)
    return playhead


def test_nothing_is_known_before_the_first_report() -> None:
    playhead = Playhead(FakeClock())
    playhead.set_running(True)
    playhead.set_speed(2.0)
    assert playhead.now() is None


def test_time_passes_between_reports(playhead: Playhead, clock: FakeClock) -> None:
    clock.advance(0.5)
    assert playhead.now() == 10.5


def test_a_report_replaces_the_estimate(playhead: Playhead, clock: FakeClock) -> None:
    clock.advance(0.5)
    playhead.report(10.25)
    assert playhead.now() == 10.25


def test_a_paused_player_stands_still(playhead: Playhead, clock: FakeClock) -> None:
    clock.advance(0.5)
    playhead.set_running(False)
    clock.advance(60.0)
    assert playhead.now() == 10.5


def test_a_player_that_goes_on_does_not_count_the_pause(
    playhead: Playhead, clock: FakeClock
) -> None:
    playhead.set_running(False)
    clock.advance(60.0)
    playhead.set_running(True)
    clock.advance(0.5)
    assert playhead.now() == 10.5


def test_a_new_speed_counts_from_now_on(playhead: Playhead, clock: FakeClock) -> None:
    clock.advance(1.0)
    playhead.set_speed(2.0)
    clock.advance(1.0)
    assert playhead.now() == 13.0


def test_a_late_picture_is_behind_the_sound(playhead: Playhead) -> None:
    playhead.set_late(0.3)
    assert playhead.now() == pytest.approx(10.3)


def test_an_early_picture_counts_as_in_step(playhead: Playhead) -> None:
    playhead.set_late(-0.3)
    assert playhead.now() == 10.0


def test_lateness_is_not_counted_twice(playhead: Playhead) -> None:
    playhead.set_late(0.5)
    playhead.set_speed(1.0)
    playhead.set_running(True)
    assert playhead.now() == 10.5


def test_the_end_of_a_file_takes_the_position_away(playhead: Playhead) -> None:
    playhead.report(None)
    assert playhead.now() is None


def test_a_seek_holds_its_target_whatever_is_reported(playhead: Playhead, clock: FakeClock) -> None:
    playhead.hold(100.0)
    clock.advance(5.0)
    playhead.report(15.0)
    assert playhead.now() == 100.0
    assert playhead.is_held


def test_playback_that_starts_ends_the_hold(playhead: Playhead) -> None:
    playhead.hold(100.0)
    playhead.restarted()
    playhead.report(100.04)
    assert playhead.now() == 100.04


def test_after_the_first_frame_the_hold_lasts_a_second(
    playhead: Playhead, clock: FakeClock
) -> None:
    playhead.hold(100.0)
    clock.advance(3.0)
    playhead.first_frame()
    assert not playhead.is_held
    clock.advance(HOLD_SECONDS - 0.01)
    playhead.report(100.9)
    assert playhead.now() == 100.0
    clock.advance(0.01)
    assert playhead.now() == pytest.approx(100.91)


def test_later_frames_do_not_prolong_the_hold(playhead: Playhead, clock: FakeClock) -> None:
    playhead.hold(100.0)
    playhead.first_frame()
    clock.advance(HOLD_SECONDS)
    playhead.first_frame()
    playhead.report(101.0)
    assert playhead.now() == 101.0


def test_a_second_seek_holds_its_own_target(playhead: Playhead) -> None:
    playhead.hold(100.0)
    playhead.first_frame()
    playhead.hold(200.0)
    assert playhead.is_held
    assert playhead.now() == 200.0


@pytest.mark.parametrize(
    "write",
    [
        lambda head: head.report(20.0),
        lambda head: head.set_late(0.1),
        lambda head: head.set_speed(2.0),
        lambda head: head.set_running(False),
    ],
)
def test_two_writers_lose_nothing_of_each_other(
    playhead: Playhead, monkeypatch: pytest.MonkeyPatch, write: Callable[[Playhead], None]
) -> None:
    """The demuxer thread asks for a hold at the worst moment: while a change is being made."""
    begun = threading.Event()

    def hold() -> None:
        begun.set()
        playhead.hold(100.0)

    demuxer = threading.Thread(target=hold)

    def replace(state: object, **fields: object) -> object:
        changed = dataclasses.replace(state, **fields)  # type: ignore[type-var]
        if demuxer.ident is None:
            demuxer.start()
            begun.wait()
            demuxer.join(0.05)  # long enough for a hold that nothing keeps from finishing
        return changed

    monkeypatch.setattr("rtvfi.stream.run.playhead.replace", replace)
    write(playhead)
    demuxer.join()
    assert playhead.now() == 100.0


def test_a_player_that_falls_silent_stands_still(playhead: Playhead, clock: FakeClock) -> None:
    clock.advance(3600.0)  # Ctrl+Z, and an hour later fg
    at = playhead.now()
    clock.advance(3600.0)
    assert playhead.now() == at == 10.0 + SILENCE_SECONDS
