"""Encoding in this process, with PyAV's FFmpeg."""

from __future__ import annotations

import logging
import os
from fractions import Fraction
from typing import TYPE_CHECKING, Final, cast

import av
import av.error
import numpy as np
from av.codec.context import Flags
from av.video.reformatter import VideoReformatter

from rtvfi.core.errors import EncodeError, first_line
from rtvfi.core.frame import plane_views

if TYPE_CHECKING:
    from av.container import OutputContainer
    from numpy.typing import NDArray

    from rtvfi.core.frame import StreamInfo
    from rtvfi.stream.decode.container import Packet
    from rtvfi.stream.write.encoders.setup import Setup

log = logging.getLogger(__name__)

FAILURES: Final = (av.error.FFmpegError, OSError, ValueError, RuntimeError, OverflowError)
"""Exceptions that PyAV raises when a stream cannot be set up or written."""


class PyavEncoder:
    """An ``Encoder`` in this process."""

    def __init__(self, container: OutputContainer, setup: Setup) -> None:
        codec = setup.codec
        self.name = codec.name
        self.reorder = 0 if setup.options.is_live else codec.reorder
        self._setup = setup
        self._size = setup.size
        self._reformatter = VideoReformatter()
        if codec.style == "svt":
            os.environ.setdefault("SVT_LOG", "1")  # otherwise it writes to the terminal
        options = setup.encoder_options
        try:
            self.stream = cast(
                "av.VideoStream", container.add_stream(codec.name, rate=setup.rate, options=options)
            )
            self._set_up()
            self.stream.codec_context.open()
        except FAILURES as error:
            raise EncodeError(
                f"{codec.name} cannot be started: {first_line(error)}",
                "check --crf and --preset-encoder, or use another --encoder",
            ) from error

    def _set_up(self) -> None:
        setup, context = self._setup, self.stream.codec_context
        context.width, context.height = self._size
        context.pix_fmt = setup.target
        context.time_base = 1 / setup.rate
        if not setup.is_steady:
            context.framerate = Fraction(0)  # otherwise the file claims a constant rate
        context.gop_size = setup.gop
        context.flags |= Flags.closed_gop | Flags.global_header
        context.sample_aspect_ratio = setup.info.pixel_aspect
        color = setup.info.color
        context.color_range = 2 if color.full_range else 1
        context.colorspace = color.matrix
        context.color_primaries = color.primaries
        context.color_trc = color.transfer

    def encode(self, payload: NDArray[np.uint8], tick: int) -> list[Packet]:
        """Take the picture with number ``tick`` (0, 1, 2, ...)."""
        setup = self._setup
        is_halved = setup.stored.format.name == setup.info.sampling
        halved = setup.info.sampling if is_halved else ""
        frame = to_frame(payload, setup.info, self._size, halved)
        if not halved and setup.target != setup.info.format.name:
            frame = self._reformatter.reformat(frame, format=setup.target, interpolation="BICUBIC")
        frame.pts, frame.time_base = tick, self.stream.codec_context.time_base
        frame.duration = 1
        return self._encode(frame)

    def flush(self) -> list[Packet]:
        """The packets still inside; nothing can be encoded afterwards."""
        return self._encode(None)

    def close(self) -> None:
        """Does nothing: the container owns all resources."""

    def _encode(self, frame: av.VideoFrame | None) -> list[Packet]:
        try:
            return list(self.stream.encode(frame))
        except FAILURES as error:
            raise EncodeError(f"{self.name} stopped: {first_line(error)}") from error


def to_frame(
    payload: NDArray[np.uint8], info: StreamInfo, size: tuple[int, int], halved: str = ""
) -> av.VideoFrame:
    """A frame for an encoder; if ``size`` is larger, the last column and row are repeated.

    ``halved`` names a 4:2:2 format, which gets every second column of the 4:4:4 chroma.

    In the ordinary case the frame shares the payload's memory: copying into fresh pages would take
    0.4 ms at 1280x720, 0.9 ms at 1920x1080.
    """
    if not halved and size == (info.width, info.height) and not (info.width % 2 or info.height % 2):
        planes = plane_views(payload, info)
        return av.VideoFrame.from_dlpack(planes, format=info.format.name)
    frame = av.VideoFrame(*size, halved or info.format.name)
    luma, *chroma = plane_views(payload, info)
    views = (luma, *(view[:, :: 2 if halved else 1] for view in chroma))
    for plane, view in zip(frame.planes, views, strict=True):
        rows, columns = view.shape
        target = np.frombuffer(memoryview(plane), view.dtype).reshape(plane.height, -1)
        target[:rows, :columns] = view
        target[:rows, columns : plane.width] = view[:, -1:]
        target[rows:, : plane.width] = target[rows - 1, : plane.width]
    return frame
