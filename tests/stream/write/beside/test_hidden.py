"""What an edit list hides does not exist; files beside a film are read as players read them."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Any, cast

import av
import pytest
from clips import Clips, ClipSpec
from files import track, tracks
from oddities import write_film

from rtvfi.cli import main as cli
from rtvfi.core.options import EncodeOptions, SourceOptions
from rtvfi.core.rates import Grid
from rtvfi.stream.decode.source import open_source
from rtvfi.stream.record.assemble import Viewed
from rtvfi.stream.record.recorder import Recorder
from rtvfi.stream.write.beside.extras import Extra

if TYPE_CHECKING:
    from pathlib import Path

SOUND = ClipSpec(num_frames=72, rate=Fraction(24), gop=24, audio=True, container="mp4")
RUSSIAN = "Привет, мир. Это субтитры для фильма."
JAPANESE = "こんにちは、世界。これは映画の字幕です。"


def cut(source: Path, target: Path, seconds: int) -> Path:
    """A copy of an MP4 whose first seconds an edit list hides: cut without encoding."""
    with av.open(str(source)) as film, av.open(str(target), "w") as out:
        copies = {
            s.index: out.add_stream_from_template(cast("Any", s), opaque=True) for s in film.streams
        }
        out.set_chapters(
            cast("Any", [{"id": 1, "start": 1000, "end": 2000, "time_base": Fraction(1, 1000)}])
        )
        for packet in film.demux():
            if not packet.size or packet.time_base is None or packet.dts is None:
                continue
            packet.pts = (packet.pts or 0) - round(seconds / packet.time_base)
            packet.dts -= round(seconds / packet.time_base)
            packet.stream = cast("Any", copies[packet.stream.index])
            out.mux(packet)
    return target


def render(source: Path, target: Path) -> Path:
    words = ["--model", "copy", "--fps", "1x", "--device", "cpu", "-o", str(target)]
    assert cli.main(["render", str(source), *words, "--preset-encoder", "ultrafast"]) == 0
    return target


@pytest.mark.parametrize("kind", ["mkv", "mp4", "mov"])
@pytest.mark.parametrize("seconds", [1, 2])
def test_hidden_sound_is_not_written(kind: str, seconds: int, clips: Clips, tmp_path: Path) -> None:
    film = cut(clips.get(SOUND), tmp_path / "cut.mp4", seconds)
    made = render(film, tmp_path / f"o.{kind}")
    sound, picture = track(made, "audio").times, track(made, "video").times
    assert len(picture) == 24 * (3 - seconds)
    assert min(picture) < Fraction(1, 40)
    assert abs(sound[0] - min(picture)) < Fraction(1, 40)
    assert abs(sound[-1] - (3 - seconds)) < Fraction(1, 20)


def test_chapters_stay_where_they_were(clips: Clips, tmp_path: Path) -> None:
    film = cut(clips.get(SOUND), tmp_path / "cut.mp4", 1)
    with av.open(str(film)) as source, av.open(str(render(film, tmp_path / "o.mkv"))) as made:
        before, after = (
            [c["start"] * Fraction(c["time_base"] or 0) for c in f.chapters()]
            for f in (source, made)
        )
        assert before == after == [1]


def recorded(film: Path, target: Path, *extras: Extra) -> Path:
    """What a viewing of the whole film leaves."""
    source = open_source(str(film), SourceOptions(hwaccel="none"))
    info = source.info
    grid = Grid(info.start, 1 / info.source_rate)
    viewed = Viewed(
        source=str(film), info=info, grid=grid, zero=Fraction(0), has_model=False, extras=extras
    )
    recorder = Recorder.open(target, (str(film),), EncodeOptions(preset="ultrafast"), print)
    recording = recorder.recording(viewed)
    from rtvfi.core.frame import Kind, OutputFrame, SourceFrame

    number = 0
    while isinstance(frame := source.read(), SourceFrame):
        recording.tap(OutputFrame(frame.payload, number, frame.pts, Kind.COPY), True)
        number += 1
    source.close()
    recorder.close()
    return target


def test_hidden_sound_is_not_recorded(clips: Clips, tmp_path: Path) -> None:
    film = cut(clips.get(SOUND), tmp_path / "cut.mp4", 1)
    made = recorded(film, tmp_path / "o.mkv")
    assert min(track(made, "video").times) < Fraction(1, 40)
    assert abs(track(made, "audio").times[-1] - 2) < Fraction(1, 10)


@pytest.mark.parametrize(
    ("line", "encoding"),
    [
        (RUSSIAN, "cp1251"),
        (RUSSIAN, "koi8_r"),
        (JAPANESE, "cp932"),
        (JAPANESE, "euc_jp"),
        (RUSSIAN, "utf-16"),
        (JAPANESE, "utf-16-le"),
        (RUSSIAN, "utf-16-be"),
        (JAPANESE, "utf-8-sig"),
        ("plain words", "utf-16-le"),
    ],
)
@pytest.mark.parametrize("kind", ["srt", "ass", "vtt"])
def test_subtitles_beside_a_film_are_recorded_as_utf8(
    line: str, encoding: str, kind: str, tmp_path: Path
) -> None:
    text = {
        "srt": f"1\n00:00:00,100 --> 00:00:00,300\n{line}\n\n",
        "vtt": f"WEBVTT\n\n00:00.100 --> 00:00.300\n{line}\n\n",
        "ass": "[Script Info]\nScriptType: v4.00+\n\n[V4+ Styles]\nFormat: Name, Fontname\n"
        "Style: Default,Arial\n\n[Events]\nFormat: Layer, Start, End, Style, Text\n"
        f"Dialogue: 0,0:00:00.10,0:00:00.30,Default,{line}\n",
    }[kind]
    beside = tmp_path / f"film.{kind}"
    beside.write_bytes(text.encode(encoding))
    film = write_film(tmp_path / "film.mp4", count=10)
    extra = Extra(path=str(beside), kind="subtitle", zero=Fraction(0))
    made = recorded(film, tmp_path / "o.mkv", extra)
    (words,) = (t for t in tracks(made) if t.kind == "subtitle")
    assert words.data[0].decode().endswith(line)
    assert abs(words.times[0] - Fraction(1, 10)) < Fraction(1, 100)


def test_lines_that_are_empty_do_not_end_a_recording(tmp_path: Path) -> None:
    beside = tmp_path / "film.smi"
    beside.write_text(
        "<SAMI><BODY><SYNC Start=100><P Class=ENCC>hello<SYNC Start=200><P Class=ENCC>&nbsp;"
        "<SYNC Start=300><P Class=ENCC>again</BODY></SAMI>"
    )
    film = write_film(tmp_path / "film.mp4", count=25)
    extra = Extra(path=str(beside), kind="subtitle", zero=Fraction(0))
    made = recorded(film, tmp_path / "o.mkv", extra)
    assert len(track(made, "video").times) == 25
    (words,) = (t for t in tracks(made) if t.kind == "subtitle")
    assert words.codec == "subrip"
    assert words.data == [b"hello", b"again"]
