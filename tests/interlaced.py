"""Clips of two fields per picture, made by code."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Any, cast

import av
import numpy as np

from rtvfi.core.frame import plane_views

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from rtvfi.core.frame import SourceFrame, StreamInfo

SIZE = (96, 64)
NUM = 30


def field_at(time: int) -> NDArray[np.uint8]:
    """A soft slanted bar that moves 5 pixels per field, all lines (64, 96)."""
    y, x = np.mgrid[: SIZE[1], : SIZE[0]]
    off = x - y / 4 - 5 - 5 * (time % 14)
    return cast("NDArray[np.uint8]", (60 + 150 * np.exp(-((off / 6) ** 2))).astype(np.uint8))


def woven(number: int) -> NDArray[np.uint8]:
    """Two fields in one picture, the lower one first: PyAV cannot tell x264 of any other order."""
    picture = field_at(2 * number)
    picture[::2] = field_at(2 * number + 1)[::2]
    return picture


def write(path: Path, flagged: range, codec: str = "libx264") -> Path:
    """Pictures of two fields in the numbers ``flagged``, whole ones elsewhere; 25 a second.

    An encoder marks all of its pictures or none, so streams of one kind are joined, in MPEG-TS.
    """
    runs = [
        (range(flagged.start), False),
        (flagged, True),
        (range(flagged.stop, NUM), False),
    ]
    parts = []
    for numbers, is_interlaced in runs:
        if not numbers:
            continue
        part = path.with_suffix(f".{numbers.start}.ts")
        options = {"threads": "1", "bf": "2", "g": "8", "crf": "1", "preset": "ultrafast"}
        if is_interlaced:
            options["x264-params"] = "bff=1"
        with av.open(str(part), "w", options={"mpegts_copyts": "1"}) as out:
            stream: Any = out.add_stream(codec, rate=25, options=options)
            stream.width, stream.height, stream.pix_fmt = *SIZE, "yuv420p"
            for number in numbers:
                luma = woven(number) if is_interlaced else field_at(2 * number)
                grey = np.full((SIZE[1] // 2, SIZE[0]), 128, np.uint8)
                planes = np.concatenate([luma, grey])
                frame = av.VideoFrame.from_ndarray(planes, format="yuv420p")
                frame.pts, frame.time_base = number + 25, Fraction(1, 25)
                out.mux(stream.encode(frame))
            out.mux(stream.encode())
        parts.append(part.read_bytes())
    path.write_bytes(b"".join(parts))
    return path


def combing(info: StreamInfo, frame: SourceFrame) -> float:
    """How much lines differ from the mean of their neighbours."""
    luma = plane_views(frame.payload, info)[0].astype(float)
    return float(np.abs(luma[1:-1] - (luma[:-2] + luma[2:]) / 2).mean())
