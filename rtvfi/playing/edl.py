"""What mpv's script for yt-dlp makes of a page whose picture and sound come apart: an EDL. Pure.

Source: mpv's DOCS/edl-mpv.rst.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

_PREFIX: Final = b"edl://"
_LENGTH: Final = re.compile(rb"%(\d+)%")
_NAME: Final = re.compile(rb"(\w+)=")
_PLAIN: Final = re.compile(rb"[^,;\n]*")
_HARMLESS: Final = {b"!no_clip", b"!no_chapters", b"!track_meta", b"!global_tags"}


def streams_of(edl: bytes) -> tuple[str, ...]:
    """The addresses of streams that run side by side, one of which has the picture.

    Returns:
        Nothing where a stream is put together from parts, or the text is not understood.
    """
    if not edl.startswith(_PREFIX):
        return ()
    streams: list[list[bytes]] = [[]]
    for words in _entries(edl[len(_PREFIX) :]):
        if words[0] == b"!new_stream":
            if streams[-1]:
                streams.append([])
        elif words[0].startswith(b"!"):
            if words[0] not in _HARMLESS:
                return ()
        elif len(words) > 1:  # a part of a file
            return ()
        else:
            streams[-1].append(words[0])
    if any(len(stream) != 1 for stream in streams):
        return ()
    return tuple(stream[0].decode("utf-8", "surrogateescape") for stream in streams)


def _entries(text: bytes) -> Iterator[list[bytes]]:
    """The words of each entry; those with a length in front may hold any bytes."""
    words: list[bytes] = []
    position = 0
    while position < len(text):
        if name := _NAME.match(text, position):
            position = name.end()
        if length := _LENGTH.match(text, position):
            end = length.end() + int(length[1])
            word = text[length.end() : end]
        else:
            plain = _PLAIN.match(text, position)
            assert plain is not None
            word, end = plain[0], plain.end()
        words.append(word)
        if end >= len(text) or text[end : end + 1] != b",":
            if words != [b""]:
                yield words
            words = []
        position = end + 1
    if words:
        yield words
