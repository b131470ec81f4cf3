"""What users of mpv do besides watching one file from its beginning to its end."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from clips import FILM, ClipSpec
from playing import Playing, off_by

if TYPE_CHECKING:
    from pathlib import Path

    from clips import Clips

pytestmark = pytest.mark.mpv

HALF = 0.51
SHORT = ClipSpec(num_frames=48)
LONG = ClipSpec(num_frames=240, gop=48, audio=True)


def next_file(playing: Playing, command: str = "playlist-next") -> None:
    """Go to another entry and wait for its first picture."""
    restarts = playing.count("playback-restart")
    playing.mpv.command(command)
    playing.wait_for("playback-restart", restarts + 1)


# --- playlists -------------------------------------------------------------------------------


def test_the_choice_between_ours_and_the_original_goes_on_with_the_next_file(
    clips: Clips, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Playing(monkeypatch, clips.get(SHORT), clips.get(LONG)) as playing:
        playing.wait_for("playback-restart")
        playing.switch("script-message", "rtvfi-toggle")
        next_file(playing)
        assert not playing.is_ours_shown
        playing.switch("script-message", "rtvfi-toggle")
        assert playing.is_ours_shown
        next_file(playing, "playlist-prev")
        assert playing.is_ours_shown
        assert playing.number() == 0


# --- resuming --------------------------------------------------------------------------------


def test_a_film_goes_on_where_it_was_left_and_nothing_of_ours_is_kept(
    clips: Clips, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    folder = {"watch-later-directory": str(tmp_path), "pause": "yes"}
    film = clips.get(LONG)
    with Playing(monkeypatch, film, mpv={**folder, "save-position-on-quit": "yes"}) as playing:
        playing.wait_for("playback-restart")
        playing.settle("seek", 4.0244, "absolute+exact")
        playing.mpv.volume = 61
        left = playing.time
    (kept,) = tmp_path.iterdir()
    options = dict(line.split("=", 1) for line in kept.read_text().splitlines() if "=" in line)
    assert float(options.pop("start")) == pytest.approx(left, abs=1e-3)
    assert options == {"volume": "61.000000"}
    with Playing(monkeypatch, film, mpv=folder) as playing:
        playing.wait_for("playback-restart")
        assert playing.is_ours_shown
        assert playing.time == pytest.approx(left, abs=1.01 / float(2 * FILM))
        assert off_by(playing, FILM) < HALF
        assert playing.mpv.volume == 61


def test_the_key_that_quits_and_remembers_does(
    clips: Clips, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    options = {"watch-later-directory": str(tmp_path), "pause": "yes"}
    with Playing(monkeypatch, clips.get(LONG), mpv=options) as playing:
        playing.wait_for("playback-restart")
        playing.settle("seek", 2.5, "absolute+exact")
        playing.mpv.command("keypress", "Q")
        playing.join()
    (kept,) = tmp_path.iterdir()
    assert "start=2.5" in kept.read_text()
    assert "vid=" not in kept.read_text()
