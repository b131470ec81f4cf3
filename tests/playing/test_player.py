"""A real mpv shows the picture that belongs to its time, whatever the user does."""

from __future__ import annotations

import json
import random
from fractions import Fraction
from math import ceil, floor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from clips import FILM, ClipSpec
from playing import Playing, off_by
from seeks import FEATURE, HALF, SEEKS

from rtvfi.core.errors import OpenError
from rtvfi.core.options import StreamOptions
from rtvfi.playing.mpv import window
from rtvfi.stream.run.pipeline import Pipeline

if TYPE_CHECKING:
    from clips import Clips

pytestmark = pytest.mark.mpv

LAST = FEATURE.num_frames - 1
OUTPUT_STEP = float(1 / (2 * FILM))


def resident_mib() -> float:
    """Memory of this process."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * 4096 / 2**20


def play_all(monkeypatch: pytest.MonkeyPatch, files: list[Path]) -> None:
    """Play to the end; raises what the player raised."""
    with Playing(monkeypatch, *files) as playing:
        playing.join()
    if playing.error is not None:
        raise playing.error


def test_every_kind_of_seek_shows_the_picture_of_its_time(
    clips: Clips, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Playing(monkeypatch, clips.get(FEATURE)) as playing:
        playing.wait_for("playback-restart")
        assert playing.is_ours_shown
        assert (playing.time, playing.number()) == (0, 0)
        for command in SEEKS:
            playing.settle(*command)
            assert off_by(playing, FILM) < HALF, command
            if command[0] == "seek" and command[2] == "absolute+exact":
                assert abs(playing.time - command[1]) <= OUTPUT_STEP, command
    assert playing.code == 0


def test_frames_are_stepped_through_one_by_one(
    clips: Clips, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Playing(monkeypatch, clips.get(FEATURE)) as playing:
        playing.wait_for("playback-restart")
        playing.settle("seek", 2, "absolute+exact")
        start = playing.time
        for k in range(1, 7):
            playing.step()
            assert playing.time - start == pytest.approx(k * OUTPUT_STEP, abs=2e-3)
            assert off_by(playing, FILM) < HALF
        for k in range(5, -1, -1):
            playing.settle("frame-back-step")
            assert playing.time - start == pytest.approx(k * OUTPUT_STEP, abs=2e-3)


def test_a_seek_past_the_end_shows_the_last_frame(
    clips: Clips, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Playing(monkeypatch, clips.get(FEATURE)) as playing:
        playing.wait_for("playback-restart")
        for _ in range(2):
            playing.settle("seek", 100, "absolute")
            assert playing.number() == LAST
            playing.settle("seek", 1, "absolute+exact")
            assert off_by(playing, FILM) < HALF


@pytest.mark.parametrize(
    "changes",
    [
        {"start": Fraction(10), "container": "ts", "audio": True},
        {"container": "mp4", "audio": True},
        {"start": Fraction(5)},
        {"codec": "libx265", "pix_fmt": "yuv420p10le"},
        {"pix_fmt": "yuv444p"},
        {"codec": "ffv1", "size": (321, 181)},
        {"rate": Fraction(25), "codec": "libvpx-vp9", "container": "webm"},
        {"holds": (2,)},
    ],
    ids=str,
)
def test_any_clip_shows_the_picture_of_its_time(
    clips: Clips, monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any]
) -> None:
    spec = ClipSpec(num_frames=96, **changes)
    with Playing(monkeypatch, clips.get(spec)) as playing:
        playing.wait_for("playback-restart")
        assert playing.is_ours_shown
        for target in (0.5, 2.1, 0.0, 3.2):
            playing.settle("seek", target, "absolute+exact")
            number = playing.number()
            place = playing.time * float(spec.rate)
            near = range(ceil(place - HALF), floor(place + HALF) + 1)
            shown = {spec.drawings[max(0, min(k, spec.num_frames - 1))] for k in near}
            assert number in shown, (target, playing.time)


def test_toggling_keeps_place_and_picture(clips: Clips, monkeypatch: pytest.MonkeyPatch) -> None:
    with Playing(monkeypatch, clips.get(FEATURE)) as playing:
        playing.wait_for("playback-restart")
        for is_on, target in ((False, 4.0244), (True, 4.0244), (False, 7.03), (True, 7.03)):
            playing.settle("seek", target, "absolute+exact")
            before = playing.time
            playing.switch("script-message", "rtvfi-toggle")
            assert playing.is_ours_shown == is_on
            assert abs(playing.time - before) < 1.5 / FILM
            assert off_by(playing, FILM) < HALF


def test_a_style_by_message_takes_hold_at_once(
    clips: Clips, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    report = tmp_path / "report.json"
    with Playing(monkeypatch, clips.get(FEATURE), report=report) as playing:
        playing.wait_for("playback-restart")
        playing.settle("seek", 4.0244, "absolute+exact")
        place = playing.time
        playing.settle("script-message", "rtvfi-style", "plain")
        assert playing.time == pytest.approx(place, abs=1e-3)
        assert off_by(playing, FILM) < HALF
        playing.switch("script-message", "rtvfi-style")
        assert not playing.is_ours_shown
        playing.switch("script-message", "rtvfi-style", "plain")
        assert playing.is_ours_shown
        assert off_by(playing, FILM) < HALF
    live = json.loads(report.read_text(encoding="utf-8"))["live"]
    assert (live["style"], live["passes"], live["level"]) == ("plain", 0, 0)


def test_everything_else_of_the_file_stays(clips: Clips, monkeypatch: pytest.MonkeyPatch) -> None:
    with Playing(monkeypatch, clips.get(FEATURE)) as playing:
        playing.wait_for("playback-restart")
        assert [len(playing.tracks(kind)) for kind in ("video", "audio", "sub")] == [2, 1, 1]
        assert [mark["title"] for mark in playing.mpv.chapter_list] == [
            "chapter 0",
            "chapter 1",
            "chapter 2",
        ]
        assert playing.mpv.duration == pytest.approx(float(FEATURE.duration), abs=0.05)
        playing.settle("seek", 1.2, "absolute+exact")
        playing.mpv.pause = False  # a paused mpv may read the subtitle without saying so
        playing.wait_value("sub-text", "line 2")


def test_a_clip_plays_to_its_end(
    clips: Clips, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    report = tmp_path / "report.json"
    path = clips.get(num_frames=36)
    with Playing(monkeypatch, path, mpv={"untimed": "yes"}, report=report) as playing:
        assert playing.join() == 0
    frames = json.loads(report.read_text(encoding="utf-8"))["frames"]
    assert frames["asked"] >= 71
    assert frames["interpolated"] == 0


def test_a_bad_entry_is_passed_over(clips: Clips, monkeypatch: pytest.MonkeyPatch) -> None:
    good, bad, after = clips.get(num_frames=24), clips.garbage(), clips.get(num_frames=30)
    with Playing(monkeypatch, good, bad, clips.empty(), after) as playing:
        playing.wait_for("playback-restart")
        playing.mpv.command("playlist-next")
        playing.wait_for("playback-restart", 2)
        assert playing.mpv.path == str(after)
        assert playing.is_ours_shown
        assert playing.number() == 0
    assert playing.code == 0


def test_a_bad_file_alone_is_an_error(clips: Clips, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(OpenError, match=r"garbage\.mkv"):
        play_all(monkeypatch, [clips.garbage()])


def test_a_film_that_nothing_can_show_is_an_error_and_not_called_no_film(
    clips: Clips, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DISPLAY", raising=False)
    playing = Playing(monkeypatch, clips.get(num_frames=24), mpv={"vo": "x11"})
    with playing:
        playing.join()
    assert isinstance(playing.error, OpenError)
    assert playing.error.hint == "rtvfi doctor tells more"


def test_a_film_plays_without_a_sound_device(
    clips: Clips, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    film = clips.get(num_frames=24, audio=True)
    nowhere = {"ao": "pcm", "ao-pcm-file": str(tmp_path / "no folder" / "o.wav"), "pause": "no"}
    with Playing(monkeypatch, film, mpv=nowhere) as playing:
        assert playing.join() == 0
    assert playing.error is None


def test_a_missing_window_is_said_once_and_the_sound_plays_on(
    clips: Clips, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(window, "is_missing", lambda _: True)
    film = clips.get(num_frames=24)
    with Playing(monkeypatch, film, film, mpv={"untimed": "yes"}) as playing:
        assert playing.join() == 0
    assert caplog.text.count("no window could be opened") == 1


def test_a_start_beyond_the_end_is_no_silence(
    clips: Clips, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "rtvfi")
    film = clips.get(num_frames=24)
    with Playing(monkeypatch, film, mpv={"pause": "no"}, start="99:99:99") as playing:
        playing.join()
    assert "--start 99:99:99 is beyond the end: the film lasts 1.0 s" in caplog.text


def test_only_bad_entries_are_an_error_that_names_the_first(
    clips: Clips, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(OpenError, match=r"garbage\.mkv"):
        play_all(monkeypatch, [clips.garbage(), clips.empty()])


def test_quitting_while_it_plays_ends_at_once(
    clips: Clips, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Playing(monkeypatch, clips.get(FEATURE), mpv={"pause": "no"}) as playing:
        playing.wait_for("playback-restart")
        playing.mpv.command("quit")
        assert playing.join() == 0


def test_a_model_fills_in_between_and_leaves_source_frames_alone(
    clips: Clips, monkeypatch: pytest.MonkeyPatch
) -> None:
    used: list[Any] = []
    real = Pipeline.use

    def use(self: Pipeline, executor: Any) -> None:
        real(self, executor)
        used.append(executor)
        playing.note("model")

    monkeypatch.setattr(Pipeline, "use", use)
    plain = StreamOptions(style="plain")  # evening out would leave no source frame alone
    playing = Playing(monkeypatch, clips.get(FEATURE), model="linear", stream=plain)
    with playing:
        playing.wait_for("model")
        assert used[0] is not None
        for index in (24, 51, 100):
            playing.settle("seek", float(index / FILM), "absolute+exact")
            assert playing.number() == index
            playing.settle("seek", float((index + Fraction(1, 2)) / FILM), "absolute+exact")
            assert playing.number() is None


@pytest.mark.slow
def test_random_seeks_neither_hang_nor_grow(clips: Clips, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = random.Random(5)
    with Playing(monkeypatch, clips.get(FEATURE), mpv={"pause": "no"}) as playing:
        playing.wait_for("playback-restart")
        memory = 0.0
        for round_ in range(25):
            if rng.random() < 0.3:
                shown = playing.mpv.vid
                playing.mpv.command("script-message", "rtvfi-toggle")
                playing.wait_value("vid", 3 - shown)
            if rng.random() < 0.4:
                playing.mpv.command("cycle", "pause")
            for _ in range(3):
                playing.mpv.command("seek", rng.uniform(0, 9), "absolute")
            playing.land(rng.uniform(0, 9))
            if round_ == 10:
                memory = resident_mib()
        assert resident_mib() - memory < 32
        playing.mpv.pause = True
        playing.land(4.004)
        assert off_by(playing, FILM) < HALF
