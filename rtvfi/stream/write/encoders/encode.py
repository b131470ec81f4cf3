"""The contract of encoders, and the choice of one.

An encoder adds its own stream to the container it is opened for, because a container needs the
codec's headers before its first packet. The pts of a packet is the number of its picture; the muxer
turns numbers into times.
"""

from __future__ import annotations

import io
import logging
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING, Final, Protocol

import av

from rtvfi.core.errors import EncodeError, UsageError
from rtvfi.core.frame import PIXEL_FORMATS
from rtvfi.stream.decode.hardware import probe_vaapi
from rtvfi.stream.write.encoders.codecs import (
    CODECS,
    candidates,
    codec_options,
    find_codec,
    why_not,
)
from rtvfi.stream.write.encoders.ffmpeg import Unusable, VaapiEncoder
from rtvfi.stream.write.encoders.pyav import PyavEncoder
from rtvfi.stream.write.encoders.setup import Setup, stored_info

if TYPE_CHECKING:
    from collections.abc import Iterable
    from fractions import Fraction

    import numpy as np
    from av.container import OutputContainer
    from numpy.typing import NDArray

    from rtvfi.core.frame import StreamInfo
    from rtvfi.core.options import EncodeOptions
    from rtvfi.stream.decode.container import Packet

log = logging.getLogger(__name__)

_NOT_IN: Final = {"mov": frozenset({"av1", "vp9"})}
"""Codecs that FFmpeg lists for a container although its muxer refuses them."""


class Encoder(Protocol):
    """Encodes one video stream; opened and used by the thread that owns the container."""

    name: str
    """FFmpeg's name of the encoder, for messages."""
    stream: av.VideoStream
    """The stream in the container, complete enough to write the container's header."""
    reorder: int
    """As in ``codecs.Codec``."""

    def encode(self, payload: NDArray[np.uint8], tick: int) -> list[Packet]:
        """Take the picture with number ``tick`` (0, 1, 2, ...).

        Returns:
            Finished packets in decoding order; pts is the number of their picture.

        Raises:
            EncodeError: the encoder failed.
        """
        ...

    def flush(self) -> Iterable[Packet]:
        """The packets that are still buffered; nothing can be encoded afterwards.

        Raises:
            EncodeError: the encoder failed; packets that could be saved are yielded first.
        """
        ...

    def close(self) -> None:
        """Release its resources, flushed or not; calling it twice is fine."""
        ...


def open_encoder(
    container: OutputContainer,
    info: StreamInfo,
    rate: Fraction,
    options: EncodeOptions,
    *,
    is_steady: bool = True,
    becomes: str | None = None,
) -> Encoder:
    """Open an encoder, which adds its video stream to ``container``.

    Args:
        container: a container whose header is not written.
        info: the stream of payloads.
        rate: pictures per second.
        options: encoder ``auto`` uses the first that this machine, the pictures and the container
            allow.
        is_steady: False if ``rate`` is only nominal.
        becomes: FFmpeg's name of the container that the packets end up in; None = this one.

    Raises:
        EncodeError: the named encoder cannot run, or none can.
        UsageError: there is no such encoder, or its settings are invalid.
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

    form = becomes or container.format.name
    if options.encoder != "auto":
        wanted = setup(options.encoder)
        if reason := _refusal(form, wanted):
            raise EncodeError(f"{options.encoder} cannot be used: {reason}", "--encoder auto")
        return _open(container, wanted)
    refused: list[str] = []
    for tried in map(setup, _fitting(form, info, options)):
        if tried.codec.style == "vaapi" and (
            options.preset or not probe_vaapi(options.vaapi_device).is_expected
        ):
            continue
        reason = _refusal(form, tried)
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


def check_encoder(form: str, info: StreamInfo, options: EncodeOptions) -> None:
    """Check that a file can be written, before any work is done.

    Args:
        form: FFmpeg's name of the container.
        info: the stream of pictures.
        options: as for ``open_encoder``.

    Raises:
        UsageError: the container cannot hold the named encoder's codec, no encoder accepts these
            pictures, or the settings are invalid.
    """
    fitting = _fitting(form, info, options)
    if options.encoder != "auto":
        codec = find_codec(options.encoder)
        if not _holds(form, codec.stored):
            raise UsageError(
                f"a {form} file does not hold {codec.stored}, which {codec.name} makes",
                f"--encoder {fitting[0]}",
            )
        fitting = [codec.name]
    for codec in map(find_codec, fitting):
        stored = stored_info(codec, info, options)
        if not why_not(codec, stored):
            codec_options(codec, stored, options)
            return
    if options.encoder == "auto":
        name = options.pix_fmt or info.format.name
        raise UsageError(
            f"no encoder makes a {form} file of {name} pictures",
            "write a .mkv, or use another --pix-fmt",
        )


def _fitting(form: str, info: StreamInfo, options: EncodeOptions) -> list[str]:
    """The encoders that ``auto`` tries, best first, whose packets the container can hold."""
    shown = replace(info, format=PIXEL_FORMATS[options.pix_fmt or info.format.name])
    names = candidates(shown, is_live=options.is_live)
    return [name for name in names if _holds(form, CODECS[name].stored)]


def _open(container: OutputContainer, setup: Setup) -> Encoder:
    kind = VaapiEncoder if setup.codec.style == "vaapi" else PyavEncoder
    return kind(container, setup)


@cache
def _held(form: str) -> frozenset[str]:
    """FFmpeg's names of the codecs that a container can hold."""
    with av.open(io.BytesIO(), "w", format=form) as trial:
        return frozenset(trial.supported_codecs) - _NOT_IN.get(form, frozenset())


def _holds(form: str, stored: str) -> bool:
    return stored in _held(form)


def _refusal(form: str, setup: Setup) -> str:
    codec = setup.codec
    if codec.style == "vaapi":
        if reason := probe_vaapi(setup.options.vaapi_device).reason:
            return reason
    elif codec.name not in av.codecs_available:
        return "this FFmpeg has none"
    if not _holds(form, codec.stored):
        return f"a {form} file does not hold {codec.stored}"
    return why_not(codec, setup.stored)
