"""Copies the streams of a file into another one: adds them, and writes their packets in time."""

from __future__ import annotations

import logging
from fractions import Fraction
from typing import TYPE_CHECKING, Final

import av

from rtvfi.stream.decode.container import FAILURES
from rtvfi.stream.decode.info import choose_stream
from rtvfi.stream.write.beside.splices import Splices, packet_time
from rtvfi.stream.write.beside.tracks import TEXT, codec_of, track_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from av.container import InputContainer, OutputContainer
    from av.stream import Stream

    from rtvfi.stream.decode.container import Packet
    from rtvfi.stream.write.beside.tracks import Track
    from rtvfi.stream.write.timeline import Span

log = logging.getLogger(__name__)

_STALE: Final = (
    *("ENCODER", "DURATION", "BPS", "NUMBER_OF_", "_STATISTICS_", "CREATION_TIME"),
    *("MAJOR_BRAND", "MINOR_VERSION", "COMPATIBLE_BRANDS", "HANDLER_NAME", "VENDOR_ID"),
    "ALPHA_MODE",
)
"""Tags that are true of the source only. A copied DURATION would make an unfinished file claim the
full length; our pictures have no alpha channel.
"""
_FINE: Final = Fraction(1, 1_000_000)
"""Time base for streams whose own cannot express the time shift, seconds."""
_PRIMING_SECONDS: Final = Fraction(1, 10)
_BEFORE_SECONDS: Final = 10
"""Seconds before the first picture from which subtitles are read, because they may still be shown.
"""


class Streams:
    """Copies audio, subtitles and attachments of one file; one thread owns it.

    Args:
        path: the file, for messages.
        source: the opened file; ``close`` closes it.
        span: the part that is written, on the file's clock.
        codepage: text encoding of subtitles, as for ``text.encoding_of``.
    """

    def __init__(
        self, path: str, source: InputContainer, span: Span, codepage: str = "auto"
    ) -> None:
        self._path = path
        self._codepage = codepage
        self._source = source
        self._span = span
        self._tracks: dict[int, Track] = {}
        self._packets: Iterator[Packet] | None = None
        self._next: Packet | None = None
        self._out: OutputContainer | None = None
        self._num_astray = 0

    def add(self, out: OutputContainer, stream: Stream, tags: Mapping[str, str]) -> None:
        """Add a stream of the file to a container whose header is not written, if that can hold it.

        Args:
            out: the container, the same for all streams.
            stream: a stream of the file.
            tags: defaults for tags that the stream does not have.
        """
        self._out = out
        if stream.type == "attachment":
            if out.format.name != "matroska":
                return
            copy: Stream = out.add_stream_from_template(stream)
        else:
            track = track_of(out, stream, self._codepage)
            if track is None:
                return
            copy = track.stream
            self._tracks[stream.index] = track
        copy.metadata.update({**tags, **still_true(stream.metadata)})
        copy.disposition = stream.disposition

    def advance(self, until: Fraction | None) -> None:
        """Write what begins before ``until`` on the file's clock; None = everything."""
        while (packet := self._peek()) is not None:
            if until is not None and _begin(packet) >= until:
                return
            self._next = None
            self._write(packet)

    def finish(self) -> None:
        """Write what is buffered in conversions; call nothing but ``close`` afterwards."""
        for index, track in self._tracks.items():
            self._mux(index, track.flush())

    def _peek(self) -> Packet | None:
        if self._next is None and self._tracks:
            if self._packets is None:
                self._packets = self._read()
            self._next = next(self._packets, None)
        return self._next

    def _read(self) -> Iterator[Packet]:
        """Yield the packets of the copied streams; damage ends them early, as in a player."""
        source, span = self._source, self._span
        try:
            if span.start is not None and span.start > span.zero - 1:
                aim = span.start - _BEFORE_SECONDS
                begin = Fraction(source.start_time or 0, av.time_base)
                if aim > begin:
                    source.seek(int(aim * av.time_base))
            wanted = [source.streams[index] for index in self._tracks]
            shown = choose_stream(source)
            # Containers other than these have one clock from beginning to end.
            splices = None
            if shown is not None and "mpeg" in source.format.name:
                splices = Splices(shown.index, 1 / (shown.guessed_rate or Fraction(25)))
                wanted.append(shown)
            whole = (p for p in source.demux(wanted) if p.size)
            timed = (p for p in whole if p.pts is not None or p.dts is not None)
            yield from _unhidden(timed if splices is None else splices.apply(timed))
        except FAILURES as error:
            log.warning("%s: sound and subtitles end early: %s", self._path, error)

    def _write(self, packet: Packet) -> None:
        span = self._span
        begin, end = _extent(packet)
        if span.end is not None and begin >= span.end:
            return
        if span.start is not None and begin < span.start:
            if end <= span.start or codec_of(packet.stream) not in TEXT:
                return
            unit = packet_time(packet, 1)
            packet.pts = packet.dts = round(span.start / unit)
            packet.duration = round((end - span.start) / unit)
        index = packet.stream.index
        try:
            self._mux(index, self._tracks[index].convert(packet))
        except ValueError as error:
            log.debug("%s: stream %d: %s", self._path, index, error)
            self._num_astray += 1

    def _mux(self, index: int, packets: Iterable[Packet]) -> None:
        """Write packets, whose times are on the source's clock."""
        assert self._out is not None
        zero, track = self._span.zero, self._tracks[index]
        for packet in packets:
            begin, end = _extent(packet)
            decoded = _begin(packet) if track.stream.type == "audio" else begin
            unit = packet_time(packet, 1)
            if (zero / unit).denominator != 1:
                unit = _FINE
            packet.time_base = unit
            packet.pts = round((begin - zero) / unit)
            packet.dts = min(packet.pts, round((decoded - zero) / unit))
            packet.duration = round((end - begin) / unit)
            if track.newest is not None and packet.dts < track.newest:
                self._num_astray += 1  # muxers refuse times that run backwards
                continue
            track.newest = packet.dts
            packet.stream = track.stream
            self._out.mux(packet)

    def close(self) -> None:
        """Close the file."""
        if self._num_astray:
            name, count = self._path, self._num_astray
            log.warning("%s: %d packets of sound or subtitles are out of order", name, count)
            self._num_astray = 0
        self._packets = self._next = None
        self._source.close()


def _unhidden(packets: Iterable[Packet]) -> Iterator[Packet]:
    """Yield the packets that an edit list does not hide; players ignore the others.

    A few packets just before the first audible one are kept, because a decoder needs the encoder's
    priming samples.
    """
    hidden: dict[int, list[Packet]] = {}
    begun: set[int] = set()
    for packet in packets:
        index = packet.stream.index
        if packet.is_discard:
            if index not in begun:
                hidden.setdefault(index, []).append(packet)
            continue
        if index not in begun:
            begun.add(index)
            before = hidden.pop(index, [])
            if before and _begin(packet) - _begin(before[0]) <= _PRIMING_SECONDS:
                yield from before
        yield packet


def _begin(packet: Packet) -> Fraction:
    """When it is decoded."""
    return packet_time(packet, packet.dts if packet.dts is not None else packet.pts)


def _extent(packet: Packet) -> tuple[Fraction, Fraction]:
    """From when to when it is shown."""
    begin = packet_time(packet, packet.pts if packet.pts is not None else packet.dts)
    return begin, begin + packet_time(packet, packet.duration or 0)


def still_true(tags: Mapping[str, str]) -> dict[str, str]:
    """The tags, without those that are true of the source only."""
    return {key: value for key, value in tags.items() if not key.upper().startswith(_STALE)}
