"""Encoders: payloads in, packets out.

An encoder adds its own stream to the container it is opened for, because a container needs the
codec's headers before its first packet. Packets carry the picture's number as pts; the muxer knows
the time.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Protocol

import av

from rtvfi.errors import EncodeError
from rtvfi.frame import PIXEL_FORMATS
from rtvfi.stream.codecs import candidates, find_codec, why_not
from rtvfi.stream.encode_ffmpeg import Unusable, VaapiEncoder
from rtvfi.stream.encode_pyav import PyavEncoder
from rtvfi.stream.encode_setup import Setup, stored_info
from rtvfi.stream.hardware import probe_vaapi

if TYPE_CHECKING:
    from collections.abc import Iterable
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

    def flush(self) -> Iterable[Packet]:
        """The packets still inside; nothing can be encoded afterwards.

        Raises:
            EncodeError: the encoder broke down; packets that could be saved come first.
        """
        ...

    def close(self) -> None:
        """Let go of what it holds, flushed or not; twice is fine."""
        ...


def open_encoder(
    container: OutputContainer,
    info: StreamInfo,
    rate: Fraction,
    options: EncodeOptions,
    *,
    is_steady: bool = True,
) -> Encoder:
    """Add a video stream to ``container`` with the encoder asked for.

    Args:
        container: not begun yet.
        info: what the payloads are.
        rate: pictures per second.
        options: ``auto`` takes the first that this machine, the pictures and the container allow.
        is_steady: False where ``rate`` is nominal only.

    Raises:
        EncodeError: the named encoder cannot run, or none can.
        UsageError: no such encoder, or settings it does not know.
    """

    def setup(name: str) -> Setup:
        codec = find_codec(name)
        return Setup(
            codec=codec,
            info=info,
            stored=stored_info(codec, info, options),
            rate=rate,
            is_steady=is_steady,
            options=options,
        )

    if options.encoder != "auto":
        wanted = setup(options.encoder)
        if reason := _refusal(container, wanted):
            raise EncodeError(f"{options.encoder} cannot be used: {reason}", "--encoder auto")
        return _open(container, wanted)
    refused: list[str] = []
    shown = replace(info, format=PIXEL_FORMATS[options.pix_fmt or info.format.name])
    for tried in map(setup, candidates(shown, is_live=options.is_live)):
        if tried.codec.style == "vaapi" and (
            options.preset or not probe_vaapi(options.vaapi_device).is_expected
        ):
            continue
        reason = _refusal(container, tried)
        if not reason:
            try:
                encoder = _open(container, tried)
            except Unusable as error:
                reason = error.reason
            else:
                if refused:
                    log.warning("encoding with %s: %s", encoder.name, "; ".join(refused))
                return encoder
        refused.append(f"{tried.codec.name} cannot be used: {reason}")
    raise EncodeError("no encoder can be used: " + "; ".join(refused))


def _open(container: OutputContainer, setup: Setup) -> Encoder:
    kind = VaapiEncoder if setup.codec.style == "vaapi" else PyavEncoder
    encoder = kind(container, setup)
    if setup.info.pixel_aspect != 1 and not setup.codec.tells_aspect:
        log.warning(
            "a file made with %s does not tell the pixel aspect %s: set it in the player",
            setup.codec.name,
            setup.info.pixel_aspect,
        )
    return encoder


def _refusal(container: OutputContainer, setup: Setup) -> str:
    codec = setup.codec
    if codec.style == "vaapi":
        if reason := probe_vaapi(setup.options.vaapi_device).reason:
            return reason
    elif codec.name not in av.codecs_available:
        return "this FFmpeg has none"
    if codec.stored not in container.supported_codecs:
        return f"a {container.format.name} file does not hold {codec.stored}"
    return why_not(codec, setup.stored)
