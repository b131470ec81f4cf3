"""Recording a viewing in a real player."""

from __future__ import annotations

import json
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import av
import numpy as np
import pytest
from clips import FILM, Clips, ClipSpec
from files import planes, track, tracks
from playing import Playing

from rtvfi.cli import main as cli
from rtvfi.core.options import EncodeOptions, StreamOptions

if TYPE_CHECKING:
    from pathlib import Path

    from rtvfi.core.options import Style

pytestmark = pytest.mark.mpv

FEATURE = ClipSpec(num_frames=240, audio=True, subtitles=True, cuts=(100,), size=(160, 90))
RATE = 2 * FILM


def record(monkeypatch: pytest.MonkeyPatch, source: Path, folder: Path, **options: Any) -> Playing:
    fields: dict[str, Any] = {
        "model": "linear",
        "record": folder / "o.mkv",
        "report": folder / "report.json",
        "encode": EncodeOptions(encoder="ffv1"),
        "stream": StreamOptions(style="plain"),
        "mpv": {"pause": "no"},
    }
    return Playing(monkeypatch, source, **{**fields, **options})


def wait_past(playing: Playing, seconds: float) -> None:
    playing.wait(lambda: (playing._values.get("time-pos") or 0) >= seconds, f"{seconds} s")


def recorded(folder: Path) -> list[dict[str, Any]]:
    files: list[dict[str, Any]] = json.loads((folder / "report.json").read_text())["recording"][
        "files"
    ]
    return files


def slots(spans: list[list[float]]) -> set[int]:
    """Numbers of the pictures in these stretches of a report, in seconds."""
    bounds = [(round(Fraction(a) * RATE), round(Fraction(b) * RATE)) for a, b in spans]
    return {slot for first, last in bounds for slot in range(first, last)}


def test_a_viewing_with_seeks_is_what_render_gives(
    clips: Clips, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = clips.get(FEATURE)
    with record(monkeypatch, source, tmp_path) as playing:
        wait_past(playing, 1.5)
        playing.mpv.pause = True
        playing.settle("seek", 0.5, "absolute+exact")
        playing.mpv.pause = False
        wait_past(playing, 1)
        playing.settle("seek", 6, "absolute+exact")
        wait_past(playing, 7.5)
    whole = tmp_path / "whole.mkv"
    words = (
        "--model",
        "linear",
        "--fps",
        "2x",
        "--encoder",
        "ffv1",
        "--device",
        "cpu",
        "--style",
        "plain",
    )
    assert cli.main(["render", str(source), "-o", str(whole), "--device", "cpu", *words]) == 0
    wanted = planes(whole)
    files = recorded(tmp_path)
    assert [file["from"] < 0.01 for file in files] == [True, False]
    for file in files:
        first = round(Fraction(file["from"]) * RATE)
        late = slots(file["stand_ins"])  # a slow machine has some after a seek, and lists them
        pictures = planes(tmp_path / str(file["path"]))
        assert len(pictures) == file["frames"] > RATE
        assert len(late) < len(pictures) / 2
        for slot, ((_, made), (_, same)) in enumerate(
            zip(pictures, wanted[first:], strict=False), first
        ):
            is_same = all(np.array_equal(a, b) for a, b in zip(made, same, strict=True))
            assert is_same or slot in late
        sound = track(tmp_path / str(file["path"]), "audio")
        assert sound.data[5:] == [d for d in track(source, "audio").data if d in sound.data][5:]


@pytest.mark.parametrize("style", ["plain", "smooth"])
def test_what_was_skipped_is_what_render_gives(
    style: Style, clips: Clips, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = clips.get(FEATURE)
    stream = StreamOptions(style=style)
    with record(monkeypatch, source, tmp_path, completes_recording=True, stream=stream) as playing:
        wait_past(playing, 1.5)
        playing.settle("seek", 6, "absolute+exact")
        wait_past(playing, 7.5)
    (file,) = recorded(tmp_path)
    begin, end = max(file["filled"], key=lambda span: span[1] - span[0])  # not a late picture's
    assert (file["from"], file["stand_ins"]) == (0, [])
    whole = tmp_path / "whole.mkv"
    words = ("--model", "linear", "--fps", "2x", "--encoder", "ffv1", "--style", style)
    assert cli.main(["render", str(source), "-o", str(whole), "--device", "cpu", *words]) == 0
    made, wanted = planes(tmp_path / "o.mkv"), planes(whole)
    assert len(made) == file["frames"]
    stop = round(Fraction(end) * RATE) if style == "smooth" else len(made)
    assert round(Fraction(begin) * RATE) < stop
    for (_, picture), (_, same) in zip(made[:stop], wanted, strict=False):
        assert all(np.array_equal(a, b) for a, b in zip(picture, same, strict=True))
    sound = track(tmp_path / "o.mkv", "audio")
    assert sound.data == track(source, "audio").data[: len(sound.data)]
    after = [end, min(file["to"], round(end + 3.003, 3))]
    assert (after in file["settling"]) == (style == "smooth")


def test_recording_to_the_end_is_the_whole_film(
    clips: Clips, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = clips.get(FEATURE, num_frames=72)
    with record(monkeypatch, source, tmp_path, model="copy") as playing:
        assert playing.join() == 0
    (file,) = recorded(tmp_path)
    assert file["frames"] == 144
    assert len(planes(tmp_path / "o.mkv")) == 144
    assert track(tmp_path / "o.mkv", "audio").data == track(source, "audio").data


def test_a_dying_encoder_leaves_the_film_playing(
    clips: Clips, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = EncodeOptions(encoder="h264_nvenc")
    with record(monkeypatch, clips.get(FEATURE), tmp_path, encode=options) as playing:
        wait_past(playing, 1)
        assert playing.is_ours_shown
    assert playing.code == 0
    report = json.loads((tmp_path / "report.json").read_text())
    assert "h264_nvenc cannot be started" in report["recording"]["error"]


TEXT = "1\n00:00:01,000 --> 00:00:02,000\nbeside\n"


def test_sound_and_subtitles_of_other_files_are_heard_read_and_recorded(
    clips: Clips, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    film = tmp_path / "film.mkv"
    film.symlink_to(clips.get(FEATURE, num_frames=96, audio=False, start=Fraction(3)))
    named, found = tmp_path / "a:b named.srt", tmp_path / "film.de.srt"
    named.write_text(TEXT)
    found.write_text(TEXT.replace("beside", "found"))
    sound = clips.get(num_frames=0, audio=True)
    with record(
        monkeypatch,
        film,
        tmp_path,
        model="copy",
        sub_files=(str(named),),
        audio_files=(str(sound),),
        mpv={"sub-auto": "fuzzy", "pause": "yes"},
    ) as playing:
        playing.wait_for("playback-restart")
        assert len(playing.tracks("audio")) == 1
        assert len(playing.tracks("sub")) == 3
        playing.mpv.pause = False
        playing.wait_value("sub-text", "beside")
        playing.join()
    heard = track(tmp_path / "o.mkv", "audio")
    assert heard.data == track(sound, "audio").data
    assert heard.times[0] == 0
    own, beside, other = (t for t in tracks(tmp_path / "o.mkv") if t.kind == "subtitle")
    assert len(own.times) == len(track(film, "subtitle").times)
    assert (beside.times, beside.durations, beside.data) == (
        [Fraction(1)],
        [Fraction(1)],
        [b"beside"],
    )
    assert other.data == [b"found"]
    with av.open(str(tmp_path / "o.mkv")) as file:
        tags = [stream.metadata for stream in file.streams if stream.type == "subtitle"]
    assert [tag.get("language") for tag in tags[1:]] == [None, "de"]
    assert tags[1]["title"] == named.name
