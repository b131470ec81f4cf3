"""What breaks while a film plays in a real mpv, and what is wanted then: the film plays on."""

from __future__ import annotations

import contextlib
import json
import random
import signal
import threading
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import av
import mpv
import pytest
from clips import FILM, Clips, ClipSpec
from fakes import Latch, raising
from files import planes
from playing import Playing
from scripts import run_script

from rtvfi.core.errors import DecodeError, PlayerError
from rtvfi.core.options import EncodeOptions, StreamOptions
from rtvfi.engine.model_host import ModelHost
from rtvfi.playing.opening import Opener
from rtvfi.playing.showing import Showing
from rtvfi.playing.track import Tracks
from rtvfi.stream.decode.pyav import PyavSource
from rtvfi.stream.run.executors.interpolate import Interpolation

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable
    from logging import LogRecord
    from pathlib import Path

pytestmark = pytest.mark.mpv

FEATURE = ClipSpec(num_frames=84, size=(160, 90))
PLAIN = StreamOptions(style="plain")
FULL = RuntimeError("CUDA out of memory. Tried to allocate 20.00 GiB")


def report_of(path: Path) -> dict[str, Any]:
    report: dict[str, Any] = json.loads(path.read_text())
    return report


def report_played(
    monkeypatch: pytest.MonkeyPatch, film: Path, folder: Path, **mpv: str
) -> dict[str, Any]:
    """The report about a film that was played to its end."""
    out = folder / "report.json"
    options = {"pause": "no", **mpv}
    with Playing(
        monkeypatch, film, model="linear", stream=PLAIN, report=out, mpv=options
    ) as playing:
        assert playing.join() == 0
    return report_of(out)


def watch_scales(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The flow scales that models are loaded at."""
    scales: list[float] = []
    real = ModelHost._load

    def load(self: ModelHost, model_id: str, scale: float) -> Any:
        scales.append(scale)
        return real(self, model_id, scale)

    monkeypatch.setattr(ModelHost, "_load", load)
    return scales


def break_model(monkeypatch: pytest.MonkeyPatch, is_broken: Callable[[], bool]) -> None:
    """Calls of a model find the memory full while ``is_broken`` says so."""
    real = Interpolation.run

    def run(self: Interpolation, *arguments: Any) -> Any:
        if is_broken():
            raise FULL
        return real(self, *arguments)

    monkeypatch.setattr(Interpolation, "run", run)


# ---- the model ----


def test_memory_that_is_full_at_the_start_gives_a_smaller_scale(
    clips: Clips, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    scales = watch_scales(monkeypatch)
    break_model(monkeypatch, lambda: scales[-1] > 0.25)
    report = report_played(monkeypatch, clips.get(FEATURE), tmp_path, speed="2")
    assert scales[:3] == [1, 0.5, 0.25]
    said = [r.getMessage() for r in caplog.records if "out of memory: motion" in r.getMessage()]
    assert said == [f"out of memory: motion is now estimated at scale {s}" for s in ("0.5", "0.25")]
    assert report["frames"]["interpolated"] > 0
    assert "out of memory" in report["live"]["failure"]


def test_memory_that_fills_up_while_playing_gives_a_smaller_scale(
    clips: Clips, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    scales = watch_scales(monkeypatch)
    calls = [0]

    def is_broken() -> bool:
        calls[0] += 1
        return scales[-1] == 1 and calls[0] > 30

    break_model(monkeypatch, is_broken)
    report = report_played(monkeypatch, clips.get(FEATURE), tmp_path)
    assert 0.5 in scales
    assert calls[0] > 31, "it goes on at that scale"
    assert report["frames"]["interpolated"] > 0


def test_memory_that_stays_full_leaves_source_frames_and_says_so(
    clips: Clips, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    break_model(monkeypatch, lambda: True)
    report = report_played(monkeypatch, clips.get(FEATURE), tmp_path, speed="2")
    warnings = [r.getMessage() for r in caplog.records if r.levelname == "WARNING"]
    assert any("not enough memory" in text for text in warnings)
    assert report["frames"]["interpolated"] == 0
    assert report["frames"]["copied"] > 0
    assert "not enough memory" in report["live"]["failure"]


def test_a_model_that_breaks_is_said_and_reported(
    clips: Clips, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    calls = [0]
    real = Interpolation.run

    def run(self: Interpolation, *arguments: Any) -> Any:
        calls[0] += 1
        if calls[0] > 3:
            raise RuntimeError("an illegal instruction")
        return real(self, *arguments)

    monkeypatch.setattr(Interpolation, "run", run)
    report = report_played(monkeypatch, clips.get(FEATURE), tmp_path, speed="2")
    assert report["live"]["failure"] == "the model failed: an illegal instruction"
    assert any("illegal instruction" in r.getMessage() for r in caplog.records)


# ---- the decoder ----


@pytest.mark.parametrize("error", [DecodeError("the disk is gone"), AssertionError("a bug")])
def test_the_original_plays_on_when_our_decoder_dies(
    clips: Clips,
    monkeypatch: pytest.MonkeyPatch,
    error: Exception,
    error_log: list[LogRecord],
) -> None:
    real = PyavSource.read
    count = [0]

    def read(self: PyavSource) -> Any:
        count[0] += 1
        if count[0] > 30:
            raise error
        return real(self)

    monkeypatch.setattr(PyavSource, "read", read)
    with Playing(monkeypatch, clips.get(FEATURE), mpv={"pause": "no"}) as playing:
        playing.wait(lambda: (playing._values.get("time-pos") or 0) > 2.5, "the film to go on")
        assert not playing.is_ours_shown
        playing.join()
    assert playing.code == 0
    assert bool(error_log) == isinstance(error, AssertionError)


# ---- the player ----


def test_quitting_in_mid_hook_ends_at_once(clips: Clips, monkeypatch: pytest.MonkeyPatch) -> None:
    real = Showing.attach

    def attach(self: Showing, path: str, *, is_playing: bool) -> None:
        self._mpv.command("quit")
        real(self, path, is_playing=is_playing)

    monkeypatch.setattr(Showing, "attach", attach)
    with Playing(monkeypatch, clips.get(FEATURE)) as playing, contextlib.suppress(Exception):
        playing.join()
    assert not playing._thread.is_alive()
    assert not isinstance(playing.error, mpv.ShutdownError)


def test_files_are_opened_and_models_loaded_while_mpvs_events_go_on(
    clips: Clips, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads: dict[str, str] = {}

    def watched(owner: type, name: str) -> None:
        real = getattr(owner, name)

        def call(self: Any, *arguments: Any) -> Any:
            threads[name] = threading.current_thread().name
            return real(self, *arguments)

        monkeypatch.setattr(owner, name, call)

    watched(Opener, "view")
    watched(ModelHost, "executor")
    with Playing(
        monkeypatch,
        clips.get(FEATURE),
        model="linear",
        record=tmp_path / "o.mkv",
        encode=EncodeOptions(encoder="ffv1"),
    ) as playing:
        playing.wait_for("playback-restart")
    assert threads == {"view": "rtvfi-hook", "executor": "rtvfi-hook"}


def test_a_track_that_mpv_refuses_leaves_no_thread_behind(
    clips: Clips, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Tracks, "offer", raising(PlayerError("no room for a track")))
    with Playing(monkeypatch, clips.get(FEATURE)) as playing:
        playing.wait_for("playback-restart")
        names = {thread.name for thread in threading.enumerate()}
        assert not names & {"rtvfi-decode", "rtvfi-compute"}


def test_a_file_that_ends_before_its_track_comes_is_no_mistake(
    clips: Clips, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Playing(monkeypatch, clips.get(FEATURE), mpv={"idle": "yes", "pause": "yes"}) as playing:
        playing.wait_for("playback-restart")
        showing, viewing = playing._player._showing, playing.viewing
        playing.mpv.command("stop")
        playing.wait_for("end-file")
        with pytest.raises(PlayerError, match="mpv takes no track"):
            showing._tracks.offer(viewing, 1)


def test_quitting_while_a_seek_is_held_ends_at_once(
    clips: Clips, monkeypatch: pytest.MonkeyPatch
) -> None:
    latch, real = Latch(), PyavSource.seek

    def seek(self: PyavSource, target: Any) -> None:
        if target > 2:
            latch.pass_through(self._interrupted)
        real(self, target)

    monkeypatch.setattr(PyavSource, "seek", seek)
    with Playing(monkeypatch, clips.get(FEATURE)) as playing:
        playing.wait_for("playback-restart")
        playing.mpv.command("seek", 3, "absolute+exact")
        latch.wait_reached()
        playing.mpv.command("quit")
        assert playing.join() == 0


def test_a_storm_of_seeks_while_recording_loses_no_frame(
    clips: Clips, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = random.Random(7)
    film = clips.get(FEATURE)
    with Playing(
        monkeypatch,
        film,
        model="copy",
        record=tmp_path / "o.mkv",
        report=tmp_path / "report.json",
        encode=EncodeOptions(encoder="ffv1"),
        stream=PLAIN,
        mpv={"pause": "no"},
    ) as playing:
        playing.wait_for("playback-restart")
        for _ in range(40):
            playing.mpv.command("seek", rng.uniform(0, 3), "absolute+exact")
        playing.land(0)
        playing.join()
    recording = report_of(tmp_path / "report.json")["recording"]
    assert recording["error"] is None
    assert [file["frames"] for file in recording["files"]] == [168]
    times = [time for time, _ in planes(tmp_path / "o.mkv")]
    assert len(times) == 168
    assert max(b - a for a, b in pairwise(times)) < 1.1 / (2 * FILM)


# ---- the disk ----

_QUIET = ("vo=null", "ao=null", "config=no", "ytdl=no", "osc=no", "load-scripts=no")


def limited(words: list[str], most_bytes: int) -> subprocess.CompletedProcess[str]:
    """``rtvfi`` in a process that can write no file beyond a size, as on a disk that is full."""
    script = (
        "import resource, signal, sys; from rtvfi.__main__ import run; "
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN); "
        f"resource.setrlimit(resource.RLIMIT_FSIZE, ({most_bytes}, {most_bytes})); "
        "run()"
    )
    return run_script(script, *words)


@pytest.mark.skipif(not hasattr(signal, "SIGXFSZ"), reason="needs limits of POSIX")
def test_a_disk_that_fills_up_ends_a_rendering_in_one_sentence(
    clips: Clips, tmp_path: Path
) -> None:
    out = tmp_path / "o.mkv"
    words = ["--model", "linear", "--device", "cpu", "--encoder", "ffv1", "-o", str(out)]
    done = limited(["render", str(clips.get(FEATURE)), *words], 300_000)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert [line for line in done.stderr.splitlines() if line.startswith("error: ")] == [
        f'error: "{out}" cannot be written: File too large'
    ]
    with av.open(str(out)) as left:  # what is there plays
        assert sum(1 for _ in left.decode(video=0)) > 5


@pytest.mark.skipif(not hasattr(signal, "SIGXFSZ"), reason="needs limits of POSIX")
def test_a_disk_that_fills_up_ends_a_recording_and_not_the_film(
    clips: Clips, tmp_path: Path
) -> None:
    options = [word for option in _QUIET for word in ("--mpv", option)]
    words = ["--model", "copy", "--device", "cpu", "--encoder", "ffv1", "--fps", "2x"]
    files = ["--record", str(tmp_path / "o.mkv"), "--report", str(tmp_path / "report.json")]
    film = str(clips.get(FEATURE))
    done = limited(["play", film, *files, *words, *options], 300_000)
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    assert "recording stopped" in done.stderr
    report = report_of(tmp_path / "report.json")
    assert "File too large" in report["recording"]["error"]
    assert report["frames"]["asked"] > 150
