"""Recording and report of a window whose engine is apart, through deaths of either."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import pytest
from anympv import PATIENCE, ROOT, OwnWindow, wait_gone
from clips import FILM, ClipSpec, read_code
from files import planes, track

from rtvfi.core.rates import Grid
from rtvfi.stream.record.rescue import rescue
from rtvfi.stream.write.pieces import survey
from rtvfi.stream.write.timeline import Timeline

if TYPE_CHECKING:
    from pathlib import Path

    from clips import Clips

    from rtvfi.stream.record.assemble import Recorded

pytestmark = [pytest.mark.mpv, pytest.mark.timeout(240)]

FEATURE = ClipSpec(num_frames=360, audio=True, subtitles=True, size=(384, 216))
"""So large, and sought so far, that FFmpeg asks for another place after a seek: it reads on to one
that is nearer than a socket may hold, up to 32 MB by Linux's rules.
"""
FAR = 10
"""Seconds."""
RATE = 2 * FILM
ENOUGH = 60
"""Pictures: more than a second, less than what is made ahead of a player that is paused."""
LEAST_BYTES = 10_000
"""Of a picture without loss."""


class Recording(OwnWindow):
    """A window whose viewing is recorded."""

    def wait_written(self, seconds: int, num_pieces: int = 1) -> None:
        """Wait until so many pieces that begin there hold enough."""
        folder = self.folder / "o.mkv.rtvfi"
        full: set[Path] = set()

        def is_so() -> bool:
            try:
                lines = (folder / "recording.jsonl").read_text().splitlines()
                noted = [json.loads(line) for line in lines]
            except (OSError, ValueError):  # not there yet, or being written
                return False
            pieces = [line for line in noted if "piece" in line]
            there = [p["piece"] for p in pieces if round(p["first"] / RATE) == seconds]
            names = [folder / name if name else self.folder / "o.mkv" for name in there]
            full.update(name for name in names if name not in full and is_full(name))
            return len(full) >= num_pieces

        self.wait(is_so, f"pictures of {seconds} s")


def is_full(piece: Path) -> bool:
    """Whether a file under way holds enough; it is not read before it can."""
    if not piece.exists() or piece.stat().st_size < ENOUGH * LEAST_BYTES:
        return False
    line = Timeline(Grid(Fraction(0), 1 / RATE))  # where it begins does not count here
    return survey(piece, line, is_finished=True).num_frames >= ENOUGH


def window_of(source: Path, folder: Path, *words: str, **settings: Any) -> Recording:
    options = {"--record": "o.mkv", "--report": "report.json", "--log-file": "log"}
    told = [part for name, value in options.items() for part in (name, str(folder / value))]
    words = (*told, "--encoder", "ffv1", *words)
    return Recording(folder, source, words=words, **settings)


def go_elsewhere(window: Recording) -> None:
    """Watch another place for long enough."""
    window.settle("seek", FAR, "absolute+exact")
    window.wait_written(FAR)


def end(window: OwnWindow) -> None:
    """Quit, and wait until everything is written."""
    window.player.command("quit")
    assert window.process.wait(PATIENCE) == 0


def killed(window: OwnWindow, before: int | None = None) -> int:
    """Kill the engine that follows ``before`` and wait until it has ended; its process."""
    window.wait(lambda: window.tell()["pid"] not in (None, before), "an engine")
    pid = int(window.tell()["pid"])
    os.kill(pid, signal.SIGKILL)
    wait_gone(pid)
    return pid


def killed_for_good(window: Recording) -> None:
    """Kill the engine twice, so that none follows."""
    killed(window, killed(window))
    window.wait(lambda: window.tell()["pid"] is None, "the end of the engines")


def check_pictures(folder: Path, source: Path, files: list[Recorded]) -> None:
    """All files hold every frame of their stretch, and one of its neighbours between two, which is
    what the model ``copy`` makes at the double rate; and the sound.
    """
    heard = track(source, "audio").data
    for file in files:
        made, first = planes(folder / str(file["path"])), round(Fraction(file["from"]) * RATE)
        assert len(made) == file["frames"]
        for number, (_, (luma, *_)) in enumerate(made, first):
            assert read_code(luma) in (number // 2, (number + 1) // 2)
        sound = track(folder / str(file["path"]), "audio")
        assert sound.data[5:] == [data for data in heard if data in sound.data][5:]


def report_of(folder: Path) -> dict[str, Any]:
    report: dict[str, Any] = json.loads((folder / "report.json").read_text())
    assert not (folder / "o.mkv.rtvfi").exists()
    assert report["recording"]["error"] is None
    return report


def places(files: list[Recorded]) -> list[int]:
    assert all(file["frames"] >= ENOUGH for file in files)
    return [round(file["from"]) for file in files]


def checked_report(folder: Path, source: Path) -> dict[str, Any]:
    """The report of a viewing of two places, both recorded."""
    report = report_of(folder)
    files = report["recording"]["files"]
    assert places(files) == [0, FAR]
    check_pictures(folder, source, files)
    return report


@pytest.mark.slow
def test_a_viewing_with_a_seek_holds_every_frame(clips: Clips, tmp_path: Path) -> None:
    with window_of(clips.get(FEATURE), tmp_path) as window:
        window.begin()
        window.wait_written(0)
        go_elsewhere(window)
        end(window)
    report = checked_report(tmp_path, clips.get(FEATURE))
    assert report["engines"] == {"started": 1, "ended_early": []}
    assert report["frames"]["produced"] >= 2 * ENOUGH
    assert report["seeks"][-1]["target"] == FAR
    assert report["start_ms"]["first_picture"] > 0
    assert report["live"]["model"] == "copy"
    assert "because the engine died" not in (tmp_path / "log").read_text()


def test_an_engine_that_is_killed_leaves_what_it_wrote_and_the_next_goes_on(
    clips: Clips, tmp_path: Path
) -> None:
    with window_of(clips.get(FEATURE), tmp_path) as window:
        window.begin()
        window.wait_written(0)
        killed(window)
        window.wait_written(0, 2)
        go_elsewhere(window)
        end(window)
    report = checked_report(tmp_path, clips.get(FEATURE))
    assert report["engines"] == {"started": 2, "ended_early": ["killed by SIGKILL"]}
    assert "because the engine died" not in (tmp_path / "log").read_text()


@pytest.mark.slow
def test_after_two_deaths_the_film_goes_on_and_the_recording_says_where_it_ends(
    clips: Clips, tmp_path: Path
) -> None:
    with window_of(clips.get(FEATURE), tmp_path) as window:
        window.begin()
        window.wait_written(0)
        killed_for_good(window)
        window.settle("seek", FAR, "absolute+exact")
        end(window)
    report = report_of(tmp_path)
    assert places(report["recording"]["files"]) == [0]
    assert report["engines"] == {"started": 2, "ended_early": ["killed by SIGKILL"] * 2}
    said = (tmp_path / "log").read_text()
    assert said.count("the recording ends early, because the engine died: ") == 1


@pytest.mark.slow
def test_a_window_that_is_killed_leaves_a_recording_that_join_finishes(
    clips: Clips, tmp_path: Path
) -> None:
    with window_of(clips.get(FEATURE), tmp_path) as window:
        window.begin()
        window.wait_written(0)
        go_elsewhere(window)
        pid = int(window.tell()["pid"])
        window.process.kill()
        window.process.wait(PATIENCE)
        wait_gone(pid)
    files = rescue(tmp_path / "o.mkv")
    assert places(files) == [0, FAR]
    assert not any(file["is_cut_off"] for file in files)
    check_pictures(tmp_path, clips.get(FEATURE), files)


@pytest.mark.slow
def test_a_pause_does_not_end_an_engine_that_records(clips: Clips, tmp_path: Path) -> None:
    slow = ("--pause", "--speed=0.1")  # so that it does not come to the second place by itself
    with window_of(clips.get(FEATURE), tmp_path, letgo="always", rest="0", mpv=slow) as window:
        window.begin()
        window.wait_ours()
        first, begin = window.tell()["pid"], window.time
        window.player.pause = False
        window.wait(lambda: window.time > begin, "playing")
        window.player.pause = True
        window.wait_written(0)
        go_elsewhere(window)
        assert window.tell()["pid"] == first
        end(window)
    report = checked_report(tmp_path, clips.get(FEATURE))
    assert report["engines"] == {"started": 1, "ended_early": []}


@pytest.mark.slow
def test_what_an_older_recording_left_is_refused_before_a_window_opens(tmp_path: Path) -> None:
    target = tmp_path / "o.mkv"
    target.with_name("o.mkv.rtvfi").mkdir()
    words = ["play", "--engine", "apart", "--device", "cpu", "--model", "copy"]
    done = subprocess.run(
        [sys.executable, "-P", "-m", "rtvfi", *words, "--record", str(target)],
        env={**os.environ, "PYTHONPATH": str(ROOT), "RTVFI_CONFIG": ""},
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
    )
    assert (done.returncode, "holds pieces of a recording" in done.stderr) == (2, True)


@pytest.mark.slow
def test_force_removes_an_older_recording_before_an_engine_goes_on_with_it(
    clips: Clips, tmp_path: Path
) -> None:
    folder = tmp_path / "o.mkv.rtvfi"
    folder.mkdir()
    (folder / "recording.jsonl").write_text('{"stopped": "the disk was full"}\n')
    with window_of(clips.get(FEATURE), tmp_path, "--force") as window:
        window.begin()
        window.wait_written(0)
        end(window)
    assert places(report_of(tmp_path)["recording"]["files"]) == [0]


@pytest.mark.slow
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 0)])
def test_ctrl_c_and_an_end_from_outside_finish_the_recording(
    number: signal.Signals, code: int, clips: Clips, tmp_path: Path
) -> None:
    with window_of(clips.get(FEATURE), tmp_path) as window:
        window.begin()
        window.wait_written(0)
        window.process.send_signal(number)
        assert window.process.wait(PATIENCE) == code
    (file,) = report_of(tmp_path)["recording"]["files"]
    assert not file["is_cut_off"]


@pytest.mark.slow
def test_an_encoder_that_cannot_start_is_said_and_the_film_goes_on(
    clips: Clips, tmp_path: Path
) -> None:
    with window_of(clips.get(FEATURE), tmp_path, "--encoder", "h264_nvenc") as window:
        window.begin()
        window.settle("seek", FAR, "absolute+exact")
        window.wait_ours()
        end(window)
    report = json.loads((tmp_path / "report.json").read_text())
    assert "h264_nvenc cannot be started" in report["recording"]["error"]
    assert report["engines"] == {"started": 1, "ended_early": []}


@pytest.mark.slow
def test_a_recording_spans_the_films_of_a_list(clips: Clips, tmp_path: Path) -> None:
    films = [clips.get(FEATURE, num_frames=num, size=(160, 90)) for num in (48, 60)]
    with window_of(films[0], tmp_path, "--", str(films[1]), mpv=("--pause=no",)) as window:
        assert window.process.wait(PATIENCE) == 0
    files = report_of(tmp_path)["recording"]["files"]
    assert sorted(file["frames"] for file in files) == [96, 120]
