"""Writes the pixel aspect into the header of a Matroska file.

Players use the display size of the container, and square pixels if it has none, whatever the codec
says. FFmpeg's muxer writes it from a field that cannot be set with PyAV 18.1. So the track's name
is made longer to reserve room in the header, which is then overwritten in place: nothing moves in
the file, which may still be growing.
"""

from __future__ import annotations

import logging
import zlib
from fractions import Fraction
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pathlib import Path
    from typing import BinaryIO

log = logging.getLogger(__name__)

ROOM: Final = "~" * 48
"""Appended to the track's name to reserve room; replaced when the display size is written."""
FORMS: Final = ("matroska", "webm")

_TRACKS: Final = bytes.fromhex("1654AE6B")
_ENTRY, _NAME, _VIDEO, _CRC, _VOID = (bytes.fromhex(i) for i in ("AE", "536E", "E0", "BF", "EC"))
_SHAPE: Final = tuple(bytes.fromhex(i) for i in ("54B0", "54BA", "54B2"))
_HEAD_BYTES: Final = 1 << 20
_LARGEST: Final = 1 << 15

_Element = tuple[bytes, bytes]


def tell_shape(path: Path, size: tuple[int, int], aspect: Fraction) -> bool:
    """Write the display size into the header of a file whose video track has ``ROOM`` in its name.

    Args:
        path: the file, which may still be growing.
        size: width and height of its pictures.
        aspect: pixel aspect.

    Returns:
        False if there is no such header, or not yet.
    """
    try:
        with path.open("r+b") as file:
            return _patch(file, _display(size, aspect))
    except (OSError, ValueError) as error:
        log.debug("%s: no shape: %s", path, error)
        return False


def _display(size: tuple[int, int], aspect: Fraction) -> tuple[int, int]:
    """A display size with the exact ratio of the displayed picture, or nearly that."""
    ratio = aspect * size[0] / size[1]
    if max(ratio.numerator, ratio.denominator) > _LARGEST:
        ratio = ratio.limit_denominator(_LARGEST // 8)
    exact = size[0] * aspect, Fraction(size[1])
    if exact[0].denominator == 1 and exact[0] <= _LARGEST:
        return int(exact[0]), size[1]
    return ratio.numerator, ratio.denominator


def _patch(file: BinaryIO, display: tuple[int, int]) -> bool:
    head = file.read(_HEAD_BYTES)
    if ROOM.encode() not in head:
        return False
    begin, size = _tracks(head)
    body = head[begin : begin + size]
    if len(body) < size:
        return False
    children = [
        (ident, _with_shape(data, display) if ident == _ENTRY else data)
        for ident, data in _children(body)
    ]
    made = _same_length(children, body)
    if children and children[0][0] == _CRC:
        after = _size(made, len(_CRC))[1] + len(children[0][1])
        checksum = zlib.crc32(made[after:]).to_bytes(4, "little")
        made = made[: after - 4] + checksum + made[after:]
    file.seek(begin)
    file.write(made)
    return True


def _tracks(head: bytes) -> tuple[int, int]:
    """(offset, length) of the content of the Tracks element.

    Raises:
        ValueError: ``head`` contains no such element.
    """
    size, place = _size(head, 4)
    _, place = _size(head, place + size + 4)  # into the segment
    while head[place : place + 4] != _TRACKS:
        ident = 9 - head[place].bit_length() if place < len(head) and head[place] else 0
        size, place = _size(head, place + ident)
        place += size
    size, place = _size(head, place + len(_TRACKS))
    return place, size


def _same_length(children: list[_Element], body: bytes) -> bytes:
    """Encode elements; each size field keeps its length, so that nothing moves."""
    made, place = b"", 0
    for ident, data in children:
        size, after = _size(body, place + len(ident))
        if size != len(data):
            raise ValueError("an element changed its length")
        made += body[place:after] + data
        place = after + size
    return made


def _with_shape(entry: bytes, display: tuple[int, int]) -> bytes:
    """The entry of the video track with a display size, of unchanged length; other tracks as is."""
    children = list(_children(entry))
    name = next((data for ident, data in children if ident == _NAME), b"").decode()
    if not name.endswith(ROOM):
        return entry
    made: list[_Element] = []
    for ident, data in children:
        if ident == _NAME:
            data = name.removesuffix(ROOM).encode()
            if not data:
                continue
        elif ident == _VIDEO:
            kept = [child for child in _children(data) if child[0] not in _SHAPE]
            shape = zip(_SHAPE, display, strict=False)
            kept += [(ident, value.to_bytes(4, "big")) for ident, value in shape]
            data = b"".join(map(_written, kept))
        made.append((ident, data))
    text = b"".join(map(_written, made))
    left = len(entry) - len(text) - 9
    if left < 0:
        raise ValueError("there is no room in the header")
    return text + _VOID + (left | 1 << 56).to_bytes(8, "big") + bytes(left)


def _children(data: bytes) -> list[_Element]:
    found, place = [], 0
    while place < len(data):
        length = 9 - data[place].bit_length()
        ident = data[place : place + length]
        size, place = _size(data, place + length)
        found.append((ident, data[place : place + size]))
        place += size
    return found


def _size(data: bytes, place: int) -> tuple[int, int]:
    """(size, position after it) of an EBML size field."""
    if place >= len(data) or not data[place]:
        raise ValueError("no size")
    length = 9 - data[place].bit_length()
    value = int.from_bytes(data[place : place + length], "big") & (1 << 7 * length) - 1
    return value, place + length


def _written(element: _Element) -> bytes:
    ident, data = element
    length = 1 if len(data) < 127 else 4
    return ident + (len(data) | 1 << 7 * length).to_bytes(length, "big") + data
