"""Folders of numbered pictures, made from clips."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import av
from clips import Clips, ClipSpec

if TYPE_CHECKING:
    from pathlib import Path

SPEC = ClipSpec(num_frames=12, codec="ffv1")
ENCODERS = {"png": ("png", "rgb24"), "jpg": ("mjpeg", "yuvj420p"), "webp": ("libwebp", "yuv420p")}


def write_picture(path: Path, frame: av.VideoFrame) -> None:
    encoder, pixels = ENCODERS[path.suffix[1:]]
    form = "image2pipe" if path.suffix != ".webp" else "webp"
    with av.open(str(path), "w", format=form) as container:
        stream: Any = container.add_stream(encoder, rate=1)
        stream.width, stream.height, stream.pix_fmt = frame.width, frame.height, pixels
        told = frame.reformat(format=pixels, dst_color_range=2 if pixels == "yuvj420p" else None)
        told.pts = 0
        container.mux(stream.encode(told))
        container.mux(stream.encode(None))


def folder_of(clips: Clips, folder: Path, extension: str = "png") -> Path:
    """The frames of a clip as 1.png, 2.png, ... 12.png."""
    folder.mkdir()
    with av.open(str(clips.get(SPEC))) as film:
        for number, frame in enumerate(film.decode(video=0), 1):
            write_picture(folder / f"{number}.{extension}", frame)
    return folder
