"""Encoders: payloads in, packets out.

An encoder adds its own stream to the container it is opened for, because a container needs the
codec's headers before its first packet. Packets carry the picture's number as pts; the muxer knows
the time.
"""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING, Any, Final, Protocol, cast

import av
import av.error
import numpy as np
from av.codec.context import Flags

from rtvfi.errors import EncodeError
from rtvfi.frame import plane_views
from rtvfi.stream.codecs import (
    Codec,
    candidates,
    codec_options,
    coded_size,
    find_codec,
    gop_frames,
    why_not,
)

if TYPE_CHECKING:
    from fractions import Fraction

    from av.container import OutputContainer
    from numpy.typing import NDArray

    from rtvfi.frame import StreamInfo
    from rtvfi.stream.options import EncodeOptions

    Packet = av.Packet[Any]

log = logging.getLogger(__name__)

FAILURES: Final = (av.error.FFmpegError, OSError, ValueError, RuntimeError)
"""What PyAV raises when a stream cannot be set up or written."""


class Encoder(Protocol):
    """One video stream under way; opened and used by the thread that owns the container."""

    name: str
    """For messages: FFmpeg's name of the encoder."""
    stream: av.VideoStream
    """The container's stream, ready for the container to write its header."""
    reorder: int
    """See ``codecs.Codec``."""

    def encode(self, payload: NDArray[np.uint8], tick: int) -> list[Packet]:
        """Take the picture with number ``tick`` (0, 1, 2, ...).

        Returns:
            Finished packets in decoding order; pts is the number of their picture.

        Raises:
            EncodeError: the encoder broke down.
        """
        ...

    def flush(self) -> list[Packet]:
        """The packets still inside; nothing can be encoded afterwards."""
        ...


def open_encoder(
    container: OutputContainer, info: StreamInfo, rate: Fraction, options: EncodeOptions
) -> Encoder:
    """Add a video stream to ``container`` with the encoder asked for.

    Args:
        container: not begun yet.
        info: what the payloads are.
        rate: pictures per second.
        options: ``auto`` takes the first that this machine, the pictures and the container allow.

    Raises:
        EncodeError: the named encoder cannot run, or none can.
        UsageError: no such encoder, or settings it does not know.
    """
    if options.encoder != "auto":
        codec = find_codec(options.encoder)
        if reason := _refusal(container, codec, info):
            raise EncodeError(f"{codec.name} cannot be used: {reason}", "--encoder auto")
        return PyavEncoder(container, codec, info, rate, options)
    refused: list[str] = []
    for name in candidates(info):
        codec = find_codec(name)
        reason = _refusal(container, codec, info)
        if not reason:
            if refused:
                log.warning("encoding with %s: %s", name, "; ".join(refused))
            return PyavEncoder(container, codec, info, rate, options)
        refused.append(f"{name} cannot be used: {reason}")
    raise EncodeError("no encoder can be used: " + "; ".join(refused))


def _refusal(container: OutputContainer, codec: Codec, info: StreamInfo) -> str:
    if codec.name not in av.codecs_available:
        return "this FFmpeg has none"
    if codec.stored not in container.supported_codecs:
        return f"a {container.format.name} file does not hold {codec.stored}"
    return why_not(codec, info)


class PyavEncoder:
    """An encoder of the FFmpeg inside PyAV."""

    def __init__(
        self,
        container: OutputContainer,
        codec: Codec,
        info: StreamInfo,
        rate: Fraction,
        options: EncodeOptions,
    ) -> None:
        self.name = codec.name
        self.reorder = 0 if options.is_live else codec.reorder
        self._info = info
        self._size = coded_size(codec, info)
        self._target = codec.formats[info.format.name]
        told = codec_options(codec, info, options)
        if info.pixel_aspect != 1 and not codec.tells_aspect:
            log.warning(
                "a file made with %s does not tell the pixel aspect %s: set it in the player",
                codec.name,
                info.pixel_aspect,
            )
        if codec.style == "svt":
            os.environ.setdefault("SVT_LOG", "1")  # it writes to the terminal by itself
        try:
            self.stream = cast(
                "av.VideoStream", container.add_stream(codec.name, rate=rate, options=told)
            )
            self._set_up(rate)
            self.stream.codec_context.open()
        except FAILURES as error:
            raise EncodeError(
                f"{codec.name} cannot be started: {said(error)}",
                "check --crf and --preset-encoder, or use another --encoder",
            ) from error

    def _set_up(self, rate: Fraction) -> None:
        info, context = self._info, self.stream.codec_context
        context.width, context.height = self._size
        context.pix_fmt = self._target
        context.time_base = 1 / rate
        context.gop_size = gop_frames(rate)
        context.flags |= Flags.closed_gop | Flags.global_header
        context.sample_aspect_ratio = info.pixel_aspect
        color = info.color
        context.color_range = 2 if color.full_range else 1
        context.colorspace = color.matrix
        context.color_primaries = color.primaries
        context.color_trc = color.transfer
        if info.rotation:
            self.stream.set_display_rotation(-info.rotation)  # FFmpeg counts counter-clockwise

    def encode(self, payload: NDArray[np.uint8], tick: int) -> list[Packet]:
        """See ``Encoder``."""
        frame = to_frame(payload, self._info, self._size)
        if self._target != self._info.format.name:
            frame = frame.reformat(format=self._target)
        frame.pts, frame.time_base = tick, self.stream.codec_context.time_base
        frame.duration = 1
        return self._encode(frame)

    def flush(self) -> list[Packet]:
        """See ``Encoder``."""
        return self._encode(None)

    def _encode(self, frame: av.VideoFrame | None) -> list[Packet]:
        try:
            return list(self.stream.encode(frame))
        except FAILURES as error:
            raise EncodeError(f"{self.name} stopped: {said(error)}") from error


def to_frame(payload: NDArray[np.uint8], info: StreamInfo, size: tuple[int, int]) -> av.VideoFrame:
    """A frame for an encoder; where ``size`` is larger, the last column and row are repeated."""
    frame = av.VideoFrame(*size, info.format.name)
    for plane, view in zip(frame.planes, plane_views(payload, info), strict=True):
        rows, columns = view.shape
        target = np.frombuffer(cast("Any", plane), view.dtype).reshape(plane.height, -1)
        target[:rows, :columns] = view
        target[:rows, columns : plane.width] = view[:, -1:]
        target[rows:, : plane.width] = target[rows - 1, : plane.width]
    return frame


def said(error: Exception) -> str:
    """What FFmpeg says, in one line."""
    text = getattr(error, "strerror", None) or str(error)
    return text.splitlines()[0] if text else type(error).__name__
