"""Parses the EDL that mpv's yt-dlp script makes of a page with separate video and audio. Pure.

From mpv 0.42 on, the EDL lists every format that the page offers; each is opened when it is chosen.

Source: mpv's DOCS/edl-mpv.rst.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

_PREFIX: Final = b"edl://"
_LENGTH: Final = re.compile(rb"%(\d+)%")
_NAME: Final = re.compile(rb"(\w+)=")
_PLAIN: Final = re.compile(rb"[^,;\n]*")
_HARMLESS: Final = {b"!no_clip", b"!no_chapters", b"!track_meta", b"!global_tags"}


@dataclass(slots=True)
class Stream:
    """One of several parallel streams."""

    address: str = ""
    kinds: set[str] = field(default_factory=set)
    """``video``, ``audio``: its content, if the list states it."""


def streams_of(edl: bytes) -> tuple[Stream, ...]:
    """The parallel streams of an EDL, at least one of which has video.

    Returns:
        Empty if a stream consists of several parts, or the text cannot be parsed.
    """
    if not edl.startswith(_PREFIX):
        return ()
    streams = [Stream()]
    for (_, first), *others in _entries(edl[len(_PREFIX) :]):
        newest = streams[-1]
        if first == b"!new_stream":
            if newest.address or newest.kinds:
                streams.append(Stream())
        elif first == b"!delay_open":
            kinds = (word for name, word in others if name == b"media_type")
            newest.kinds |= {kind.decode("ascii", "replace") for kind in kinds}
        elif first.startswith(b"!"):
            if first not in _HARMLESS:
                return ()
        elif newest.address or any(name != b"length" for name, _ in others):  # a part of a file
            return ()
        else:
            newest.address = first.decode("utf-8", "surrogateescape")
    return tuple(streams) if all(stream.address for stream in streams) else ()


def _entries(text: bytes) -> Iterator[list[tuple[bytes, bytes]]]:
    """Yield the (name, value) parameters of each entry; the name may be empty. Values with a length
    prefix may contain any bytes.
    """
    words: list[tuple[bytes, bytes]] = []
    position = 0
    while position < len(text):
        name = b""
        if named := _NAME.match(text, position):
            position, name = named.end(), named[1]
        if length := _LENGTH.match(text, position):
            end = length.end() + int(length[1])
            word = text[length.end() : end]
        else:
            plain = _PLAIN.match(text, position)
            assert plain is not None
            word, end = plain[0], plain.end()
        words.append((name, word))
        if end >= len(text) or text[end : end + 1] != b",":
            if words != [(b"", b"")]:
                yield words
            words = []
        position = end + 1
    if words:
        yield words
