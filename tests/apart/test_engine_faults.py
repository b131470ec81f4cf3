"""Faults inside the engine while a film plays: the film goes on, whatever the engine does."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from anympv import MPV, wait_gone
from clips import FILM
from engine_faults import FAULTS, Faulty, FaultyWindow
from seeks import FEATURE, HALF

if TYPE_CHECKING:
    from collections.abc import Iterator

    from anympv import AnyMpv
    from clips import Clips

pytestmark = [
    pytest.mark.mpv,
    pytest.mark.skipif(MPV is None, reason="no mpv"),
    pytest.mark.timeout(300),
]

PLAYS = ("--loop-file=inf",)


@pytest.fixture
def mpv(clips: Clips, tmp_path: Path) -> Iterator[Faulty]:
    """One that has begun with the film, for ever, and with a network."""
    with Faulty(tmp_path, clips.get(FEATURE), mpv=PLAYS, model="dis") as mpv:
        mpv.begin()
        yield mpv


def goes_on(mpv: AnyMpv) -> None:
    """Wait until the film's own track is shown and time passes."""
    mpv.wait(lambda: not mpv.is_ours_shown, "the film's own track")
    before = mpv.player.time_pos
    mpv.wait(lambda: mpv.player.time_pos not in (None, before), "time to pass")


def test_an_engine_that_allocates_without_end_is_ended_and_the_next_one_is_smaller(
    clips: Clips, tmp_path: Path
) -> None:
    with Faulty(tmp_path, clips.get(FEATURE), mpv=PLAYS, memory="0.7") as mpv:
        mpv.begin()
        wait_gone(mpv.do("allocate"))
        goes_on(mpv)
        mpv.wait_ours()


def test_an_engine_that_dies_while_mpv_waits_for_it_keeps_no_film_waiting(
    clips: Clips, tmp_path: Path
) -> None:
    film = clips.get(FEATURE)
    with Faulty(tmp_path, film, film, mpv=PLAYS) as mpv:
        mpv.begin()
        pid = mpv.do("die_at_opening")
        mpv.player.command("playlist-next")
        wait_gone(pid)
        mpv.wait(lambda: mpv.player.playlist_pos == 1, "the next film")
        mpv.begin()
        mpv.wait_ours()


@pytest.mark.parametrize("kind", [Faulty, FaultyWindow])
def test_a_connection_that_ends_in_a_picture_is_made_anew(
    clips: Clips, tmp_path: Path, kind: type[Faulty], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(FaultyWindow, "model", "copy")  # whose pictures have a number each
    with kind(tmp_path, clips.get(FEATURE), mpv=PLAYS) as mpv:
        mpv.begin()
        mpv.wait_ours()
        pid = mpv.do("cut_picture")
        mpv.player.command("set", "pause", "yes")
        mpv.check_at(4)
        assert mpv.is_ours_shown
        assert mpv.tell()["pid"] == pid


@pytest.mark.slow
@pytest.mark.parametrize("fault", ["segfault", "abort", "exit", "mistake"])
def test_a_film_goes_on_and_is_smooth_again_when_its_engine_breaks(mpv: Faulty, fault: str) -> None:
    pid = mpv.do(fault)
    mpv.player.command("seek", 4, "absolute+exact")
    goes_on(mpv)
    if fault != "mistake":  # it is ours, would happen again, and the engine lives
        wait_gone(pid)
        mpv.wait_ours()


@pytest.mark.slow
@pytest.mark.parametrize("fault", ["hang_in_model", "hang_in_decoder", "hold_interpreter"])
def test_a_film_goes_on_when_its_engine_hangs(clips: Clips, tmp_path: Path, fault: str) -> None:
    with Faulty(tmp_path, clips.get(FEATURE), mpv=PLAYS, model="dis", patience="4") as mpv:
        mpv.begin()
        pid = mpv.do(fault)
        mpv.player.command("seek", 4, "absolute+exact")
        goes_on(mpv)
        wait_gone(pid)
        goes_on_in_any_case(mpv)


@pytest.mark.slow
@pytest.mark.parametrize("fault", ["segfault", "exit", "allocate", "SIGKILL"])
def test_the_second_engine_is_smaller_and_the_last(
    clips: Clips, tmp_path: Path, fault: str
) -> None:
    with Faulty(tmp_path, clips.get(FEATURE), mpv=PLAYS, model="dis", memory="0.7") as mpv:
        mpv.begin()
        sizes = []
        for _ in range(2):
            mpv.wait(lambda: mpv.is_ours_shown, "an engine")
            pid = mpv.tell()["pid"]
            sizes.append("--smaller" in Path(f"/proc/{pid}/cmdline").read_text().split("\0"))
            mpv.do(fault)
            wait_gone(pid)
            mpv.wait(lambda: not mpv.is_ours_shown, "the film's own track")
        assert sizes == [False, True]
        assert mpv.tell()["pid"] is None  # the script says so, which has dealt with the end
        goes_on(mpv)


@pytest.mark.slow
def test_an_engine_that_hangs_while_a_film_is_opened_is_not_waited_for_twice(
    clips: Clips, tmp_path: Path
) -> None:
    film = clips.get(FEATURE)
    with Faulty(tmp_path, film, film, film, mpv=PLAYS, wait="3") as mpv:
        mpv.begin()
        mpv.wait_ours()
        pid = mpv.do("hang_at_opening")
        for _ in range(2):
            mpv.settle("playlist-next")
        wait_gone(pid)
        mpv.wait_ours()


@pytest.mark.slow
@pytest.mark.parametrize("fault", ["raise_in_model", "device_error"])
def test_a_model_that_fails_leaves_engine_and_track_with_the_films_frames(
    mpv: Faulty, fault: str
) -> None:
    pid = mpv.do(fault)
    mpv.wait(lambda: mpv.tell()["failure"] is not None, "the failure")
    assert mpv.tell()["pid"] == pid
    mpv.player.command("set", "pause", "yes")
    mpv.check_at(4)
    assert mpv.is_ours_shown


@pytest.mark.slow
def test_an_engine_that_died_while_paused_leaves_the_picture_of_that_moment(
    clips: Clips, tmp_path: Path
) -> None:
    with Faulty(tmp_path, clips.get(FEATURE), mpv=("--pause",)) as mpv:
        mpv.begin()
        mpv.settle("seek", 3, "absolute+exact")
        wait_gone(mpv.do("SIGKILL"))
        mpv.wait(lambda: not mpv.is_ours_shown, "the film's own track")
        mpv.wait_shown()
        assert mpv.off_by(float(FILM)) < HALF


def goes_on_in_any_case(mpv: AnyMpv) -> None:
    """Wait until time passes."""
    before = mpv.player.time_pos
    mpv.wait(lambda: mpv.player.time_pos not in (None, before), "time to pass")


def test_every_fault_of_the_table_is_one_that_an_engine_can_have() -> None:
    from faulty.sitecustomize import DEEDS

    names = {fault.name for fault in FAULTS}
    assert names - {"nothing", "SIGKILL", "SIGSTOP"} == set(DEEDS)
