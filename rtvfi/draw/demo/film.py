"""Writes the demo clip's file: video, a quiet tune, subtitles, chapters."""

from __future__ import annotations

import io
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Final

import av
import numpy as np
from av.stream import Disposition

from rtvfi.core.colour import KB, KG, KR, U_SPAN, V_SPAN

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from av.container.core import Chapter
    from numpy.typing import NDArray

    Packet = av.Packet[Any]
    """A packet of video, audio or subtitles; PyAV's types distinguish them, this code does not."""

RATE: Final = Fraction(24000, 1001)
SAMPLE_RATE: Final = 48000
BT709: Final = 1

SUBTITLES: Final = (
    (1.0, 3.6, "She is drawn on twos, he is drawn on threes,"),
    (3.8, 6.7, "and the camera moves with every frame."),
    (7.6, 10.2, "What happens between two drawings?"),
    (10.4, 13.2, "That is what you are looking at."),
)
"""Start, end in seconds, text."""

ASS_HEAD: Final = """[Script Info]
ScriptType: v4.00+
PlayResX: 854
PlayResY: 480
ScaledBorderAndShadow: yes

[V4+ Styles]
Format: Name, Fontname, Fontsize, PrimaryColour, OutlineColour, BackColour, Bold, Italic, \
BorderStyle, Outline, Shadow, Alignment, MarginL, MarginR, MarginV
Style: Talk,sans-serif,27,&H00F4FBFF,&H00582E2A,&H80301818,-1,0,1,2.4,1,2,40,40,22

[Events]
Format: Layer, Start, End, Style, Text
"""


def to_planes(picture: NDArray[np.float32]) -> tuple[NDArray[np.uint8], ...]:
    """(H, W, 3) RGB, [0, 1], to 8-bit limited-range BT.709 Y, U, V; 4:2:0, chroma sited left."""
    red, green, blue = np.moveaxis(picture, -1, 0)
    luma = KR * red + KG * green + KB * blue
    planes = [16 + 219 * luma]
    for part, span in ((blue, U_SPAN), (red, V_SPAN)):
        chroma = (part - luma) / span
        rows = (chroma[0::2] + chroma[1::2]) / 2
        padded = np.pad(rows, ((0, 0), (1, 1)), mode="edge")
        planes.append(128 + 224 * (padded[:, :-2:2] + 2 * padded[:, 1:-1:2] + padded[:, 2::2]) / 4)
    return tuple(np.round(p).clip(0, 255).astype(np.uint8) for p in planes)


def tune(seconds: float) -> NDArray[np.float32]:
    """Two soft notes that answer each other: (samples,) mono, within [-1, 1]."""
    time = np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    sound = np.zeros_like(time)
    for beat in range(int(seconds / 0.8)):
        pitch = (523.25, 783.99)[beat % 2] * (0.75 if beat // 4 % 2 else 1.0)
        after = time - 0.8 * beat
        note = np.exp(-2.6 * after.clip(0)) * (1 - np.exp(-160 * after.clip(0)))
        bell = np.sin(2 * np.pi * pitch * after) + 0.25 * np.sin(4 * np.pi * pitch * after)
        sound += np.where(after > 0, 0.14 * note * bell, 0)
    fade = np.minimum(1, (seconds - time) / 0.6)
    return (sound * fade).astype(np.float32)


def _video(stream: av.VideoStream, pictures: Iterable[NDArray[np.float32]]) -> Iterator[Packet]:
    for index, picture in enumerate(pictures):
        height, width = picture.shape[:2]
        frame = av.VideoFrame(width, height, "yuv420p")
        for plane, samples in zip(frame.planes, to_planes(picture), strict=True):
            padded = np.zeros((plane.height, plane.line_size), np.uint8)
            padded[:, : plane.width] = samples
            plane.update(padded.tobytes())
        frame.pts, frame.time_base = index * RATE.denominator, Fraction(1, RATE.numerator)
        yield from stream.encode(frame)
    yield from stream.encode(None)


def _audio(stream: av.AudioStream, seconds: float) -> Iterator[Packet]:
    sound = (32767 * tune(seconds)).astype(np.int16)
    frame = av.AudioFrame.from_ndarray(sound[None], format="s16", layout="mono")
    frame.sample_rate, frame.time_base, frame.pts = SAMPLE_RATE, Fraction(1, SAMPLE_RATE), 0
    context = stream.codec_context
    resampler = av.AudioResampler(context.format, "mono", SAMPLE_RATE, context.frame_size or None)
    for piece in (*resampler.resample(frame), *resampler.resample(None), None):
        yield from stream.encode(piece)


def _clock(seconds: float) -> str:
    return f"0:00:{seconds:05.2f}"


def _ass() -> bytes:
    lines = (f"Dialogue: 0,{_clock(a)},{_clock(b)},Talk,{text}" for a, b, text in SUBTITLES)
    return (ASS_HEAD + "\n".join(lines) + "\n").encode()


def _chapters(marks: Iterable[tuple[Fraction, Fraction, str]]) -> list[Chapter]:
    return [
        {
            "id": number,
            "start": int(start * 1000),
            "end": int(end * 1000),
            "time_base": Fraction(1, 1000),
            "metadata": {"title": name},
        }
        for number, (start, end, name) in enumerate(marks, 1)
    ]


def write_film(path: str, pictures: Iterable[NDArray[np.float32]], cut: int) -> None:
    """Encode the clip; ``cut`` is the frame where the second chapter begins."""
    with av.open(path, "w", format="matroska") as out:
        options = {"crf": "21", "preset": "veryslow", "tune": "animation", "threads": "1"}
        video = out.add_stream("libx264", rate=RATE, options=options)
        context = video.codec_context
        context.width, context.height, context.pix_fmt = 854, 480, "yuv420p"
        context.time_base, context.gop_size = Fraction(1, RATE.numerator), 48
        context.colorspace = context.color_primaries = context.color_trc = BT709
        context.color_range = 1
        audio = out.add_stream("flac", rate=SAMPLE_RATE, layout="mono")
        with av.open(io.BytesIO(_ass()), "r", format="ass") as lines:
            text = out.add_stream_from_template(lines.streams.subtitles[0])
            packets: list[Packet] = [p for p in lines.demux() if p.size]
        for packet in packets:
            packet.stream = text
        text.metadata["language"] = audio.metadata["language"] = "eng"
        text.disposition = Disposition.default  # players show no other subtitles unasked
        out.metadata["title"] = "Between two drawings"
        packets.extend(_video(video, pictures))
        num_frames = sum(packet.stream is video for packet in packets)
        end = num_frames / RATE
        marks = [(Fraction(0), cut / RATE, "Morning run"), (cut / RATE, end, "Rooftop")]
        out.set_chapters(_chapters(marks))
        packets.extend(_audio(audio, float(end)))
        packets.sort(key=lambda p: (p.dts or 0) * (p.time_base or 0))
        for packet in packets:
            out.mux(packet)
