"""Whatever happens to the engine, the film goes on: signals at any moment, a hundred times."""

from __future__ import annotations

import json
import os
import random
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from anympv import MPV, PATIENCE, AnyMpv, OwnWindow, is_there, wait_gone
from clips import FILM
from engine_faults import num_pictures
from seeks import FEATURE, HALF

if TYPE_CHECKING:
    from clips import Clips

pytestmark = [
    pytest.mark.mpv,
    pytest.mark.slow,
    pytest.mark.skipif(MPV is None, reason="no mpv"),
    pytest.mark.timeout(1800),
]

NUM_KILLS = 100


def engines_of(mpv: AnyMpv) -> list[int]:
    """The processes that this mpv has started and that still run."""
    found: list[int] = []
    for task in Path(f"/proc/{mpv.process.pid}/task").iterdir():
        try:
            children = (task / "children").read_text().split()
        except OSError:  # that thread is over
            continue
        found += [int(pid) for pid in children if is_there(int(pid))]
    return found


def goes_on(mpv: AnyMpv) -> None:
    """Wait until the film's own track is shown and time passes."""
    mpv.wait(lambda: not mpv.is_ours_shown, "the film's own track")
    before = mpv.player.time_pos
    mpv.wait(lambda: mpv.player.time_pos not in (None, before), "time to pass")


@pytest.mark.parametrize("what", [signal.SIGKILL, signal.SIGSEGV, signal.SIGABRT, signal.SIGSTOP])
def test_a_film_goes_on_when_its_engine_is_hit_while_it_plays(
    clips: Clips, tmp_path: Path, what: signal.Signals
) -> None:
    options = ("--loop-file=inf",)
    with AnyMpv(tmp_path, clips.get(FEATURE), mpv=options, patience="3") as mpv:
        mpv.begin()
        mpv.player.command("seek", 4, "absolute+exact")
        pid = mpv.tell()["pid"]
        os.kill(pid, what)
        goes_on(mpv)
        wait_gone(pid)
        mpv.wait_ours()


def test_an_engine_that_dies_while_it_starts_keeps_no_film_waiting(
    clips: Clips, tmp_path: Path
) -> None:
    with AnyMpv(tmp_path, clips.get(FEATURE), mpv=("--loop-file=inf",)) as mpv:
        for _ in range(2):
            mpv.wait(lambda: bool(engines_of(mpv)), "an engine")
            pid = engines_of(mpv)[0]
            os.kill(pid, signal.SIGKILL)
            wait_gone(pid)
        mpv.begin()
        goes_on(mpv)


def test_an_mpv_that_is_killed_while_its_engine_starts_leaves_none(
    clips: Clips, tmp_path: Path
) -> None:
    with AnyMpv(tmp_path, clips.get(FEATURE)) as mpv:
        mpv.wait(lambda: bool(engines_of(mpv)), "an engine")
        engines = engines_of(mpv)
        mpv.process.kill()
        mpv.process.wait(PATIENCE)
        for pid in engines:
            wait_gone(pid)


class Mpv(AnyMpv):
    """With a folder of its own for temporary files."""

    def environ(self, folder: Path) -> dict[str, str]:
        """Where those are."""
        (folder / "tmp").mkdir()
        return {"TMPDIR": str(folder / "tmp")}


class Recorded(OwnWindow, Mpv):
    """The window of ``rtvfi play``, which records."""

    def __init__(self, folder: Path, *files: Path | str, **settings: Any) -> None:
        words = ("--record", str(folder / "o.mkv"), "--report", str(folder / "report.json"))
        super().__init__(folder, *files, words=words, **settings)


def kill_many(mpv: AnyMpv) -> None:
    """A hundred engines, in all moods, with seeks between."""
    dice = random.Random(15)
    for _ in range(NUM_KILLS):
        if not engines_of(mpv) and mpv.tell()["pid"] is None:
            mpv.player.command("keypress", "Ctrl+i")
            mpv.wait(lambda: bool(engines_of(mpv)), "an engine")
        if dice.random() < 0.7:  # else while it starts
            mpv.wait(lambda: mpv.is_ours_shown or not engines_of(mpv), "its track")
        if dice.random() < 0.5:
            mpv.player.command("seek", dice.uniform(0, 9), "absolute+exact")
        for pid in engines_of(mpv):
            os.kill(pid, signal.SIGKILL)
            wait_gone(pid)
        assert mpv.process.poll() is None


def is_recorded(folder: Path) -> None:
    """All that was written has become files, and their pictures are there."""
    report = json.loads((folder / "report.json").read_text())
    assert report["recording"]["error"] is None
    assert report["recording"]["files"]
    assert len(report["engines"]["ended_early"]) >= NUM_KILLS / 2
    assert not (folder / "o.mkv.rtvfi").exists()
    for file in report["recording"]["files"]:
        assert num_pictures(folder / file["path"]) == file["frames"]


@pytest.mark.parametrize("player", [Mpv, Recorded])
def test_a_hundred_kills_at_any_moment_end_no_film_and_leave_nothing(
    clips: Clips, tmp_path: Path, player: type[AnyMpv]
) -> None:
    shared_memory = set(Path("/dev/shm").iterdir())
    with player(tmp_path, clips.get(FEATURE), mpv=("--loop-file=inf",), wait="1") as mpv:
        mpv.begin()
        kill_many(mpv)
        for pid in engines_of(mpv):
            os.kill(pid, signal.SIGKILL)
        goes_on(mpv)
        mpv.player.command("set", "pause", "yes")
        mpv.wait(lambda: mpv.player.pause is True, "a pause")
        mpv.settle("seek", 3, "absolute+exact")
        if not mpv.is_ours_shown:
            assert mpv.off_by(float(FILM)) < HALF
        last = engines_of(mpv)
        mpv.player.command("quit")
        assert mpv.process.wait(PATIENCE) == 0
        for pid in last:
            wait_gone(pid)
    assert [*(tmp_path / "run").iterdir()] == [*(tmp_path / "tmp").iterdir()] == []
    if player is Recorded:
        is_recorded(tmp_path)
    assert set(Path("/dev/shm").iterdir()) - shared_memory == set()
