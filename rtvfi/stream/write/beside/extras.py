"""Sound and subtitles of files beside a film, copied into what is made of it."""

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
from rtvfi.stream.write.beside.companion import Companion
from rtvfi.stream.write.beside.text import as_utf8, encoding_of
from rtvfi.stream.write.beside.tracks import TEXT, codec_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from av.container import InputContainer, OutputContainer

    from rtvfi.stream.write.timeline import Span

log = logging.getLogger(__name__)

_LONGEST_TEXT: Final = 32 << 20
_FORMS: Final = {".srt": "srt", ".ass": "ass", ".ssa": "ass", ".vtt": "webvtt", ".smi": "sami"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Extra:
    """A file beside the film."""

    path: str
    kind: Literal["audio", "subtitle"]
    """The streams of it that belong to the film."""
    zero: Fraction
    """Where players begin it, on the film's clock."""
    language: str = ""
    """A code, where its name tells one."""


def open_text(path: str) -> InputContainer:
    """Open a file of subtitles; text in another encoding than UTF-8 is read as if it were.

    Raises:
        OpenError: it cannot be opened.
    """
    form = "" if is_url(path) else _FORMS.get(Path(path).suffix.lower(), "")
    text = _read(path) if form else b""
    if encoding_of(text).startswith("utf-16"):  # without a mark, FFmpeg takes it for anything
        return _reopened(path, text, form)
    opened = open_container(path)
    if is_url(path) or {codec_of(stream) for stream in opened.streams} - TEXT:
        return opened
    text = text or _read(path)
    if not text or encoding_of(text) == "utf-8":
        return opened
    form = opened.format.name.partition(",")[0]
    opened.close()
    return _reopened(path, text, form)


def _read(path: str) -> bytes:
    """A whole file; nothing where it is larger than any text."""
    try:
        file = Path(path)
        return file.read_bytes() if file.stat().st_size <= _LONGEST_TEXT else b""
    except OSError:
        return b""


def _reopened(path: str, text: bytes, form: str) -> InputContainer:
    log.debug("%s: read as %s", path, encoding_of(text))
    file = io.BytesIO(as_utf8(text))
    try:
        return av.open(file, "r", format=form, metadata_errors="replace")
    except FAILURES as error:
        raise OpenError(f'"{path}" holds no subtitles FFmpeg can read') from error


class _Beside(Companion):
    """The streams of an extra file; chapters and tags are the film's."""

    def __init__(self, extra: Extra, span: Span) -> None:
        self._extra = extra
        super().__init__(extra.path, span)
        # Text is written for the film's beginning, sound begins where its file does.
        begin = Fraction(self._source.start_time or 0, av.time_base)
        self._shift = extra.zero - (begin if extra.kind == "audio" else 0)
        start, end = span.start, span.end
        self._span = replace(
            span,
            zero=span.zero - self._shift,
            start=None if start is None else start - self._shift,
            end=None if end is None else end - self._shift,
        )

    def _open(self) -> InputContainer:
        return open_text(self._path) if self._extra.kind == "subtitle" else super()._open()

    def add_to(self, out: OutputContainer, video: av.VideoStream) -> list[str]:
        self._out = out
        left_out = []
        for stream in self._source.streams:
            if stream.type != self._extra.kind:
                continue
            if reason := self._add(out, stream):
                left_out.append(reason)
            else:
                tags = self._tracks[stream.index].stream.metadata
                tags.setdefault("title", Path(self._extra.path).name)
                if self._extra.language:
                    tags.setdefault("language", self._extra.language)
        return left_out

    def advance(self, until: Fraction | None) -> None:
        super().advance(None if until is None else until - self._shift)


class _Together(Companion):
    """A film's own streams and those of the files beside it, as one."""

    def __init__(self, parts: list[Companion]) -> None:
        self._parts = parts

    def add_to(self, out: OutputContainer, video: av.VideoStream) -> list[str]:
        return [what for part in self._parts for what in part.add_to(out, video)]

    def advance(self, until: Fraction | None) -> None:
        for part in self._parts:
            part.advance(until)

    def finish(self) -> None:
        for part in self._parts:
            part.finish()

    def close(self) -> None:
        for part in self._parts:
            part.close()


def companion_of(
    source: str | None, span: Span, extras: Sequence[Extra], *, has_audio: bool
) -> Companion | None:
    """What is copied beside the pictures of a film; None = nothing.

    A file beside the film that cannot be read is said and left out.

    Args:
        source: the film; None = nothing is copied.
        span: the part of it.
        extras: files beside it.
        has_audio: whether its sound is copied.

    Raises:
        OpenError: the film itself cannot be opened any more.
    """
    if source is None:
        return None
    parts = [Companion(source, span, has_audio=has_audio)]
    for extra in extras:
        try:
            parts.append(_Beside(extra, span))
        except OpenError as error:
            log.warning("left out: %s", error.message)
    return parts[0] if len(parts) == 1 else _Together(parts)
