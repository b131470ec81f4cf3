"""Films whose pictures change their shape on the way."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import av
import numpy as np
from oddities import RATE

if TYPE_CHECKING:
    from pathlib import Path

    from rtvfi.core.frame import Shape


def write(path: Path, parts: list[tuple[Shape, int]], codec: str = "libx264") -> Path:
    """Runs of white pictures of several shapes; packets of several encoders in one stream."""
    form = "mpegts" if path.suffix == ".ts" else None
    begun = 0
    with av.open(str(path), "w", format=form) as out:
        stream: Any = None
        for shape, count in parts:
            options = {"g": "10", "bf": "0"}
            coder: Any = av.CodecContext.create(codec, "w")
            coder.width, coder.height, coder.pix_fmt = shape.width, shape.height, "yuv420p"
            coder.time_base, coder.framerate = 1 / RATE, RATE
            coder.sample_aspect_ratio = shape.aspect
            coder.options = options
            if stream is None:
                stream = out.add_mux_stream(
                    {"libx264": "h264", "libvpx-vp9": "vp9", "libvpx": "vp8"}.get(codec, codec),
                    rate=RATE,
                    width=shape.width,
                    height=shape.height,
                )
            packets = []
            for number in range(count):
                white = np.full((shape.height, shape.width, 3), 255, np.uint8)
                frame = av.VideoFrame.from_ndarray(white, "rgb24").reformat(format="yuv420p")
                frame.pts, frame.time_base = begun + number, 1 / RATE
                packets += coder.encode(frame)
            for packet in [*packets, *coder.encode(None)]:
                packet.stream = stream
                packet.time_base = 1 / RATE
                out.mux(packet)
            begun += count
    return path
