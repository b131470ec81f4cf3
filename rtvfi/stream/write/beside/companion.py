"""Copies everything but the pictures of a film: audio, subtitles, fonts, covers, chapters.

The writer's thread opens the source a second time, so that the decoder can seek independently.
Times are on the source's clock; the new file's time 0 is ``Span.zero`` on it.
"""

from __future__ import annotations

import logging
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import av

from rtvfi.stream.decode.container import open_container
from rtvfi.stream.decode.info import choose_stream
from rtvfi.stream.write.beside.covers import Cover, covers_of
from rtvfi.stream.write.beside.streams import Streams, still_true
from rtvfi.stream.write.beside.tracks import change_of, named, way_of

if TYPE_CHECKING:
    from av.container import OutputContainer
    from av.container.core import Chapter
    from av.stream import Stream

    from rtvfi.stream.write.timeline import Span

log = logging.getLogger(__name__)


class Companion(Protocol):
    """Writes everything but the pictures of a file; one thread owns it."""

    def add_to(self, out: OutputContainer, video: av.VideoStream) -> None:
        """Add streams, attachments, chapters and tags to a container whose header is not written.

        Args:
            out: the container.
            video: its video track, which gets the tags of the source's.
        """
        ...

    def advance(self, until: Fraction | None) -> None:
        """Write what begins before ``until`` on the film's clock; None = everything."""
        ...

    def finish(self) -> None:
        """Write what is buffered in conversions; call nothing but ``close`` afterwards."""
        ...

    def close(self) -> None:
        """Close the source."""
        ...


class OfFilm:
    """A ``Companion`` that copies from the film itself.

    Args:
        path: the film.
        span: the part that is written.
        has_audio: whether audio is copied.
        codepage: text encoding of subtitles, as for ``text.encoding_of``.

    Raises:
        OpenError: the film cannot be opened any more.
    """

    def __init__(
        self, path: str, span: Span, *, has_audio: bool = True, codepage: str = "auto"
    ) -> None:
        self._path = path
        self._span = span
        self._has_audio = has_audio
        self._source = open_container(path)
        self._streams = Streams(path, self._source, span, codepage)
        self._covers: list[Cover] = []
        self._out: OutputContainer | None = None

    def add_to(self, out: OutputContainer, video: av.VideoStream) -> None:
        """Add streams, attachments, chapters and tags to a container whose header is not
        written.
        """
        self._out = out
        shown = choose_stream(self._source)
        if shown is not None:
            video.metadata.update(still_true(shown.metadata))
            video.disposition = shown.disposition
        for stream in self._source.streams:
            if _is_copied(stream, has_audio=self._has_audio):
                self._streams.add(out, stream, {})
        covers = covers_of(self._path, self._source)
        self._covers = [cover for cover in covers if cover.add_to(out)]
        out.metadata.update(still_true(self._source.metadata))
        chapters = self._chapters()
        if chapters:
            out.set_chapters(chapters)

    def _chapters(self) -> list[Chapter]:
        span = self._span
        kept: list[Chapter] = []
        for chapter in self._source.chapters():
            base = chapter["time_base"] or Fraction(1, 1000)
            begin, end = chapter["start"] * base, chapter["end"] * base
            if (span.end is not None and begin >= span.end) or end <= (span.start or span.zero):
                continue
            begin = max(begin, span.zero)
            end = end if span.end is None else min(end, span.end)
            kept.append(
                {
                    **chapter,
                    "start": round((begin - span.zero) * 1_000_000),
                    "end": round((end - span.zero) * 1_000_000),
                    "time_base": Fraction(1, 1_000_000),
                }
            )
        return kept

    def advance(self, until: Fraction | None) -> None:
        """Write what begins before ``until`` on the film's clock; None = everything. Covers
        first.
        """
        assert self._out is not None
        for cover in self._covers:
            cover.mux(self._out)
        self._covers.clear()
        self._streams.advance(until)

    def finish(self) -> None:
        """Write what is buffered in conversions; call nothing but ``close`` afterwards."""
        self._streams.finish()

    def close(self) -> None:
        """Close the source."""
        self._streams.close()


def say_differences(path: str, form: str, *, has_audio: bool = True) -> None:
    """Tell the user what of a source will be left out of a file, and what will be converted.

    Args:
        path: the source.
        form: FFmpeg's name of the file's container.
        has_audio: whether audio is to be copied.

    Raises:
        OpenError: the source cannot be opened.
    """
    with open_container(path) as source:
        copied = [s for s in source.streams if _is_copied(s, has_audio=has_audio)]
        left_out = [named(s) for s in copied if not _is_held(form, s)]
        left_out += [str(cover) for cover in covers_of(path, source) if not cover.fits(form)]
        changed = [words for s in copied if (words := change_of(form, s))]
    if left_out:
        log.warning("%s: a %s file cannot hold %s", Path(path).name, form, ", ".join(left_out))
    for words in changed:
        log.info("%s: %s", Path(path).name, words)


def _is_held(form: str, stream: Stream) -> bool:
    return form == "matroska" if stream.type == "attachment" else bool(way_of(form, stream))


def _is_copied(stream: Stream, *, has_audio: bool) -> bool:
    return stream.type not in ("video", "data") and (has_audio or stream.type != "audio")


def first_time(path: str) -> Fraction:
    """Start of a file's streams on its own clock, seconds; players show it as time 0."""
    with open_container(path) as source:
        return Fraction(source.start_time or 0, av.time_base)
