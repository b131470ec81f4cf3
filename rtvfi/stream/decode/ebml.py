"""Reads from the header of a Matroska file what FFmpeg does not pass on.

Element numbers: RFC 9559.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum
from pathlib import Path
from typing import TYPE_CHECKING, Final

from rtvfi.core.frame import NO_CROP, Crop

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import BinaryIO

_MOST_BYTES: Final = 4 << 20
"""Limit for one element of the header; a larger one is treated as damage."""


class _Element(IntEnum):
    """Element ids."""

    EBML = 0x1A45DFA3
    SEGMENT = 0x18538067
    TRACKS = 0x1654AE6B
    CHAPTERS = 0x1043A770
    CLUSTER = 0x1F43B675
    SEEK_HEAD = 0x114D9B74


@dataclass(frozen=True, slots=True)
class TrackFacts:
    """Properties of a video track."""

    crop: Crop = NO_CROP
    stereo: int = 0
    """StereoMode."""
    display: tuple[int, int] | None = None
    """Display width and height; only their ratio matters."""


@dataclass(frozen=True, slots=True)
class Facts:
    """Properties of a file."""

    tracks: tuple[TrackFacts | None, ...] = ()
    """The tracks in file order; None for a track that is not video."""
    is_ordered: bool = False
    """The default edition has ordered chapters: they say which parts are played in which order."""
    links: bool = False
    """One of these chapters is in another file."""


@dataclass(slots=True)
class _Found:
    tracks: list[TrackFacts | None] = field(default_factory=list)
    editions: list[tuple[bool, bool, bool]] = field(default_factory=list)
    """(is default, is ordered, links to another file) of each edition."""


def facts_of(path: str) -> Facts | None:
    """Read the header of a file; None if it is not Matroska, or not a local file."""
    try:
        with Path(path).open("rb") as file:
            if int.from_bytes(file.read(4), "big") != _Element.EBML:
                return None
            file.seek(0)
            found = _Found()
            _read_file(file, found)
    except (OSError, ValueError):
        return None
    editions = found.editions
    chosen = next((e for e in editions if e[0]), editions[0] if editions else (False,) * 3)
    return Facts(tuple(found.tracks), chosen[1], chosen[1] and chosen[2])


def _read_file(file: BinaryIO, found: _Found) -> None:
    """Read the elements before the first cluster, and chapters after it that the file points to."""
    head = _head(file)
    if head is None:
        return
    file.seek(head[1], 1)
    segment = _head(file)
    if segment is None or segment[0] != _Element.SEGMENT:
        return
    begin = file.tell()
    seen: set[int] = set()
    later: list[tuple[int, int]] = []
    while (head := _head(file)) is not None and head[0] != _Element.CLUSTER:
        ident, size = head
        if (
            ident in (_Element.TRACKS, _Element.CHAPTERS, _Element.SEEK_HEAD)
            and size <= _MOST_BYTES
        ):
            _take(ident, file.read(size), found, later)
            seen.add(ident)
        else:
            file.seek(size, 1)
    for ident, place in later:
        if ident == _Element.CHAPTERS and ident not in seen:
            file.seek(begin + place)
            head = _head(file)
            if head is not None and head[0] == ident and head[1] <= _MOST_BYTES:
                _take(ident, file.read(head[1]), found, later)


def _take(ident: int, data: bytes, found: _Found, later: list[tuple[int, int]]) -> None:
    if ident == _Element.TRACKS:
        found.tracks += [_track(body) for kind, body in _children(data) if kind == 0xAE]
    elif ident == _Element.CHAPTERS:
        found.editions += [_edition(body) for kind, body in _children(data) if kind == 0x45B9]
    else:
        for kind, body in _children(data):
            if kind == 0x4DBB:
                entry = dict(_children(body))
                later.append((_number(entry.get(0x53AB)), _number(entry.get(0x53AC))))


def _track(data: bytes) -> TrackFacts | None:
    video = dict(_children(data)).get(0xE0)
    if video is None:
        return None
    told = dict(_children(video))
    edges = (_number(told.get(ident)) for ident in (0x54CC, 0x54BB, 0x54DD, 0x54AA))
    shown = _number(told.get(0x54B0)), _number(told.get(0x54BA))
    stored = _number(told.get(0xB0)), _number(told.get(0xBA))
    width, height = (a or b for a, b in zip(shown, stored, strict=True))
    return TrackFacts(
        Crop(*edges), _number(told.get(0x53B8)), (width, height) if width and height else None
    )


def _edition(data: bytes) -> tuple[bool, bool, bool]:
    children = list(_children(data))
    flags = dict(children)
    links = any(0x6E67 in dict(_children(body)) for kind, body in children if kind == 0xB6)
    return bool(_number(flags.get(0x45DB))), bool(_number(flags.get(0x45DD))), links


def _children(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield (id, data) of the elements inside one; stops at damage."""
    place = 0
    while place < len(data):
        ident, place = _vint(data, place, keeps_marker=True)
        size, place = _vint(data, place)
        if place + size > len(data):
            return
        yield ident, data[place : place + size]
        place += size


def _head(file: BinaryIO) -> tuple[int, int] | None:
    """(id, size) of the next element; None at the end."""
    start = file.tell()
    data = file.read(12)
    if len(data) < 2:
        return None
    ident, place = _vint(data, 0, keeps_marker=True)
    size, place = _vint(data, place)
    file.seek(start + place)
    return ident, size


def _vint(data: bytes, place: int, *, keeps_marker: bool = False) -> tuple[int, int]:
    """Read an integer of variable length; returns it and the position after it.

    Raises:
        ValueError: there is no such integer at ``place``.
    """
    if place >= len(data) or not data[place]:
        raise ValueError("no element begins here")
    length = 9 - data[place].bit_length()
    value = int.from_bytes(data[place : place + length], "big")
    return (value if keeps_marker else value & (1 << 7 * length) - 1), place + length


def _number(data: bytes | None) -> int:
    return int.from_bytes(data or b"", "big")
