"""What becomes of sound, subtitles and covers that a container does not hold as they are."""

# ruff: noqa: RUF001 - other alphabets are part of it

from __future__ import annotations

import io
from fractions import Fraction
from typing import TYPE_CHECKING, Any, cast

import av
import numpy as np
import pytest
from av.stream import Disposition
from files import track
from oddities import picture, write_film

from rtvfi.cli import main as cli

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

RATE = 48000
SRT = (
    "1\n00:00:00,200 --> 00:00:00,600\nGrüße <i>an alle</i>\n\n"
    "2\n00:00:00,700 --> 00:00:00,900\nzwei\nZeilen\n\n"
)
SECOND = 25
"""Pictures of a film."""


def render(source: Path, target: Path, *more: str) -> Path:
    words = ["--model", "copy", "--fps", "1x", "--device", "cpu", "-o", str(target)]
    quick = ["--preset-encoder", "12" if target.suffix == ".webm" else "ultrafast"]
    assert cli.main(["render", str(source), *words, *quick, *more]) == 0
    return target


def tone(seconds: float = 1.0, channels: int = 2) -> NDArray[np.int32]:
    """24 bits in the upper part of 32: (samples, channels)."""
    t = np.arange(round(RATE * seconds))
    waves = [np.sin(2 * np.pi * 440 * (n + 1) * t / RATE) for n in range(channels)]
    return np.round(np.stack(waves, 1) * 0x3FFFFF).astype(np.int32) << 8


def sound(path: Path) -> NDArray[np.int64]:
    """All samples of the only sound, as 24 bits: (samples, channels)."""
    with av.open(str(path)) as source:
        resampler = av.AudioResampler("s32", rate=RATE)
        stream = source.streams.audio[0]
        frames = [f for frame in source.decode(stream) for f in resampler.resample(frame)]
        frames += resampler.resample(None)
    whole = np.concatenate([frame.to_ndarray().reshape(-1) for frame in frames])
    made: NDArray[np.int64] = whole.reshape(-1, stream.channels).astype(np.int64) >> 8
    return made


def film_with_sound(path: Path, codec: str, form: str, samples: str) -> Path:
    """A film whose sound is a tone, in a container that holds it."""
    disc = {"mpegts_m2ts_mode": "1"} if form == "mpegts" else {}
    with av.open(str(path), "w", format=form, container_options=disc) as out:
        video = out.add_stream("mpeg2video", rate=25)
        video.width, video.height, video.pix_fmt = 96, 64, "yuv420p"
        audio = cast("av.AudioStream", out.add_stream(cast("Any", codec), rate=RATE))
        audio.codec_context.layout, audio.codec_context.format = "stereo", samples
        wave = tone()
        if samples == "s16":
            wave = (wave >> 16).astype(np.int16)
        frame = av.AudioFrame.from_ndarray(wave.reshape(1, -1), format=samples, layout="stereo")
        frame.sample_rate, frame.time_base, frame.pts = RATE, Fraction(1, RATE), 0
        size = audio.codec_context.frame_size or 480
        for number in range(SECOND):
            image = av.VideoFrame.from_ndarray(picture(96, 64, number), "rgb24")
            image = image.reformat(format="yuv420p")
            image.pts, image.time_base = number, Fraction(1, 25)
            out.mux(video.encode(image))
        parts = av.AudioResampler(samples, "stereo", RATE, size)
        for part in (*parts.resample(frame), *parts.resample(None)):
            out.mux(audio.encode(part))
        out.mux(video.encode(None))
        out.mux(audio.encode(None))
    return path


@pytest.mark.parametrize(
    ("codec", "form", "samples"),
    [("pcm_dvd", "dvd", "s16"), ("pcm_bluray", "mpegts", "s16"), ("pcm_bluray", "mpegts", "s32")],
)
@pytest.mark.parametrize("kind", ["mkv", "mp4", "mov"])
def test_disc_sound_is_kept_to_the_last_bit(
    codec: str, form: str, samples: str, kind: str, tmp_path: Path, capsys: Any
) -> None:
    film = film_with_sound(tmp_path / "a.vob", codec, form, samples)
    made = render(film, tmp_path / f"o.{kind}")
    assert f"({codec}) becomes" in capsys.readouterr().err
    before, after = sound(film), sound(made)
    assert len(before) > RATE * 0.9
    assert np.array_equal(after[: len(before)], before)
    assert not after[len(before) :].any()
    first = track(film, "audio").times[0] - min(track(film, "video").times)
    moved = track(made, "audio").times[0] - min(track(made, "video").times) - first
    assert abs(moved) <= Fraction(2, 1000)


def test_a_webm_is_not_silent(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    film = film_with_sound(tmp_path / "a.mkv", "flac", "matroska", "s16")
    made = render(film, tmp_path / "o.webm")
    assert "becomes Opus" in capsys.readouterr().err
    wave = sound(made)[:, 0]
    assert np.abs(wave).max() > 0x300000
    assert abs(len(wave) - RATE) < RATE // 20


def film_with_text(path: Path, text: str = SRT) -> Path:
    """A Matroska with SRT subtitles."""
    plain = write_film(path.with_suffix(".v.mkv"), count=SECOND)
    with (
        av.open(str(plain)) as film,
        av.open(io.BytesIO(text.encode()), "r", format="srt") as words,
        av.open(str(path), "w") as out,
    ):
        streams = [film.streams.video[0], words.streams.subtitles[0]]
        copies = [out.add_stream_from_template(cast("Any", s), opaque=True) for s in streams]
        copies[1].metadata["language"] = "ger"
        for source, stream, copy in zip((film, words), streams, copies, strict=True):
            for packet in source.demux(stream):
                if packet.size:
                    packet.stream = cast("Any", copy)
                    out.mux(packet)
    return path


def lines(path: Path) -> list[tuple[Fraction, Fraction, str]]:
    """Begin, end and text of all subtitles as FFmpeg decodes them."""
    found = []
    with av.open(str(path)) as source:
        stream = source.streams.subtitles[0]
        for packet in source.demux(stream):
            for line in packet.decode() if packet.size else ():
                begin = (packet.pts or 0) * Fraction(packet.time_base or 0)
                end = begin + (packet.duration or 0) * Fraction(packet.time_base or 0)
                found.append((begin, end, cast("Any", line).dialogue.decode()))
    return found


@pytest.mark.parametrize(
    ("kind", "codec"), [("mp4", "mov_text"), ("mov", "mov_text"), ("webm", "webvtt")]
)
def test_text_is_written_in_a_form_the_container_knows(
    kind: str, codec: str, tmp_path: Path
) -> None:
    film = film_with_text(tmp_path / "a.mkv")
    made = render(film, tmp_path / f"o.{kind}")
    assert track(made, "subtitle").codec == codec
    with av.open(str(made)) as source:
        assert source.streams.subtitles[0].metadata["language"] == "ger"
    texts = [(b, e, text.replace("{\\i1}", "").replace("{\\i0}", "")) for b, e, text in lines(made)]
    assert texts == [
        (Fraction(1, 5), Fraction(3, 5), "Grüße an alle"),
        (Fraction(7, 10), Fraction(9, 10), "zwei\nZeilen"),
    ]


def test_timed_text_of_mp4_becomes_text_of_matroska(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    phone = render(film_with_text(tmp_path / "a.mkv"), tmp_path / "b.mp4")
    made = render(phone, tmp_path / "o.mkv")
    assert "(mov_text) becomes SRT" in capsys.readouterr().err
    assert track(made, "subtitle").codec == "subrip"
    assert track(made, "subtitle").data == ["Grüße <i>an alle</i>".encode(), b"zwei\nZeilen"]


def test_strange_bytes_inside_a_film_become_utf8(tmp_path: Path) -> None:
    russian = "1\n00:00:00,200 --> 00:00:00,600\nПривет, мир. Это субтитры\n\n"
    film = film_with_text(tmp_path / "a.mkv", russian)
    wrong = film.read_bytes()
    encoded = "Привет, мир. Это субтитры"
    assert encoded.encode() in wrong
    padded = encoded.encode("cp1251").ljust(len(encoded.encode()), b" ")
    film.write_bytes(wrong.replace(encoded.encode(), padded))
    made = render(film, tmp_path / "o.mkv")
    assert track(made, "subtitle").data[0].decode().strip() == encoded


def test_render_reads_text_as_the_option_of_mpv_says(tmp_path: Path) -> None:
    line = "Привет"
    film = film_with_text(tmp_path / "a.mkv", f"1\n00:00:00,200 --> 00:00:00,600\n{line}\n\n")
    padded = line.encode("cp866").ljust(len(line.encode()), b" ")
    film.write_bytes(film.read_bytes().replace(line.encode(), padded))
    made = render(film, tmp_path / "o.mkv", "--mpv", "sub-codepage=cp866")
    assert track(made, "subtitle").data[0].decode().strip() == line


# --- covers ----------------------------------------------------------------------------------


def film_with_cover(path: Path) -> bytes:
    """An MP4 with a picture attached; the picture's bytes."""
    with av.open(str(path), "w") as out:
        video = out.add_stream("libx264", rate=25)
        video.width, video.height, video.pix_fmt = 96, 64, "yuv420p"
        cover = out.add_stream("mjpeg", rate=25)
        cover.width, cover.height, cover.pix_fmt = 32, 32, "yuvj420p"
        cover.disposition = Disposition.attached_pic
        for number in range(3):
            frame = av.VideoFrame.from_ndarray(picture(96, 64, number), "rgb24")
            frame = frame.reformat(format="yuv420p")
            frame.pts, frame.time_base = number, Fraction(1, 25)
            out.mux(video.encode(frame))
        out.mux(video.encode(None))
        image = av.VideoFrame.from_ndarray(picture(32, 32), "rgb24")
        image = image.reformat(format="yuvj420p", dst_color_range=2)
        image.pts, image.time_base = 0, Fraction(1, 25)
        (packet,) = [*cover.encode(image), *cover.encode(None)]
        data = bytes(packet)
        out.mux(packet)
    return data


def covers(path: Path) -> list[bytes]:
    with av.open(str(path)) as source:
        found = [s for s in source.streams.video if s.disposition & Disposition.attached_pic]
        return [bytes(p) for p in source.demux(found) if p.size] if found else []


@pytest.mark.parametrize("kind", ["mkv", "mp4"])
def test_a_cover_is_kept(kind: str, tmp_path: Path) -> None:
    data = film_with_cover(tmp_path / "a.mp4")
    made = render(tmp_path / "a.mp4", tmp_path / f"o.{kind}")
    assert covers(made) == [data]
    again = render(made, tmp_path / "again.mkv")
    assert covers(again) == [data]
    with av.open(str(made)) as source:
        assert sum(1 for _ in source.decode(video=0)) == 3


def test_a_cover_that_cannot_be_kept_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    film_with_cover(tmp_path / "a.mp4")
    render(tmp_path / "a.mp4", tmp_path / "o.webm")
    assert "a webm file cannot hold cover 1 (mjpeg)" in capsys.readouterr().err


def test_pictures_without_alpha_are_not_said_to_have_it(tmp_path: Path) -> None:
    film = write_film(tmp_path / "a.mkv", tags={"alpha_mode": "1"})
    made = render(film, tmp_path / "o.mkv")
    with av.open(str(made)) as source:
        assert "alpha_mode" not in {name.lower() for name in source.streams.video[0].metadata}
