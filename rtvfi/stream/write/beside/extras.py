"""Copies audio and subtitles from separate files that belong to a film."""

from __future__ import annotations

import io
import logging
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

import av

from rtvfi.core.errors import OpenError
from rtvfi.stream.decode.container import FAILURES, is_url, open_container
from rtvfi.stream.write.beside.companion import OfFilm
from rtvfi.stream.write.beside.streams import Streams
from rtvfi.stream.write.beside.text import as_utf8, encoding_of
from rtvfi.stream.write.beside.tracks import TEXT, codec_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from av.container import InputContainer, OutputContainer

    from rtvfi.stream.write.beside.companion import Companion
    from rtvfi.stream.write.timeline import Span

log = logging.getLogger(__name__)

_LONGEST_TEXT: Final = 32 << 20
_FORMS: Final = {".srt": "srt", ".ass": "ass", ".ssa": "ass", ".vtt": "webvtt", ".smi": "sami"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Extra:
    """A separate file with audio or subtitles for the film."""

    path: str
    kind: Literal["audio", "subtitle"]
    """Which of its streams belong to the film."""
    zero: Fraction
    """Time on the film's clock at which players start it, seconds."""
    language: str = ""
    """Language code from its name; empty if unknown."""


def open_text(path: str, codepage: str = "auto") -> InputContainer:
    """Open a file of subtitles; text in another encoding is converted to UTF-8.

    Args:
        path: the file.
        codepage: text encoding, as for ``text.encoding_of``.

    Raises:
        OpenError: the file cannot be opened.
    """
    form = "" if is_url(path) else _FORMS.get(Path(path).suffix.lower(), "")
    text = _read(path) if form else b""
    encoding = encoding_of(text, codepage)
    if encoding.startswith("utf-16"):  # without a byte order mark FFmpeg guesses wrong formats
        return _reopened(path, text, form, encoding)
    opened = open_container(path)
    if is_url(path) or {codec_of(stream) for stream in opened.streams} - TEXT:
        return opened
    text = text or _read(path)
    encoding = encoding_of(text, codepage)
    if not text or encoding == "utf-8":
        return opened
    form = opened.format.name.partition(",")[0]
    opened.close()
    return _reopened(path, text, form, encoding)


def _read(path: str) -> bytes:
    """The content of a file; empty if it is too large to be subtitles."""
    try:
        file = Path(path)
        return file.read_bytes() if file.stat().st_size <= _LONGEST_TEXT else b""
    except OSError:
        return b""


def _reopened(path: str, text: bytes, form: str, encoding: str) -> InputContainer:
    log.debug("%s: read as %s", path, encoding)
    file = io.BytesIO(as_utf8(text, encoding))
    try:
        return av.open(file, "r", format=form, metadata_errors="replace")
    except FAILURES as error:
        raise OpenError(f'"{path}" holds no subtitles FFmpeg can read') from error


class OfExtra:
    """A ``Companion`` that copies the streams of an extra file; chapters and tags come from the
    film.

    Args:
        extra: the file.
        span: the part of the film that is written, on the film's clock.

    Raises:
        OpenError: the file cannot be opened.
    """

    def __init__(self, extra: Extra, span: Span, codepage: str = "auto") -> None:
        self._extra = extra
        is_text = extra.kind == "subtitle"
        source = open_text(extra.path, codepage) if is_text else open_container(extra.path)
        # Times of subtitles count from the film's beginning, those of audio from its own file's.
        begin = Fraction(source.start_time or 0, av.time_base)
        shift = self._shift = extra.zero - (0 if is_text else begin)
        start, end = span.start, span.end
        own = replace(
            span,
            zero=span.zero - shift,
            start=None if start is None else start - shift,
            end=None if end is None else end - shift,
        )
        self._source = source
        self._streams = Streams(extra.path, source, own, codepage)

    def add_to(self, out: OutputContainer, video: av.VideoStream) -> None:
        """Add the file's streams of its kind to a container whose header is not written."""
        tags = {"title": Path(self._extra.path).name}
        if self._extra.language:
            tags["language"] = self._extra.language
        for stream in self._source.streams:
            if stream.type == self._extra.kind:
                self._streams.add(out, stream, tags)

    def advance(self, until: Fraction | None) -> None:
        """Write what begins before ``until`` on the film's clock; None = everything."""
        self._streams.advance(None if until is None else until - self._shift)

    def finish(self) -> None:
        """Write what is buffered in conversions; call nothing but ``close`` afterwards."""
        self._streams.finish()

    def close(self) -> None:
        """Close the source."""
        self._streams.close()


class Together:
    """A ``Companion`` that combines several: the film's own and those of extra files."""

    def __init__(self, parts: Sequence[Companion]) -> None:
        self._parts = parts

    def add_to(self, out: OutputContainer, video: av.VideoStream) -> None:
        """Add streams, attachments, chapters and tags to a container whose header is not
        written.
        """
        for part in self._parts:
            part.add_to(out, video)

    def advance(self, until: Fraction | None) -> None:
        """Write what begins before ``until`` on the film's clock; None = everything."""
        for part in self._parts:
            part.advance(until)

    def finish(self) -> None:
        """Write what is buffered in conversions; call nothing but ``close`` afterwards."""
        for part in self._parts:
            part.finish()

    def close(self) -> None:
        """Close the source."""
        for part in self._parts:
            part.close()


def companion_of(
    source: str | None,
    span: Span,
    extras: Sequence[Extra],
    *,
    has_audio: bool,
    codepage: str = "auto",
) -> Companion | None:
    """The companion that copies everything but the pictures of a film; None = nothing to copy.

    An extra file that cannot be read is reported and left out.

    Args:
        source: the film; None = nothing is copied.
        span: the part of it.
        extras: separate files that belong to it.
        has_audio: whether the film's audio is copied.
        codepage: text encoding of subtitles, as for ``text.encoding_of``.

    Raises:
        OpenError: the film itself cannot be opened any more.
    """
    if source is None:
        return None
    parts: list[Companion] = [OfFilm(source, span, has_audio=has_audio, codepage=codepage)]
    for extra in extras:
        try:
            parts.append(OfExtra(extra, span, codepage))
        except OpenError as error:
            log.warning("left out: %s", error.message)
    return parts[0] if len(parts) == 1 else Together(parts)
