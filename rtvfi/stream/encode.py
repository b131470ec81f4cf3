"""Encoders: payloads in, packets out.

An encoder adds its own stream to the container it is opened for, because a container needs the
codec's headers before its first packet. Packets carry the picture's number as pts; the muxer knows
the time.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Protocol

import av

from rtvfi.errors import EncodeError
from rtvfi.stream.codecs import Codec, candidates, find_codec, why_not
from rtvfi.stream.encode_ffmpeg import Unusable, VaapiEncoder
from rtvfi.stream.encode_pyav import PyavEncoder
from rtvfi.stream.hardware import probe_vaapi

if TYPE_CHECKING:
    from fractions import Fraction

    import numpy as np
    from av.container import OutputContainer
    from numpy.typing import NDArray

    from rtvfi.frame import StreamInfo
    from rtvfi.stream.options import EncodeOptions

    Packet = av.Packet[Any]

log = logging.getLogger(__name__)


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
        """The packets still inside; nothing can be encoded afterwards.

        Raises:
            EncodeError: the encoder broke down.
        """
        ...

    def close(self) -> None:
        """Let go of what it holds, flushed or not; twice is fine."""
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
        if reason := _refusal(container, codec, info, options):
            raise EncodeError(f"{codec.name} cannot be used: {reason}", "--encoder auto")
        return _open(container, codec, info, rate, options)
    refused: list[str] = []
    for name in candidates(info, is_live=options.is_live):
        codec = find_codec(name)
        if codec.style == "vaapi" and (
            options.preset or not probe_vaapi(options.vaapi_device).is_expected
        ):
            continue
        reason = _refusal(container, codec, info, options)
        if not reason:
            try:
                encoder = _open(container, codec, info, rate, options)
            except Unusable as error:
                reason = error.reason
            else:
                if refused:
                    log.warning("encoding with %s: %s", name, "; ".join(refused))
                return encoder
        refused.append(f"{name} cannot be used: {reason}")
    raise EncodeError("no encoder can be used: " + "; ".join(refused))


def _open(
    container: OutputContainer,
    codec: Codec,
    info: StreamInfo,
    rate: Fraction,
    options: EncodeOptions,
) -> Encoder:
    kind = VaapiEncoder if codec.style == "vaapi" else PyavEncoder
    return kind(container, codec, info, rate, options)


def _refusal(
    container: OutputContainer, codec: Codec, info: StreamInfo, options: EncodeOptions
) -> str:
    if codec.style == "vaapi":
        if reason := probe_vaapi(options.vaapi_device).reason:
            return reason
    elif codec.name not in av.codecs_available:
        return "this FFmpeg has none"
    if codec.stored not in container.supported_codecs:
        return f"a {container.format.name} file does not hold {codec.stored}"
    return why_not(codec, info)
