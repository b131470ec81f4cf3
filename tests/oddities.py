"""Films as people have them, made in a moment: cropped, mirrored, turned, anamorphic, in pairs."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Final, cast

import av
import numpy as np
from fakes import stream_info

from rtvfi.core.frame import plane_views
from rtvfi.stream.serve.matroska import VirtualMkv

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from rtvfi.core.frame import StreamInfo

RATE: Final = Fraction(25)
MATRICES: Final = {
    "upright": (1, 0, 0, 1),
    "mirror": (-1, 0, 0, 1),
    "upside down": (1, 0, 0, -1),
    "180": (-1, 0, 0, -1),
    "90": (0, 1, -1, 0),
    "270": (0, -1, 1, 0),
    "90 mirrored": (0, 1, 1, 0),
    "270 mirrored": (0, -1, -1, 0),
}
"""a, b, c, d of the display matrix: all ways in which a picture can lie."""


def picture(width: int, height: int, number: int = 0) -> NDArray[np.uint8]:
    """RGB, different in every corner: (height, width, 3)."""
    y, x = np.mgrid[:height, :width]
    red, green = 255 * x / width, 255 * y / height
    blue = np.where((x < width / 3) & (y < height / 4), 255, 8 * number)
    return np.stack([red, green, blue], -1).astype(np.uint8)


@dataclass(frozen=True, kw_only=True)
class Film:
    """What a film is like."""

    size: tuple[int, int] = (96, 64)
    count: int = 6
    codec: str = "libx264"
    matrix: tuple[int, int, int, int] | None = None
    aspect: Fraction = Fraction(1)
    tags: Mapping[str, str] = field(default_factory=dict)
    pixels: str = "yuv420p"
    options: Mapping[str, str] = field(default_factory=dict)


def write_film(path: Path, **facts: Any) -> Path:
    """A film of still-like pictures, in the container its name asks for.

    Args:
        path: where to.
        facts: fields of ``Film``.
    """
    film = Film(**facts)
    told = {"libx264": {"crf": "1", "preset": "ultrafast"}}.get(film.codec, {})
    with av.open(str(path), "w") as out:
        stream = cast(
            "av.VideoStream",
            out.add_stream(film.codec, rate=RATE, options={**told, **film.options}),
        )
        stream.width, stream.height = film.size
        stream.pix_fmt = film.pixels
        stream.codec_context.sample_aspect_ratio = film.aspect
        stream.metadata.update(film.tags)
        if film.matrix is not None:
            a, b, c, d = (65536 * value for value in film.matrix)
            stream.set_display_matrix((a, b, 0, c, d, 0, 0, 0, 1 << 30))
        for number in range(film.count):
            frame = av.VideoFrame.from_ndarray(picture(*film.size, number), "rgb24")
            frame = frame.reformat(format=film.pixels)
            frame.pts, frame.time_base = number, 1 / RATE
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return path


def write_matroska(path: Path, count: int = 6, **facts: Any) -> Path:
    """A Matroska file of raw pictures whose header says what ``facts`` do: crop, stereo, aspect."""
    info: StreamInfo = stream_info(source_rate=RATE, **facts)
    times = [round(k / RATE * 10**6) for k in range(count)]
    mkv = VirtualMkv(info, times, 1 / RATE, "raw")
    records = []
    for number in range(count):
        payload = np.empty(info.payload_bytes, np.uint8)
        luma, *chroma = plane_views(payload, info)
        y, x = np.mgrid[: info.height, : info.width]
        luma[...] = 16 + (2 * x + 3 * y + number) % 200
        for plane, code in zip(chroma, (100, 150), strict=True):
            plane[...] = code
        records.append(mkv.prefix(number) + payload.tobytes())
    path.write_bytes(mkv.header + b"".join(records))
    return path


def rgb(path: Path) -> list[NDArray[np.uint8]]:
    """The stored pictures of a file."""
    with av.open(str(path)) as source:
        return [cast("Any", frame.to_ndarray(format="rgb24")) for frame in source.decode(video=0)]
