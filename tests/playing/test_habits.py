"""What users of mpv do besides watching one file from its beginning to its end."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from clips import FILM, ClipSpec
from playing import Playing, off_by
from seeks import HALF

from rtvfi.core.options import StreamOptions
from rtvfi.stream.run.executors.interpolate import Interpolation
from rtvfi.stream.run.pipeline import Pipeline

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from clips import Clips

pytestmark = pytest.mark.mpv

PLAIN = StreamOptions(style="plain")
SHORT = ClipSpec(num_frames=48)
LONG = ClipSpec(num_frames=240, gop=48, audio=True)


# --- playlists -------------------------------------------------------------------------------


def test_the_choice_between_ours_and_the_original_goes_on_with_the_next_file(
    clips: Clips, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Playing(monkeypatch, clips.get(SHORT), clips.get(LONG)) as playing:
        playing.wait_for("playback-restart")
        playing.switch("script-message", "rtvfi-toggle")
        playing.next_file()
        assert not playing.is_ours_shown
        playing.switch("script-message", "rtvfi-toggle")
        assert playing.is_ours_shown
        playing.next_file("playlist-prev")
        assert playing.is_ours_shown
        assert playing.number() == 0


# --- resuming --------------------------------------------------------------------------------


def remembered(folder: Path) -> Path:
    """What mpv keeps of the one film; from 0.40 on it marks the folder of the film, too."""
    (kept,) = (path for path in folder.iterdir() if "start=" in path.read_text())
    return kept


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
    kept = remembered(tmp_path)
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
    kept = remembered(tmp_path)
    assert "start=2.5" in kept.read_text()
    assert "vid=" not in kept.read_text()


@pytest.mark.parametrize("begin", ["0", "1", "2"])
def test_a_playlist_begins_where_it_was_left(
    clips: Clips, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, begin: str
) -> None:
    films = [clips.get(SHORT, num_frames=number) for number in (60, 61, 62)]
    options = {
        "watch-later-directory": str(tmp_path),
        "pause": "yes",
        "save-position-on-quit": "yes",
    }
    with Playing(monkeypatch, *films, mpv={**options, "playlist-start": begin}) as playing:
        playing.wait_for("playback-restart")
        assert playing.mpv.path == str(films[int(begin)])
        playing.settle("seek", 1, "absolute+exact")
    with Playing(monkeypatch, *films, mpv=options) as playing:
        playing.wait_for("playback-restart")
        assert playing.mpv.path == str(films[int(begin)])
        wanted = list(map(str, films))  # the others come when the first plays
        playing.mpv.wait_for_property(
            "playlist", lambda entries: [one["filename"] for one in entries] == wanted
        )
        assert playing.mpv.playlist_pos == int(begin)
        assert playing.time == pytest.approx(1, abs=0.05)
        assert playing.is_ours_shown


# --- nobody looks ----------------------------------------------------------------------------


class Counted:
    """An executor of ``linear`` that counts what it is asked to make."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.num_frames = 0
        self.uses: list[bool] = []
        """Whether a pipeline was given a model or told to do without, each time."""
        run, use = Interpolation.run, Pipeline.use
        counted = self

        def counting_run(self: Interpolation, work: Any, sources: Any) -> Any:
            counted.num_frames += len(getattr(work, "outputs", "1"))  # a copy or a pass is one
            return run(self, work, sources)

        def counting_use(self: Pipeline, executor: Any) -> None:
            use(self, executor)
            counted.uses.append(executor is not None)
            counted.changed()

        self.changed: Callable[[], None] = lambda: None
        monkeypatch.setattr(Interpolation, "run", counting_run)
        monkeypatch.setattr(Pipeline, "use", counting_use)


AHEAD = round((1.5 + 0.5) * 2 * FILM) + 8
"""Frames that may be made before the player asks for more: what it reads ahead, and the ring."""


def test_a_paused_film_is_made_no_further_than_the_player_reads_ahead(
    clips: Clips, monkeypatch: pytest.MonkeyPatch
) -> None:
    counted = Counted(monkeypatch)
    film = clips.get(LONG, num_frames=480)
    with Playing(monkeypatch, film, model="linear", stream=PLAIN) as playing:
        counted.changed = lambda: playing.note("use")
        playing.wait_for("use")
        viewing = playing.viewing
        assert viewing.pipeline.wait_until_full(15)
        playing.settle("seek", 4, "absolute+exact")
        assert viewing.pipeline.wait_until_full(15)
        assert 0 < counted.num_frames < 2 * AHEAD


def test_a_minimised_window_gets_no_frames_of_the_model(
    clips: Clips, monkeypatch: pytest.MonkeyPatch
) -> None:
    counted = Counted(monkeypatch)
    with Playing(monkeypatch, clips.get(LONG), model="linear", stream=PLAIN) as playing:
        counted.changed = lambda: playing.note("use")
        playing.wait_for("use")
        playing.mpv["window-minimized"] = True
        playing.wait_for("use", 2)
        before = counted.num_frames
        playing.settle("seek", 6, "absolute+exact")
        assert off_by(playing, FILM) < HALF
        assert counted.num_frames == before
        playing.mpv["window-minimized"] = False
        playing.wait_for("use", 3)
        playing.settle("seek", 3, "absolute+exact")
        assert playing.viewing.pipeline.wait_until_full(15)
        assert counted.num_frames > before
    assert counted.uses == [True, False, True]


def test_the_model_comes_wherever_a_film_begins(
    clips: Clips, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    counted, report = Counted(monkeypatch), tmp_path / "report.json"
    film = clips.get(LONG)
    with Playing(
        monkeypatch, film, film, model="linear", stream=PLAIN, start="4", report=report
    ) as playing:
        counted.changed = lambda: playing.note("use")
        playing.wait_for("use")
        playing.next_file()
        assert playing.time == pytest.approx(4, abs=0.05)
        playing.wait_for("use", 2)
    assert counted.uses == [True, True]
    assert json.loads(report.read_text())["seeks"] == []


# --- what the user set up for mpv ------------------------------------------------------------


def test_settings_keys_and_scripts_of_mpv_hold(
    clips: Clips, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "mpv.conf").write_text("volume=41\nsub-color=1.0/0.0/0.0\n")
    (tmp_path / "input.conf").write_text("F8 script-message rtvfi-toggle\nCtrl+f set volume 42\n")
    (tmp_path / "scripts").mkdir()
    (tmp_path / "scripts" / "own.lua").write_text(
        'mp.register_event("file-loaded", function() mp.set_property("audio-delay", 0.25) end)\n'
    )
    options = {"config": "yes", "config-dir": str(tmp_path), "load-scripts": "yes", "pause": "yes"}
    with Playing(monkeypatch, clips.get(LONG), mpv=options) as playing:
        playing.wait_for("playback-restart")
        assert playing.is_ours_shown
        assert playing.mpv.volume == 41
        playing.wait(lambda: playing.mpv.audio_delay == 0.25, "the user's script")
        playing.mpv.command("keypress", "Ctrl+f")
        playing.wait(lambda: playing.mpv.volume == 42, "the user's own Ctrl+f")
        playing.switch("keypress", "F8")
        assert not playing.is_ours_shown
        playing.switch("keypress", "Ctrl+i")
        assert playing.is_ours_shown


def test_mpv_deinterlaces_the_original_only(clips: Clips, monkeypatch: pytest.MonkeyPatch) -> None:
    options = {"deinterlace": "yes", "pause": "yes"}
    with Playing(monkeypatch, clips.get(SHORT), clips.get(LONG), mpv=options) as playing:
        playing.wait_for("playback-restart")
        for _ in range(2):
            assert playing.mpv["deinterlace"] is False
            playing.switch("script-message", "rtvfi-toggle")
            assert playing.mpv["deinterlace"] is True
            playing.switch("script-message", "rtvfi-toggle")
            if playing.mpv.playlist_pos == 0:
                playing.next_file()
        playing.switch("script-message", "rtvfi-toggle")
        playing.mpv["deinterlace"] = "no"
        for _ in range(2):
            playing.switch("script-message", "rtvfi-toggle")
            assert playing.mpv["deinterlace"] is False


def test_mpvs_own_interpolation_may_be_on(clips: Clips, monkeypatch: pytest.MonkeyPatch) -> None:
    options = {"interpolation": "yes", "video-sync": "display-resample", "pause": "yes"}
    with Playing(monkeypatch, clips.get(LONG), mpv=options) as playing:
        playing.wait_for("playback-restart")
        assert playing.is_ours_shown
        for target in (3.3, 0.5):
            playing.settle("seek", target, "absolute+exact")
            assert off_by(playing, FILM) < HALF


@pytest.mark.parametrize("container", ["ts", "mkv", "mp4"])
def test_a_silent_film_does_not_end_when_it_is_switched(
    clips: Clips, monkeypatch: pytest.MonkeyPatch, container: str
) -> None:
    film = clips.get(LONG, audio=False, container=container, num_frames=120)
    with Playing(monkeypatch, film) as playing:
        playing.wait_for("playback-restart")
        playing.settle("seek", 2, "absolute+exact")
        for number in (1, 2, 1):
            restarts = playing.count("playback-restart")
            playing.mpv.command("script-message", "rtvfi-toggle")
            if number == 1:
                playing.wait_for("playback-restart", restarts + 1)
            playing.wait_value("vid", number)
            playing.wait(lambda: off_by(playing, FILM) < HALF, "the picture of the time")
            assert abs(playing.time - 2) < 1.01 / FILM
        playing.mpv.pause = False
        assert playing.join() == 0, "and it ends as usual"
