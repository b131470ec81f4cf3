"""Which rate of a display is believed."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from clips import Clips, ClipSpec
from playing import Playing

from rtvfi.playing.mpv.display import READINGS, SETTLING_SECONDS, Display


class Watched:
    """A display, and the rates that were believed of it."""

    def __init__(self) -> None:
        self.believed: list[float] = []
        self.display = Display(self.believed.append)
        self.now = 100.0

    def tell(self, rate: float | None) -> None:
        self.display.tell(rate, self.now)

    def look(self, told: float | None, *measured: float | None) -> None:
        for rate in measured:
            self.now += 0.5
            player: Any = SimpleNamespace(display_fps=told, estimated_display_fps=rate)
            self.display.look(player, self.now)


@pytest.fixture
def watched() -> Watched:
    return Watched()


LONG = READINGS + round(2 * SETTLING_SECONDS)


def test_what_is_told_is_believed_at_first(watched: Watched) -> None:
    watched.tell(60.0)
    assert watched.believed == [60]
    assert watched.display.rate == 60


@pytest.mark.parametrize("rate", [None, 0.0, float("nan")])
def test_a_display_of_no_rate_is_none(watched: Watched, rate: float | None) -> None:
    watched.tell(rate)
    assert watched.believed == []
    assert watched.display.rate is None


def test_what_is_measured_settles_what_was_told_of_another_monitor(watched: Watched) -> None:
    watched.tell(60.0)
    watched.look(60.0, *[143.9, 144.2] * LONG)
    assert watched.believed == [60, 144]


def test_nothing_is_taken_before_the_window_has_settled(watched: Watched) -> None:
    watched.tell(60.0)
    watched.look(60.0, *[144.0] * (round(2 * SETTLING_SECONDS) - 1))
    watched.display.restart(watched.now)
    watched.look(60.0, *[144.0] * (READINGS + round(2 * SETTLING_SECONDS) - 2))
    assert watched.believed == [60]
    watched.look(60.0, 144.0)
    assert watched.believed == [60, 144]


def test_a_measurement_that_agrees_leaves_what_was_told(watched: Watched) -> None:
    watched.tell(59.94)
    watched.look(59.94, *[59.8, 60.1] * LONG)
    assert watched.believed == [59.94]


def test_what_was_told_is_believed_again_when_measuring_agrees(watched: Watched) -> None:
    watched.tell(60.0)
    watched.look(60.0, *[144.0] * LONG)
    watched.look(60.0, *[60.0] * LONG)
    assert watched.believed == [60, 144, 60]


def test_another_monitor_is_told_and_measured_anew(watched: Watched) -> None:
    watched.tell(60.0)
    watched.look(60.0, *[144.0] * LONG)
    watched.look(75.0, None)  # read again, without waiting for mpv to tell
    assert watched.believed == [60, 144, 75]
    watched.look(75.0, *[75.1] * LONG)
    assert watched.believed == [60, 144, 75]


@pytest.mark.parametrize(
    "measured",
    [
        [None] * LONG,  # mpv keeps time by the sound
        [40.0, 90.0, 60.0] * LONG,  # the rate varies
        [1.0] * LONG,  # a window that nobody sees
        [144.0, 144.0, None] * LONG,
    ],
)
def test_measurements_that_say_nothing_change_nothing(
    watched: Watched, measured: list[float | None]
) -> None:
    watched.tell(60.0)
    watched.look(60.0, *measured)
    assert watched.believed == [60]


def test_a_rate_that_is_no_whole_number_is_taken_as_measured(watched: Watched) -> None:
    watched.look(None, *[47.6] * LONG)
    assert watched.believed == [47.6]


# --- a player --------------------------------------------------------------------------------


@pytest.mark.mpv
def test_the_grid_follows_what_is_believed(clips: Clips, monkeypatch: pytest.MonkeyPatch) -> None:
    film = clips.get(ClipSpec(num_frames=48, size=(160, 90)))
    with Playing(monkeypatch, film, fps="display") as playing:
        playing.wait_for("playback-restart")
        source = playing.viewing.info.source_rate
        playing._player._display._believe(4.2 * float(source))
        playing.wait(lambda: playing.viewing.target_rate == 4 * source, "another grid")
        playing._player._display._believe(2.2 * float(source))
        playing.wait(lambda: playing.viewing.target_rate == 2 * source, "another grid")


@pytest.mark.mpv
def test_switched_off_the_display_gets_the_rate_of_the_film(
    clips: Clips, monkeypatch: pytest.MonkeyPatch
) -> None:
    film = clips.get(ClipSpec(num_frames=48, size=(160, 90)))
    with Playing(monkeypatch, film, fps="vrr:144") as playing:
        playing.wait_for("playback-restart")
        source = playing.viewing.info.source_rate
        assert playing.viewing.target_rate == 144 // source * source
        before = playing.mpv["video-sync"]
        playing.switch("script-message", "rtvfi-toggle")
        assert playing.mpv.container_fps == pytest.approx(float(source))
        assert playing.mpv["video-sync"] == before
