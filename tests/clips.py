"""Clips made by code: every frame carries its number (see barcode.py) and a motion of known path.

A ``ClipSpec`` says what a clip is like; ``Clips.get`` writes it once per session.
"""

from __future__ import annotations

import hashlib
import io
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import lru_cache
from itertools import pairwise
from math import pi, sin
from typing import TYPE_CHECKING, Any, Final, cast

import av
import numpy as np
from av.stream import Disposition
from barcode import draw_code, read_code, strip_rows

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from av.container import OutputContainer
    from numpy.typing import NDArray

    Packet = av.Packet[Any]

__all__ = ["ClipSpec", "Clips", "box_left", "decode", "draw_planes", "read_code", "write_clip"]

FILM: Final = Fraction(24000, 1001)
TONE_HZ: Final = 440
SAMPLE_RATE: Final = 48000
AUDIO_CODEC: Final = {"mkv": "flac", "mp4": "aac", "ts": "mp2", "webm": "libopus"}
FORMAT: Final = {"mkv": "matroska", "mp4": "mp4", "ts": "mpegts", "webm": "webm"}


@dataclass(frozen=True, kw_only=True)
class ClipSpec:
    """What a clip is like; the fields are independent of each other."""

    size: tuple[int, int] = (320, 180)
    """Width, height; at least 160x90 for a lossy codec. Odd 4:2:0 sizes need ffv1 or vp9."""
    rate: Fraction = FILM
    num_frames: int = 48
    """0 leaves the video out."""
    pix_fmt: str = "yuv420p"
    codec: str = "libx264"
    crf: int = 18
    gop: int = 24
    b_frames: int = 2
    container: str = "mkv"
    audio: bool = False
    """A 440 Hz tone as long as the video (two seconds without one)."""
    subtitles: bool = False
    """One ASS line per half second from ``start`` on: "line 0", "line 1", ...; mkv only."""
    attachment: bool = False
    """An attached file of a font's type, "font.ttf"; mkv only."""
    chapters: tuple[Fraction, ...] = ()
    """Starts in seconds after the first frame, named "chapter 0", ..."""
    holds: tuple[int, ...] = (1,)
    """Lengths of the holds, repeated: (1,) ones, (2,) twos, (3, 2) threes and twos. A held frame is
    equal to the first of its hold, bar code included."""
    cuts: tuple[int, ...] = ()
    """First frames of new scenes; a hold ends at a cut."""
    flashes: tuple[int, ...] = ()
    """Frames that are white below the strip."""
    times: tuple[Fraction, ...] | None = None
    """Seconds after ``start`` of each frame, instead of ``rate``."""
    start: Fraction = Fraction(0)
    """PTS of the first frame and of the tone; where the chapters count from. MPEG-TS has no
    negative times: with B-frames, ask for a second or more, or everything moves a little."""
    damaged: tuple[int, ...] = ()
    """Video packets (in file order) overwritten but for their first 16 bytes."""
    matrix: int = 2
    """ISO 23001-8 code, 2 = not stated; primaries and transfer are 1 when it is stated."""
    full_range: bool = False

    @property
    def drawings(self) -> tuple[int, ...]:
        """For each frame the frame it repeats, which is the number it shows."""
        shown: list[int] = []
        start, hold = 0, 0
        for index in range(self.num_frames):
            if index and (index - start == self.holds[hold] or index in self.cuts):
                start, hold = index, (hold + 1) % len(self.holds)
            shown.append(start)
        return tuple(shown)

    @property
    def pts(self) -> tuple[Fraction, ...]:
        """Exact time of each frame on the file's clock, before the container rounds it."""
        times = self.times or tuple(i / self.rate for i in range(self.num_frames))
        return tuple(self.start + time for time in times)

    @property
    def duration(self) -> Fraction:
        """Seconds from ``start`` to the end of the last frame."""
        return self.pts[-1] - self.start + 1 / self.rate if self.num_frames else Fraction(2)


def box_left(number: int, width: int) -> float:
    """Left edge of the moving box in drawing ``number``: to and fro, about 3 pixels a frame."""
    return width * (0.4 + 0.35 * sin(2 * pi * number / (0.7 * width)))


@lru_cache(maxsize=4)
def _scene(width: int, height: int, scene: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Painted background of a scene: luma (H, W) and chroma (2, H, W), all 0..1."""
    y, x = np.mgrid[:height, :width] / height
    rng = np.random.default_rng(scene)
    angle, phase = rng.uniform(0, 2 * pi, 2)
    along = np.cos(angle) * x + np.sin(angle) * y
    across = np.cos(angle) * y - np.sin(angle) * x
    ramp = 0.5 + 0.25 * np.sin(2.2 * along + phase) * (-1) ** scene
    luma = ramp + 0.12 * (np.sin(14 * across + phase) > 0) + 0.05 * (np.sin(31 * along) > 0.3)
    tint = np.stack([0.5 + 0.2 * np.sin(2 * x + phase), 0.5 + 0.2 * np.cos(2 * y - phase)])
    return luma, tint


def draw_planes(spec: ClipSpec, number: int, scene: int) -> tuple[NDArray[np.uint16], ...]:
    """Y, U, V of drawing ``number`` in codes of the clip's format; samples are uint16."""
    width, height = spec.size
    luma, tint = _scene(width, height, scene)
    y, x = np.mgrid[:height, :width]
    side = height * 0.22
    left, top = box_left(number, width), height * 0.6
    cover = np.clip(x + 1 - left, 0, 1) * np.clip(left + side - x, 0, 1)
    cover *= (y >= top) & (y < top + side)
    bob = height * (0.35 + 0.08 * sin(number / 5))
    cover = np.maximum(cover, np.clip(side / 3 - np.hypot(x - width * 0.75, y - bob), 0, 1))
    luma = luma + cover * ((0.95 if scene % 2 else 0.05) - luma)
    tint = tint + cover * (np.array([0.3, 0.75]).reshape(2, 1, 1) - tint)
    if number in spec.flashes:
        luma, tint = np.ones_like(luma), np.full_like(tint, 0.5)
    tint[:, : strip_rows(height) + 1] = 0.5
    bits = 10 if "10" in spec.pix_fmt else 8
    unit = 1 << bits - 8
    low, span, chroma_span = (
        (0, 256 * unit - 1, 255) if spec.full_range else (16 * unit, 219 * unit, 224)
    )
    codes = np.round(low + span * luma.clip(0, 1)).astype(np.uint16)
    draw_code(codes, number, low, low + span)
    step = 1 if "444" in spec.pix_fmt else 2
    chroma = np.round(unit * (128 + chroma_span * (tint[:, ::step, ::step] - 0.5)))
    u, v = chroma.clip(0, 256 * unit - 1).astype(np.uint16)
    return codes, u, v


def _frames(spec: ClipSpec, time_base: Fraction) -> Iterator[av.VideoFrame]:
    planes: tuple[NDArray[np.uint16], ...] = ()
    shown = -1
    for number, pts in zip(spec.drawings, spec.pts, strict=True):
        if number != shown:
            scene = sum(cut <= number for cut in spec.cuts)
            planes, shown = draw_planes(spec, number, scene), number
        frame = av.VideoFrame(*spec.size, spec.pix_fmt)
        for plane, samples in zip(frame.planes, planes, strict=True):
            dtype = np.uint16 if "10" in spec.pix_fmt else np.uint8
            stride = plane.line_size // np.dtype(dtype).itemsize
            padded = np.zeros((plane.height, stride), dtype)
            padded[:, : plane.width] = samples
            plane.update(padded.tobytes())
        frame.pts, frame.time_base = round(pts / time_base), time_base
        yield frame


def _add_video(out: OutputContainer, spec: ClipSpec) -> av.VideoStream:
    """The video stream, its encoder configured."""
    options = {"threads": "1", "bf": str(spec.b_frames)}
    if spec.codec in ("libx264", "libx265"):
        options |= {"crf": str(spec.crf), "preset": "ultrafast", "forced-idr": "1"}
    if spec.codec == "libx265":
        options |= {
            "x265-params": f"log-level=error:pools=1:bframes={spec.b_frames}:keyint={spec.gop}"
        }
    if spec.codec == "mpeg2video":
        options |= {"qmin": "2", "qmax": "2"}
    if spec.codec == "libvpx-vp9":
        options = {"crf": str(spec.crf), "b": "0", "cpu-used": "8", "deadline": "realtime"}
    if spec.codec == "ffv1":
        options = {}
    stream = cast("av.VideoStream", out.add_stream(spec.codec, rate=spec.rate, options=options))
    context = stream.codec_context
    context.width, context.height = spec.size
    context.pix_fmt = spec.pix_fmt
    context.gop_size = spec.gop
    context.time_base = (
        1 / spec.rate if spec.times is None and not spec.start else Fraction(1, 90000)
    )
    context.color_range = 2 if spec.full_range else 1
    if spec.matrix != 2:
        context.colorspace = spec.matrix
        context.color_primaries = context.color_trc = 1
    return stream


def _video_packets(spec: ClipSpec, stream: av.VideoStream) -> Iterator[Packet]:
    """Encoded packets in file order, the damaged ones damaged."""
    time_base = stream.codec_context.time_base
    assert time_base is not None
    index = 0
    for frame in (*_frames(spec, time_base), None):
        for packet in stream.encode(frame):
            yield _damage(packet) if index in spec.damaged else packet
            index += 1


def _damage(packet: Packet) -> Packet:
    data = bytes(packet)
    noise = np.random.default_rng(0).bytes(len(data))
    broken: Packet = av.Packet(data[:16] + noise[16:])
    broken.stream, broken.time_base = packet.stream, packet.time_base
    broken.pts, broken.dts, broken.duration = packet.pts, packet.dts, packet.duration
    broken.is_keyframe = packet.is_keyframe
    return broken


def _tone_packets(spec: ClipSpec, stream: av.AudioStream) -> Iterator[Packet]:
    samples = np.arange(round(spec.duration * SAMPLE_RATE))
    wave = (8000 * np.sin(2 * pi * TONE_HZ / SAMPLE_RATE * samples)).astype(np.int16)
    frame = av.AudioFrame.from_ndarray(wave[None], format="s16", layout="mono")
    frame.sample_rate, frame.time_base = SAMPLE_RATE, Fraction(1, SAMPLE_RATE)
    frame.pts = round(spec.start * SAMPLE_RATE)
    size = stream.codec_context.frame_size or 4096
    resampler = av.AudioResampler(stream.codec_context.format, "mono", SAMPLE_RATE, size)
    for piece in (*resampler.resample(frame), *resampler.resample(None), None):
        yield from stream.encode(piece)


def _ass(spec: ClipSpec) -> bytes:
    """A subtitle file with one line per half second."""
    text = (
        "[Script Info]\nScriptType: v4.00+\nPlayResX: 320\nPlayResY: 180\n\n[V4+ Styles]\n"
        "Format: Name, Fontname, Fontsize, PrimaryColour, Alignment, MarginV\n"
        "Style: Default,Sans,14,&H00FFFFFF,2,8\n\n[Events]\n"
        "Format: Layer, Start, End, Style, Text\n"
    )
    for line in range(int(spec.duration * 2)):
        seconds = (float(spec.start) + line / 2, float(spec.start) + line / 2 + 0.5)
        begin, end = (f"{s // 3600:.0f}:{s // 60 % 60:02.0f}:{s % 60:05.2f}" for s in seconds)
        text += f"Dialogue: 0,{begin},{end},Default,line {line}\n"
    return text.encode()


def _chapters(spec: ClipSpec) -> list[dict[str, Any]]:
    marks = [spec.start + mark for mark in (*spec.chapters, spec.duration)]
    return [
        {
            "id": i,
            "start": int(begin * 1000),
            "end": int(end * 1000),
            "time_base": Fraction(1, 1000),
            "metadata": {"title": f"chapter {i}"},
        }
        for i, (begin, end) in enumerate(pairwise(marks))
    ]


def write_clip(path: Path, spec: ClipSpec) -> None:
    """Encode the clip ``spec`` describes into ``path``."""
    with av.open(str(path), "w", format=FORMAT[spec.container]) as out:
        video = _add_video(out, spec) if spec.num_frames else None
        tone: av.AudioStream | None = None
        if spec.audio:
            codec = AUDIO_CODEC[spec.container]
            tone = cast("av.AudioStream", out.add_stream(codec, rate=SAMPLE_RATE, layout="mono"))
        packets: list[Packet] = []
        if spec.subtitles:
            with av.open(io.BytesIO(_ass(spec)), "r", format="ass") as lines:
                text = out.add_stream_from_template(lines.streams.subtitles[0])
                text.disposition = Disposition.default
                for packet in lines.demux():
                    if packet.size:
                        packet.stream = text
                        packets.append(packet)
        if spec.attachment:
            out.add_attachment("font.ttf", "font/ttf", b"not a font" * 100)
        if spec.chapters:
            out.set_chapters(cast("Any", _chapters(spec)))
        out.start_encoding()
        if video is not None:
            packets.extend(_video_packets(spec, video))
        if tone is not None:
            packets.extend(_tone_packets(spec, tone))
        packets.sort(key=lambda p: (p.dts or 0) * (p.time_base or 0))
        for packet in packets:
            out.mux(packet)


class Clips:
    """The clips of one test session, each written when first asked for."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def get(self, spec: ClipSpec | None = None, **changes: Any) -> Path:
        """Path of the clip; ``changes`` replace fields of ``spec`` (of the default clip)."""
        spec = replace(spec or ClipSpec(), **changes)
        name = hashlib.sha256(repr(spec).encode()).hexdigest()[:16]
        path = self.folder / f"{name}.{spec.container}"
        if not path.exists():
            partial = path.with_suffix(".part")
            write_clip(partial, spec)
            partial.rename(path)
        return path

    def raw(self, name: str, content: bytes) -> Path:
        """A file with just this content: empty, garbage, text, a cut-off clip."""
        path = self.folder / name
        path.write_bytes(content)
        return path

    def empty(self) -> Path:
        """A file of no bytes."""
        return self.raw("empty.mkv", b"")

    def garbage(self) -> Path:
        """Random bytes with a film's name."""
        return self.raw("garbage.mkv", np.random.default_rng(0).bytes(20000))

    def truncated(self, part: float = 0.6) -> Path:
        """The default clip, cut off after ``part`` of its bytes."""
        whole = self.get().read_bytes()
        return self.raw(f"truncated-{part}.mkv", whole[: int(len(whole) * part)])

    def audio_only(self) -> Path:
        """A tone of two seconds, no video."""
        return self.get(num_frames=0, audio=True)


def decode(path: Path) -> list[tuple[Fraction, NDArray[Any]]]:
    """PTS and luma (H, W) of every frame of the first video stream, in order of display."""
    frames: list[tuple[Fraction, NDArray[Any]]] = []
    with av.open(str(path)) as source:
        for frame in source.decode(video=0):
            assert frame.pts is not None
            assert frame.time_base is not None
            plane = frame.planes[0]
            dtype = np.dtype(np.uint16 if "10" in frame.format.name else np.uint8)
            rows = np.frombuffer(cast("bytes", plane), dtype).reshape(plane.height, -1)
            frames.append((frame.pts * frame.time_base, rows[:, : plane.width].copy()))
    return frames
