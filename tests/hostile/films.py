"""Small whole films of many containers and codecs, made by code: what the fuzzer then breaks."""

from __future__ import annotations

import os
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Final, cast

import av
import numpy as np

if TYPE_CHECKING:
    import random
    from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class Film:
    """One way to write twenty pictures."""

    container: str
    """FFmpeg's name."""
    codec: str
    pix_fmt: str = "yuv420p"
    size: tuple[int, int] = (96, 64)
    rate: Fraction = Fraction(24)
    num_frames: int = 20
    has_sound: bool = False
    start: int = 0
    """Number of the first frame, which is its time, too."""

    @property
    def suffix(self) -> str:
        """The usual ending of such a file."""
        return _SUFFIXES.get(self.container, f".{self.container}")


_SUFFIXES: Final = {
    "matroska": ".mkv",
    "mpegts": ".ts",
    "hevc": ".h265",
    "yuv4mpegpipe": ".y4m",
    "mpeg": ".mpg",
}
"""Of containers that are not called so."""

ORDINARY: Final = (
    Film(container="matroska", codec="libx264", has_sound=True),
    Film(container="mp4", codec="libx264", has_sound=True),
    Film(container="webm", codec="libvpx-vp9"),
    Film(container="mpegts", codec="libx264", has_sound=True),
    Film(container="avi", codec="mpeg4"),
    Film(container="h264", codec="libx264"),
    Film(container="matroska", codec="libx264", pix_fmt="yuv420p10le"),
    Film(container="matroska", codec="ffv1", pix_fmt="yuv444p"),
    Film(container="hevc", codec="libx265"),
    Film(container="mpegts", codec="mpeg2video"),
    Film(container="mov", codec="mjpeg", pix_fmt="yuvj420p"),
    Film(container="flv", codec="flv1"),
    Film(container="ivf", codec="libvpx"),
    Film(container="gif", codec="gif", pix_fmt="rgb8"),
    Film(container="nut", codec="ffv1", pix_fmt="yuv420p10le"),
    Film(container="yuv4mpegpipe", codec="wrapped_avframe"),
    Film(container="mpeg", codec="mpeg1video", rate=Fraction(25)),
    Film(container="apng", codec="apng", pix_fmt="rgba"),
    Film(container="matroska", codec="libsvtav1"),
)
"""Containers and codecs people have, and a few they have not."""

_DEEP: Final = (
    *(("ffv1", name) for name in ("gray16le", "yuv444p16le", "yuv420p12le", "rgb48le")),
    *(("ffv1", name) for name in ("yuva444p16le", "gray9le", "yuv410p", "yuv422p", "gbrp14le")),
    *(("png", name) for name in ("rgb48be", "ya16be", "monob", "gray", "rgba64be")),
    *(("rawvideo", name) for name in ("yuyv422", "rgb565le", "gbrpf32le", "nv12", "p010le")),
    *(("rawvideo", name) for name in ("bgr0", "yuv440p", "yuv411p", "xyz12le")),
    *(("utvideo", "gbrp"), ("huffyuv", "yuv422p"), ("prores_ks", "yuv444p10le"), ("qtrle", "argb")),
)
_SIZES: Final = ((1, 1), (2, 2), (1, 64), (64, 1), (3, 5), (16384, 2), (2, 16384), (97, 63))


def deep(rng: random.Random) -> Film:
    """A format nobody expects, of a size nobody expects."""
    codec, pix_fmt = rng.choice(_DEEP)
    size = rng.choice(_SIZES) if rng.random() < 0.5 else (96, 64)
    return Film(
        container="mov" if codec in ("prores_ks", "qtrle") else "nut",
        codec=codec,
        pix_fmt=pix_fmt,
        size=size,
        num_frames=rng.choice((1, 2, 9)),
    )


def varied(rng: random.Random, container: str, codec: str) -> Film:
    """A piece of a stream that changes on its way."""
    formats = ("yuv420p", "yuv420p10le", "yuv444p") if codec == "libx264" else ("yuv420p",)
    return Film(
        container=container,
        codec=codec,
        pix_fmt=rng.choice(formats),
        size=rng.choice(((96, 64), (64, 96), (160, 90), (176, 144), (640, 360), (32, 32))),
        rate=Fraction(rng.choice((24, 25, 30, 50, 60))),
        num_frames=rng.randint(2, 12),
        start=rng.choice((0, 0, 5, 100)),
    )


class Films:
    """Films written when first asked for; the folder keeps them."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def get(self, film: Film) -> bytes:
        """The bytes of a film.

        Raises:
            av.error.FFmpegError, ValueError: this encoder does not make such pictures.
        """
        words = (film.codec, film.pix_fmt, *film.size, film.rate, film.num_frames, film.start)
        name = "-".join(str(word).replace("/", ":") for word in words)
        path = self._folder / f"{name}-{film.container}-{film.has_sound}{film.suffix}"
        if not path.exists():
            part = path.with_name(path.name + ".part")
            _write(part, film)
            part.rename(path)
        return path.read_bytes()


def _write(path: Path, film: Film) -> None:
    exact = {"fflags": "+bitexact"}  # no random numbers, no dates
    with av.open(str(path), "w", format=film.container, container_options=exact) as out:
        options = {"threads": "1"}
        if film.codec in ("libx264", "libx265"):
            options |= {"preset": "ultrafast", "g": "8", "bf": "2", "x265-params": "log-level=none"}
            options.pop("x265-params" if film.codec == "libx264" else "", None)
        if film.codec == "libsvtav1":
            os.environ.setdefault("SVT_LOG", "1")  # it writes to the terminal by itself
            options |= {"preset": "11"}
        video = cast("av.VideoStream", out.add_stream(film.codec, rate=film.rate, options=options))
        context = video.codec_context
        context.width, context.height = film.size
        context.pix_fmt = film.pix_fmt
        context.time_base = 1 / film.rate
        sound: Any = None
        if film.has_sound:
            sound = out.add_stream("mp2", rate=48000, layout="mono", options={"b": "48000"})
        for number in range(film.num_frames):
            out.mux(video.encode(_picture(film, number)))
        out.mux(video.encode(None))
        if sound is not None:
            for frame in _tone(film):
                out.mux(sound.encode(frame))
            out.mux(sound.encode(None))


def _picture(film: Film, number: int) -> av.VideoFrame:
    width, height = film.size
    y, x = np.ogrid[:height, :width]
    rgb = np.empty((height, width, 3), np.uint8)
    rgb[..., 0] = (x * 3 + number * 5) % 256
    rgb[..., 1] = (y * 4) % 256
    rgb[..., 2] = ((x - 4 * number) % 40 < 20) * 200
    frame = av.VideoFrame.from_ndarray(rgb, format="rgb24").reformat(format=film.pix_fmt)
    frame.pts, frame.time_base = film.start + number, 1 / film.rate
    return frame


def _tone(film: Film) -> list[av.AudioFrame]:
    frames = []
    for number in range(round(film.num_frames / film.rate * 48000 / 1152)):
        wave = (np.sin(np.arange(1152) / 17)[None] * 9000).astype(np.int16)
        frame = av.AudioFrame.from_ndarray(wave, format="s16", layout="mono")
        frame.sample_rate, frame.time_base = 48000, Fraction(1, 48000)
        frame.pts = number * 1152 + round(film.start / film.rate * 48000)
        frames.append(frame)
    return frames
