"""The user's own mpv with our script in its folder: smooth, and never worse than without."""

from __future__ import annotations

import os
import signal
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import pytest
from anympv import MPV, PATIENCE, AnyMpv, is_there, wait_gone
from clips import FILM, ClipSpec

if TYPE_CHECKING:
    from pathlib import Path

    from clips import Clips

pytestmark = [
    pytest.mark.mpv,
    pytest.mark.skipif(MPV is None, reason="no mpv"),
    pytest.mark.timeout(240),
]

HALF = 0.51
FEATURE = ClipSpec(
    num_frames=240,
    gop=48,
    audio=True,
    chapters=(Fraction(0), Fraction(3), Fraction(6)),
)
SEEKS: list[tuple[Any, ...]] = [
    ("seek", 3.31, "absolute+exact"),
    ("seek", 9.9, "absolute+exact"),
    ("seek", 0, "absolute"),
    ("seek", 5, "absolute+keyframes"),
    ("seek", 0.02, "absolute+exact"),
    ("seek", 50, "absolute-percent"),
    ("seek", 90, "absolute-percent+keyframes"),
    ("seek", -1.7, "relative"),
    ("seek", -3, "relative+keyframes"),
    ("seek", 2.2, "relative+exact"),
    ("seek", -0.01, "relative+exact"),
    ("seek", 0.5, "absolute+exact"),
    ("add", "chapter", 1),
    ("add", "chapter", -1),
    ("frame-back-step",),
    ("frame-back-step",),
    ("seek", -100, "relative"),
    ("seek", 4.004, "absolute+exact"),
    ("frame-back-step",),
    ("seek", 0.9, "absolute+exact"),
    ("revert-seek",),
    ("seek", 6.0269, "absolute+exact"),
]


def test_a_film_is_smooth_and_every_seek_shows_the_picture_of_its_time(
    clips: Clips, tmp_path: Path
) -> None:
    with AnyMpv(tmp_path, clips.get(FEATURE)) as mpv:
        mpv.begin()
        assert mpv.is_ours_shown
        assert (mpv.time, mpv.number()) == (0, 0)
        for command in SEEKS:
            mpv.settle(*command)
            assert mpv.is_ours_shown
            assert mpv.off_by(float(FILM)) < HALF, command


def test_an_engine_that_is_killed_takes_no_film_along(clips: Clips, tmp_path: Path) -> None:
    with AnyMpv(tmp_path, clips.get(FEATURE)) as mpv:
        mpv.begin()
        mpv.settle("seek", 3, "absolute+exact")
        first = mpv.tell()["pid"]
        os.kill(first, signal.SIGKILL)
        wait_gone(first)
        mpv.wait(lambda: not mpv.is_ours_shown, "the film's own track")
        mpv.wait(lambda: mpv.is_ours_shown, "ours once more")
        second = mpv.tell()["pid"]
        assert second != first
        mpv.settle("seek", 5, "absolute+exact")
        assert mpv.off_by(float(FILM)) < HALF
        os.kill(second, signal.SIGKILL)
        wait_gone(second)
        mpv.wait(lambda: not mpv.is_ours_shown, "the film's own track")
        mpv.settle("seek", 2, "absolute+exact")
        assert mpv.off_by(float(FILM)) < HALF
        assert not mpv.is_ours_shown


def test_an_mpv_that_is_killed_leaves_no_engine_and_no_socket(clips: Clips, tmp_path: Path) -> None:
    with AnyMpv(tmp_path, clips.get(FEATURE)) as mpv:
        mpv.begin()
        engine = mpv.tell()["pid"]
        mpv.process.kill()
        mpv.process.wait(PATIENCE)
        wait_gone(engine)
        assert [*mpv.runtime.iterdir()] == []


@pytest.mark.slow
def test_an_mpv_that_quits_leaves_no_engine(clips: Clips, tmp_path: Path) -> None:
    with AnyMpv(tmp_path, clips.get(FEATURE)) as mpv:
        mpv.begin()
        engine = mpv.tell()["pid"]
        assert is_there(engine)
        mpv.player.command("quit")
        assert mpv.process.wait(PATIENCE) == 0
        wait_gone(engine)


@pytest.mark.slow
def test_keys_switch_it_off_and_on_and_change_style_and_rate(clips: Clips, tmp_path: Path) -> None:
    with AnyMpv(tmp_path, clips.get(FEATURE)) as mpv:
        mpv.begin()
        mpv.player.command("keypress", "Ctrl+i")
        mpv.wait(lambda: not mpv.is_ours_shown, "the original")
        mpv.player.command("keypress", "Ctrl+i")
        mpv.wait(lambda: mpv.is_ours_shown, "ours")
        mpv.player.command("script-message", "rtvfi-style", "smooth")
        mpv.wait(lambda: mpv.tell()["style"] == "smooth", "the style")
        mpv.player.command("script-message", "rtvfi-fps", "3x")
        mpv.wait(lambda: Fraction(mpv.tell()["target_rate"]) == 3 * FILM, "the rate")
        mpv.settle("seek", 4, "absolute+exact")
        assert mpv.is_ours_shown
        assert mpv.off_by(float(FILM)) < HALF


@pytest.mark.slow
def test_every_entry_of_a_playlist_is_smooth(clips: Clips, tmp_path: Path) -> None:
    other = clips.get(ClipSpec(num_frames=48))
    with AnyMpv(tmp_path, clips.get(FEATURE), other, mpv=("--pause", "--keep-open")) as mpv:
        mpv.begin()
        before = mpv.tell()["pid"]
        mpv.player.command("playlist-next")
        mpv.wait(lambda: mpv.player.path == str(other), "the next film")
        mpv.wait(lambda: mpv.player.playback_time is not None and mpv.is_ours_shown, "ours")
        assert mpv.tell()["pid"] == before
        assert len([t for t in mpv.player.track_list if t["type"] == "video"]) == 2


@pytest.mark.slow
def test_what_cannot_be_made_smooth_plays_as_it_is(clips: Clips, tmp_path: Path) -> None:
    with AnyMpv(tmp_path, clips.get(FEATURE), fps="10") as mpv:
        mpv.begin()
        assert not mpv.is_ours_shown
        assert mpv.number() == 0


def test_a_command_that_is_not_there_leaves_the_film(clips: Clips, tmp_path: Path) -> None:
    with AnyMpv(tmp_path, clips.get(FEATURE), command="/nonexistent/rtvfi") as mpv:
        mpv.begin()
        assert not mpv.is_ours_shown
        assert mpv.number() == 0


@pytest.mark.slow
def test_a_paused_film_lets_the_engine_go_and_is_smooth_again_when_it_plays(
    clips: Clips, tmp_path: Path
) -> None:
    options = ("--loop-file=inf",)
    with AnyMpv(tmp_path, clips.get(FEATURE), mpv=options, letgo="always", rest="1") as mpv:
        mpv.begin()
        assert mpv.is_ours_shown
        mpv.player.command("script-message", "rtvfi-style", "smooth")
        before = mpv.tell()
        assert before["style"] == "smooth"
        mpv.player.command("set", "pause", "yes")
        wait_gone(before["pid"])
        mpv.wait(lambda: not mpv.is_ours_shown and not mpv.player.seeking, "the film's own")
        mpv.settle("seek", 0, "relative+exact")
        assert mpv.off_by(float(FILM)) < HALF
        mpv.player.command("set", "pause", "no")
        mpv.wait(lambda: mpv.is_ours_shown, "ours again")
        after = mpv.tell()
        assert after["pid"] != before["pid"]


@pytest.mark.slow
def test_a_script_that_comes_late_into_an_mpv_without_a_folder_finds_film_and_settings(
    clips: Clips, tmp_path: Path
) -> None:
    with AnyMpv(tmp_path, clips.get(FEATURE), mpv=("--pause", "--no-config")) as mpv:
        mpv.begin()
        assert not mpv.is_ours_shown
        mpv.player.command("load-script", str(tmp_path / "mpv" / "scripts" / "rtvfi.lua"))
        mpv.wait(lambda: mpv.is_ours_shown, "ours")
        mpv.wait(lambda: mpv.tell().get("model") == "copy", "the engine to have noticed")
        mpv.settle("seek", 3, "absolute+exact")
        assert mpv.off_by(float(FILM)) < HALF
