"""What a film has beside its pictures, copied from the source: sound, subtitles, fonts, chapters.

The source is opened a second time, by the thread that writes, so that the decoder stays free to
seek. Times are on the source's clock; the new file's time 0 is ``zero`` on it.
"""

from __future__ import annotations

import io
import logging
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Final, cast

import av

from rtvfi.stream.decode.container import FAILURES, open_container
from rtvfi.stream.decode.info import choose_stream

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from av.codec.context import CodecContext
    from av.container import InputContainer, OutputContainer
    from av.stream import Stream

    Packet = av.Packet[Any]

log = logging.getLogger(__name__)

_STALE: Final = (
    *("ENCODER", "DURATION", "BPS", "NUMBER_OF_", "_STATISTICS_", "CREATION_TIME"),
    *("MAJOR_BRAND", "MINOR_VERSION", "COMPATIBLE_BRANDS", "HANDLER_NAME", "VENDOR_ID"),
)
"""Tags that were true of the source only: a stale DURATION makes an unfinished file claim the full
length.
"""
_TEXT: Final = {"ass", "ssa", "subrip", "srt", "text", "webvtt", "mov_text"}
_FINE: Final = Fraction(1, 1_000_000)
"""Ticks for streams whose own cannot express the shift."""
_BEFORE_SECONDS: Final = 10
"""How far before the first picture subtitles are looked for that are still shown."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Span:
    """The part of the source that a file holds, on the source's clock."""

    zero: Fraction
    """Where the file's time 0 is."""
    start: Fraction | None = None
    """Nothing is heard before it; None = everything from the beginning."""
    end: Fraction | None = None
    """Nothing begins at or after it; None = everything to the end."""


class Companion:
    """The other streams of a source on their way into an output; one thread owns it.

    Args:
        path: the source.
        has_audio: whether sound is copied.

    Raises:
        OpenError: it cannot be opened any more.
    """

    def __init__(self, path: str, span: Span, *, has_audio: bool = True) -> None:
        self._path = path
        self._span = span
        self._has_audio = has_audio
        self._source: InputContainer = open_container(path)
        self._copies: dict[int, Stream] = {}
        self._packets: Iterator[Packet] | None = None
        self._next: Packet | None = None
        self._out: OutputContainer | None = None
        self._newest: dict[int, int] = {}
        """Decoding time of the newest packet of each copied stream, in its ticks."""
        self._num_astray = 0

    def add_to(self, out: OutputContainer, video: av.VideoStream) -> list[str]:
        """Add streams, attachments, chapters and tags to a container that has not begun.

        Returns:
            What that container cannot hold, in words.
        """
        self._out = out
        left_out: list[str] = []
        shown = choose_stream(self._source)
        for stream in self._source.streams:
            if stream.type == "video":
                if shown is not None and stream.index == shown.index:
                    video.metadata.update(_clean(stream.metadata))
                    video.disposition = stream.disposition
                continue
            if not _is_copied(stream, has_audio=self._has_audio):
                continue
            if reason := self._add(out, stream):
                left_out.append(reason)
        out.metadata.update(_clean(self._source.metadata))
        chapters = self._chapters()
        if chapters:
            out.set_chapters(cast("Any", chapters))
        return left_out

    def _add(self, out: OutputContainer, stream: Stream) -> str:
        """Add one stream; what it was, if it cannot be copied."""
        if reason := _refused(out.format.name, stream):
            return reason
        copy = out.add_stream_from_template(cast("Any", stream))
        copy.metadata.update(_clean(stream.metadata))
        copy.disposition = stream.disposition
        if stream.type != "attachment":
            self._copies[stream.index] = copy
        return ""

    def _chapters(self) -> list[dict[str, Any]]:
        span, kept = self._span, []
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
        """Write what begins before ``until``; None = all there is."""
        while (packet := self._peek()) is not None:
            if until is not None and _begin(packet) >= until:
                return
            self._next = None
            self._write(packet)

    def _peek(self) -> Packet | None:
        if self._next is None and self._copies:
            if self._packets is None:
                self._packets = self._read()
            self._next = next(self._packets, None)
        return self._next

    def _read(self) -> Iterator[Packet]:
        """Packets of the copied streams; damage ends them early, as it does in a player."""
        source, span = self._source, self._span
        try:
            if span.start is not None and span.start > span.zero - 1:
                aim = span.start - _BEFORE_SECONDS
                begin = Fraction(source.start_time or 0, av.time_base)
                if aim > begin:
                    source.seek(int(aim * av.time_base))
            wanted = [source.streams[index] for index in self._copies]
            for packet in source.demux(wanted):
                if packet.size and (packet.pts is not None or packet.dts is not None):
                    yield packet
        except FAILURES as error:
            log.warning("%s: sound and subtitles end early: %s", self._path, error)

    def _write(self, packet: Packet) -> None:
        assert self._out is not None
        span, base = self._span, packet.time_base
        shown = packet.pts if packet.pts is not None else packet.dts
        assert base is not None
        assert shown is not None
        begin, end = shown * base, (shown + (packet.duration or 0)) * base
        if span.end is not None and begin >= span.end:
            return
        if span.start is not None and begin < span.start:
            if end <= span.start or not _is_text(packet):
                return
            begin = span.start
        is_reordered = packet.stream.type == "audio" and packet.dts is not None
        decoded = cast("int", packet.dts) * base if is_reordered else begin
        if (span.zero / base).denominator != 1:
            base = _FINE
        packet.time_base = base
        packet.pts = round((begin - span.zero) / base)
        packet.dts = min(packet.pts, round((decoded - span.zero) / base))
        packet.duration = round((end - begin) / base)
        copy = self._copies[packet.stream.index]
        if packet.dts < self._newest.get(copy.index, packet.dts):
            self._num_astray += 1  # muxers refuse time that runs backwards
            return
        self._newest[copy.index] = packet.dts
        packet.stream = copy
        self._out.mux(packet)

    def close(self) -> None:
        """Let go of the source."""
        if self._num_astray:
            name, count = self._path, self._num_astray
            log.warning("%s: %d packets of sound or subtitles are out of order", name, count)
            self._num_astray = 0
        self._packets = self._next = None
        self._source.close()


def refused(path: str, form: str, *, has_audio: bool = True) -> list[str]:
    """What ``Companion.add_to`` will leave out, known before anything is written.

    Args:
        path: the source.
        form: FFmpeg's name of the container.
        has_audio: whether sound is to be copied.

    Raises:
        OpenError: it cannot be opened.
    """
    with open_container(path) as source:
        copied = [s for s in source.streams if _is_copied(s, has_audio=has_audio)]
        return [reason for stream in copied if (reason := _refused(form, stream))]


def _is_copied(stream: Stream, *, has_audio: bool) -> bool:
    return stream.type not in ("video", "data") and (has_audio or stream.type != "audio")


def _refused(form: str, stream: Stream) -> str:
    """What a stream is, in words, if such a container does not take it."""
    context = cast("CodecContext | None", stream.codec_context)  # None: FFmpeg cannot decode it
    if stream.type == "attachment":
        is_held = form == "matroska"
    else:
        is_held = context is not None and _holds(form, stream)
    name = context.codec.canonical_name if context is not None else stream.type
    return "" if is_held else f"{stream.type} {stream.index} ({name})"


def _holds(form: str, stream: Stream) -> bool:
    """Whether such a container takes such a stream: its muxer is asked, the lists FFmpeg offers are
    not exact (FLAC stands in the one of MOV).
    """
    try:
        with av.open(io.BytesIO(), "w", format=form) as trial:
            trial.add_stream_from_template(cast("Any", stream))
            trial.start_encoding()
    except (*FAILURES, RuntimeError) as error:
        log.debug("%s: %s", stream, error)
        return False
    return True


def first_time(path: str) -> Fraction:
    """Where the streams of a file begin on its clock; a player shows that as time 0."""
    with open_container(path) as source:
        return Fraction(source.start_time or 0, av.time_base)


def _begin(packet: Packet) -> Fraction:
    ticks = packet.dts if packet.dts is not None else packet.pts
    assert ticks is not None
    assert packet.time_base is not None
    return ticks * packet.time_base


def _is_text(packet: Packet) -> bool:
    context = packet.stream.codec_context
    return context is not None and context.codec.canonical_name in _TEXT


def _clean(tags: Mapping[str, str]) -> dict[str, str]:
    return {key: value for key, value in tags.items() if not key.upper().startswith(_STALE)}
