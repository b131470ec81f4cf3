"""Files written before, taken over packet by packet: resuming and joining without encoding again.

All GOPs are closed (see ``codecs``), so a file may be taken up to any key frame, and begun at any.
"""

from __future__ import annotations

import logging
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rtvfi.errors import EncodeError, OpenError
from rtvfi.stream.decode_open import FAILURES, open_container

if TYPE_CHECKING:
    from collections.abc import Iterator
    from fractions import Fraction
    from pathlib import Path

    import av
    from av.container import InputContainer

    Packet = av.Packet[Any]

Coding = tuple[str, bytes]
"""See ``coding``."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Gops:
    """What a file holds, as far as it is whole."""

    keys: tuple[int, ...]
    """Numbers of its key frames, 0 first."""
    num_frames: int
    """Pictures from the first on without a gap."""


def packets(source: InputContainer, step: Fraction) -> Iterator[tuple[Packet, int]]:
    """Packets of the video track with the number of their picture, counted from the first; ends
    early where the file does.
    """
    stream = source.streams.video[0]
    first: int | None = None
    try:
        for packet in source.demux(stream):
            if not packet.size or packet.pts is None or packet.time_base is None:
                continue
            if first is None:
                first = packet.pts  # a closed GOP begins with its first picture
            yield packet, round((packet.pts - first) * packet.time_base / step)
    except FAILURES as error:
        log.debug("%s ends early: %s", source.name, error)


def survey(path: Path, step: Fraction, *, is_finished: bool) -> Gops:
    """Which GOPs of a file are whole.

    Args:
        path: a file with one video track.
        step: seconds from picture to picture.
        is_finished: False if its writer may have been killed: the last GOP does not count then.
    """
    keys: list[int] = []
    seen = 0
    whole = 0
    try:
        with open_container(str(path)) as source:
            for packet, number in packets(source, step):
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
    """Codec and headers of the video track: packets of two files suit each other only where these
    are equal.
    """
    context = source.streams.video[0].codec_context
    return context.codec.canonical_name, bytes(context.extradata or b"")


@contextmanager
def opened(path: Path) -> Iterator[InputContainer]:
    """A piece, open for reading.

    Raises:
        EncodeError: it is gone.
    """
    try:
        source = open_container(str(path))
    except OpenError as error:
        raise EncodeError(f"a part of the file is gone: {error.message}") from error
    with source:
        yield source
