"""Recording a viewing in a real player."""

from __future__ import annotations

import json
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from clips import FILM, Clips, ClipSpec
from files import planes, track
from playing import Playing

from rtvfi import cli
from rtvfi.stream.options import EncodeOptions, StreamOptions

if TYPE_CHECKING:
    from pathlib import Path

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
        assert file["stand_ins"] == []
        first = round(Fraction(file["from"]) * RATE)
        pictures = planes(tmp_path / str(file["path"]))
        assert len(pictures) == file["frames"] > RATE
        for (_, made), (_, same) in zip(pictures, wanted[first:], strict=False):
            assert all(np.array_equal(a, b) for a, b in zip(made, same, strict=True))
        sound = track(tmp_path / str(file["path"]), "audio")
        assert sound.data[5:] == [d for d in track(source, "audio").data if d in sound.data][5:]


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
