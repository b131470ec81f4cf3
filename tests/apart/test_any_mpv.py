"""The user's own mpv with our script in its folder: smooth, and never worse than without."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from anympv import MPV, PATIENCE, AnyMpv, wait_gone
from clips import FILM, ClipSpec
from seeks import FEATURE, HALF, RARER_SEEKS, SEEKS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from clips import Clips

pytestmark = [
    pytest.mark.mpv,
    pytest.mark.skipif(MPV is None, reason="no mpv"),
    pytest.mark.timeout(240),
]


@pytest.fixture
def mpv(clips: Clips, tmp_path: Path) -> Iterator[AnyMpv]:
    """One that has begun with the film."""
    with AnyMpv(tmp_path, clips.get(FEATURE)) as mpv:
        mpv.begin()
        yield mpv


def test_a_film_is_smooth_and_every_seek_shows_the_picture_of_its_time(mpv: AnyMpv) -> None:
    assert mpv.is_ours_shown
    assert (mpv.time, mpv.number()) == (0, 0)
    for command in SEEKS:
        mpv.settle(*command)
        assert mpv.is_ours_shown
        assert mpv.off_by(float(FILM)) < HALF, command


class Homeless(AnyMpv):
    """One that listens nowhere by itself, where the folder for sockets is missing."""

    def environ(self, folder: Path) -> dict[str, str]:
        return {"XDG_RUNTIME_DIR": str(folder / "missing")}

    def _command(self, mpv: tuple[str, ...], files: list[str]) -> list[str]:
        return super()._command(mpv[1:], files)


def test_a_film_is_smooth_though_the_folder_for_sockets_is_missing(
    clips: Clips, tmp_path: Path
) -> None:
    log = tmp_path / "mpv.log"
    mpv = Homeless(tmp_path, clips.get(FEATURE), mpv=(f"--log-file={log}", "--length=0.2"))
    try:
        assert mpv.process.wait(PATIENCE) == 0
    finally:
        mpv.process.kill()
    tracks = [line for line in log.read_text().splitlines() if "'Interpolated'" in line]
    assert any("(+)" in line or "●" in line for line in tracks), "it is selected"


@pytest.mark.slow
def test_however_a_place_is_named_its_picture_is_shown(mpv: AnyMpv) -> None:
    mpv.settle("seek", 5.5, "absolute+exact")
    mpv.player.command("revert-seek", "mark-permanent")
    for command in (*RARER_SEEKS, ("revert-seek",)):
        mpv.settle(*command)
        assert mpv.is_ours_shown
        assert mpv.off_by(float(FILM)) < HALF, command
    assert mpv.time == pytest.approx(5.5, abs=0.05)


@pytest.mark.slow
def test_steps_forwards_and_backwards_show_one_picture_after_the_other(mpv: AnyMpv) -> None:
    mpv.settle("seek", 2, "absolute+exact")
    at = [mpv.time]
    for _ in range(5):
        mpv.player.command("frame-step")
        mpv.wait(lambda: mpv.time > at[-1] and mpv.player.pause, "a step")
        at.append(mpv.time)
        assert mpv.off_by(float(FILM)) < HALF
    for _ in range(5):
        mpv.settle("frame-back-step")
        at.append(mpv.time)
        assert mpv.off_by(float(FILM)) < HALF
    steps = [2 * float(FILM) * (after - before) for before, after in pairwise(at)]
    assert steps == pytest.approx([1] * 5 + [-1] * 5, abs=0.1)


@pytest.mark.slow
def test_a_loop_between_two_places_shows_the_pictures_between_them(mpv: AnyMpv) -> None:
    mpv.settle("seek", 4, "absolute+exact")
    mpv.player.command("set", "ab-loop-a", "3.7")
    mpv.player.command("set", "ab-loop-b", "4.3")
    for _ in range(3):
        mpv.settle("set", "pause", "no")  # the end of the stretch is a seek to its beginning
        mpv.player.command("set", "pause", "yes")
        mpv.wait(lambda: mpv.player.core_idle, "the pause")
        assert mpv.is_ours_shown
        assert 3.65 < mpv.time < 4.35
        assert mpv.off_by(float(FILM)) < HALF


def test_an_engine_that_is_killed_takes_no_film_along(mpv: AnyMpv) -> None:
    mpv.settle("seek", 3, "absolute+exact")
    first = mpv.kill_engine()
    mpv.wait_ours()
    mpv.check_at(5)
    assert mpv.kill_engine() != first
    mpv.check_at(2)
    assert not mpv.is_ours_shown


@pytest.mark.slow
def test_keys_switch_it_off_and_on_and_change_style_and_rate(mpv: AnyMpv) -> None:
    mpv.player.command("keypress", "Ctrl+i")
    mpv.wait(lambda: not mpv.is_ours_shown, "the original")
    mpv.player.command("keypress", "Ctrl+i")
    mpv.wait_ours()
    mpv.player.command("script-message", "rtvfi-style", "smooth")
    mpv.wait(lambda: mpv.tell()["style"] == "smooth", "the style")
    mpv.player.command("script-message", "rtvfi-fps", "3x")
    mpv.wait(lambda: Fraction(mpv.tell()["target_rate"]) == 3 * FILM, "the rate")
    mpv.check_at(4)
    assert mpv.is_ours_shown


@pytest.mark.slow
def test_the_menu_of_a_newer_mpv_has_our_entries_and_they_work(mpv: AnyMpv) -> None:
    if "menu-data" not in mpv.player.property_list:
        pytest.skip("an mpv without a menu")
    mpv.player.menu_data = [{"title": "Quit", "cmd": "quit"}]
    mpv.wait(lambda: len(mpv.player.menu_data) == 2, "our entries")
    ours = mpv.player.menu_data[1]
    assert ours["title"] == "Smooth motion"
    cmd = ours["submenu"][0]["cmd"]
    assert cmd == "script-binding rtvfi/rtvfi-toggle-key"
    mpv.player.command(*cmd.split())
    mpv.wait(lambda: not mpv.is_ours_shown, "the original")


@pytest.mark.slow
def test_every_entry_of_a_playlist_is_smooth(clips: Clips, tmp_path: Path) -> None:
    other = clips.get(ClipSpec(num_frames=48))
    with AnyMpv(tmp_path, clips.get(FEATURE), other, mpv=("--pause", "--keep-open")) as mpv:
        mpv.begin()
        before = mpv.tell()["pid"]
        mpv.player.command("playlist-next")
        mpv.wait(lambda: mpv.player.path == str(other), "the next film")
        mpv.begin()
        mpv.wait_ours()
        assert mpv.tell()["pid"] == before
        assert len([t for t in mpv.player.track_list if t["type"] == "video"]) == 2
        mpv.check_at(1)
        mpv.player.command("playlist-prev")
        mpv.wait(lambda: mpv.player.path != str(other), "the film before")
        mpv.begin()
        mpv.wait_ours()
        mpv.check_at(8)
        assert mpv.tell()["pid"] == before


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
    options, film = ("--loop-file=inf",), clips.get(FEATURE)
    with AnyMpv(tmp_path, film, film, mpv=options, letgo="always", rest="1") as mpv:
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
        mpv.wait_ours()
        after = mpv.tell()
        assert after["pid"] != before["pid"]
        mpv.player.command("set", "pause", "yes")
        wait_gone(after["pid"])
        mpv.settle("playlist-next")  # it is opened paused, and waits for an engine
        mpv.wait(lambda: mpv.tell()["pid"] is None, "the end of its engine")


@pytest.mark.slow
def test_a_script_that_comes_late_into_an_mpv_without_a_folder_finds_film_and_settings(
    clips: Clips, tmp_path: Path
) -> None:
    with AnyMpv(tmp_path, clips.get(FEATURE), mpv=("--pause", "--no-config")) as mpv:
        mpv.begin()
        assert not mpv.is_ours_shown
        mpv.player.command("load-script", str(tmp_path / "mpv" / "scripts" / "rtvfi.lua"))
        mpv.wait_ours()
        mpv.wait(lambda: mpv.tell().get("model") == "copy", "the engine to have noticed")
        mpv.check_at(3)
