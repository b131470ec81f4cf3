"""Copies earlier files packet by packet, to resume and join without re-encoding.

All GOPs are closed (``codecs``), so a file may be copied from any key frame up to any key frame.
"""

from __future__ import annotations

import logging
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from av.bitstream import BitStreamFilterContext

from rtvfi.core.errors import EncodeError, OpenError
from rtvfi.stream.decode.container import FAILURES, open_container

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    import av
    from av.container import InputContainer, OutputContainer

    from rtvfi.stream.decode.container import Packet
    from rtvfi.stream.write.timeline import Timeline

_START_CODES: Final = {"h264": "h264_mp4toannexb", "hevc": "hevc_mp4toannexb"}

Coding = tuple[str, bytes]
"""(codec, headers) of a video track: the result of ``coding``."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Gops:
    """The complete part of a file."""

    keys: tuple[int, ...]
    """Numbers of its key frames; the first is 0."""
    num_frames: int
    """Number of pictures from the first on without a gap."""


def packets(source: InputContainer, line: Timeline) -> Iterator[tuple[Packet, int]]:
    """Yield the packets of the video track, each with the number of its picture, from 0; a damaged
    file ends early.

    Args:
        source: the opened file.
        line: times of the pictures in the file, relative to the first one.
    """
    stream = source.streams.video[0]
    first: int | None = None
    try:
        for packet in source.demux(stream):
            if not packet.size or packet.pts is None or packet.time_base is None:
                continue
            if first is None:
                first = packet.pts  # a closed GOP begins with its first picture
            yield packet, line.number((packet.pts - first) * packet.time_base)
    except FAILURES as error:
        log.debug("%s ends early: %s", source.name, error)


def survey(path: Path, line: Timeline, *, is_finished: bool) -> Gops:
    """Find the complete GOPs of a file.

    Args:
        path: a file with one video track.
        line: as for ``packets``.
        is_finished: False if its writer may have been killed; then the last GOP does not count.
    """
    keys: list[int] = []
    seen = 0
    whole = 0
    try:
        with open_container(str(path)) as source:
            for packet, number in packets(source, line):
                if packet.is_keyframe:
                    if number != seen:  # something is missing in the GOP before
                        return Gops(tuple(keys[:-1]), whole)
                    keys.append(number)
                    whole = seen
                seen += 1
    except (OpenError, *FAILURES) as error:
        log.debug("%s cannot be used: %s", path, error)
    if is_finished:
        return Gops(tuple(keys), seen)
    return Gops(tuple(key for key in keys if key < whole), whole)


def coding(source: InputContainer) -> Coding:
    """(codec, headers) of the video track; packets of two files may be joined only if they are
    equal.
    """
    context = source.streams.video[0].codec_context
    return context.codec.canonical_name, bytes(context.extradata or b"")


def copied_stream(out: OutputContainer, video: av.VideoStream) -> av.VideoStream:
    """Add a stream for packets of ``video``, with its headers, colour and pixel aspect.

    Its codec context is made from the decoder of ``video``. PyAV would look for an encoder of the
    same name, which does not exist where the two have different names (libdav1d).
    """
    return out.add_stream_from_template(video, opaque=True)


def encoders_form(source: InputContainer) -> Callable[[Packet], Packet]:
    """A function that converts packets of the video track to the form that encoders return.

    Files store H.264 and HEVC units with a length in front, encoders with a start code; a muxer
    that was given an encoder's headers expects start codes.
    """
    stream = source.streams.video[0]
    name = _START_CODES.get(stream.codec_context.codec.canonical_name)
    if name is None:
        return lambda packet: packet
    form = BitStreamFilterContext(name, stream)

    def convert(packet: Packet) -> Packet:
        is_key = packet.is_keyframe
        (converted,) = form.filter(packet)
        converted.is_keyframe = is_key
        return converted

    return convert


@contextmanager
def opened(path: Path) -> Iterator[InputContainer]:
    """Open a piece for reading, as a context manager.

    Raises:
        EncodeError: the file is gone.
    """
    try:
        source = open_container(str(path))
    except OpenError as error:
        raise EncodeError(f"a part of the file is gone: {error.message}") from error
    with source:
        yield source
