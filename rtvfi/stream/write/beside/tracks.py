"""Converts the packets of one audio or subtitle stream for another container.

Most streams are copied. Text in another encoding becomes UTF-8. Subtitles in a format that the
container cannot hold are converted to one that it can; audio that it cannot hold is re-encoded,
losslessly if the container allows it. Times are not changed.
"""

from __future__ import annotations

import io
import logging
from fractions import Fraction
from typing import TYPE_CHECKING, Final, Protocol, cast

import av

from rtvfi.stream.decode.container import FAILURES
from rtvfi.stream.write.beside.text import encoding_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from av.audio.stream import AudioStream
    from av.container import OutputContainer
    from av.stream import Stream
    from av.subtitles.codeccontext import SubtitleCodecContext

    from rtvfi.stream.decode.container import Packet

log = logging.getLogger(__name__)

TEXT: Final = frozenset(
    {
        *("ass", "ssa", "subrip", "srt", "text", "webvtt", "mov_text", "microdvd", "sami", "stl"),
        *("realtext", "mpl2", "jacosub", "subviewer", "subviewer1", "vplayer", "pjs"),
    }
)
"""FFmpeg's names of text subtitle formats that it can decode."""
_SOUND: Final = {"matroska": "flac", "mp4": "flac", "mov": "alac", "webm": "libopus"}
_WRITTEN: Final = {"matroska": "subrip", "mp4": "mov_text", "mov": "mov_text", "webm": "webvtt"}
_NAMES: Final = {
    "flac": "FLAC, without loss",
    "alac": "ALAC, without loss",
    "libopus": "Opus, with a loss nobody hears",
    "subrip": "SRT",
    "mov_text": "MPEG-4 timed text, without its styles",
    "webvtt": "WebVTT",
}
_OPUS_BITS: Final = 96_000
"""Bits per second for each channel."""
_SHORT: Final = ("u8", "u8p", "s16", "s16p")
"""Sample formats that fit into 16 bits."""
_FEW_BYTES: Final = 1 << 16


class Track(Protocol):
    """A stream that is being copied or converted."""

    newest: int | None
    """Decoding time of its newest packet in the output, in ticks; None before the first."""

    @property
    def stream(self) -> Stream:
        """The stream of the output."""
        ...

    def convert(self, packet: Packet) -> Iterable[Packet]:
        """Convert a packet of the source.

        Raises:
            OSError or ValueError: FFmpeg's error.
        """
        ...

    def flush(self) -> Iterable[Packet]:
        """The packets that are still buffered."""
        ...


def track_of(out: OutputContainer, source: Stream, codepage: str = "auto") -> Track | None:
    """Add a stream to a container whose header is not written; None if it can hold it in no
    form.
    """
    form = out.format.name
    way = way_of(form, source)
    if not way:
        return None
    if way == "copy":
        return _Copied(out, source, codepage)
    return (_Sound if source.type == "audio" else _Written)(out, source, way)


def way_of(form: str, source: Stream) -> str:
    """How a stream gets into a container: ``copy``, FFmpeg's name of an encoder, or empty if it
    cannot.
    """
    if source.codec_context is None:  # FFmpeg cannot decode it
        return ""
    if _holds(form, source):
        return "copy"
    if source.type == "audio":
        return _SOUND.get(form, "")
    return _WRITTEN.get(form, "") if codec_of(source) in TEXT else ""


def change_of(form: str, source: Stream) -> str:
    """A sentence about what a stream is converted to; empty if it is copied or left out."""
    way = way_of(form, source)
    return "" if way in ("", "copy") else f"{named(source)} becomes {_NAMES[way]}"


def codec_of(source: Stream) -> str:
    """FFmpeg's name of a stream's codec; empty if unknown."""
    context = source.codec_context
    return "" if context is None else context.codec.canonical_name


def named(source: Stream) -> str:
    """A stream for messages, such as "audio 1 (aac)"."""
    return f"{source.type} {source.index} ({codec_of(source) or source.type})"


def _holds(form: str, source: Stream) -> bool:
    """Whether a container can hold a stream. The muxer itself is tried, because FFmpeg's lists are
    not exact (that of MOV contains FLAC).
    """
    try:
        with av.open(io.BytesIO(), "w", format=form) as trial:
            trial.add_stream_from_template(source)
            trial.start_encoding()
    except (*FAILURES, RuntimeError) as error:
        log.debug("%s: %s", source, error)
        return False
    return True


def _dressed(packet: Packet, like: Packet) -> Packet:
    """Give a packet the times and stream of another one."""
    packet.time_base = like.time_base
    packet.pts, packet.dts, packet.duration = like.pts, like.dts, like.duration
    packet.is_keyframe = True
    return packet


class _Copied:
    """Copies packets; text that is not UTF-8 is converted."""

    newest: int | None = None

    def __init__(self, out: OutputContainer, source: Stream, codepage: str) -> None:
        self._codepage = codepage
        self.stream: Stream = out.add_stream_from_template(source)
        self._is_text = codec_of(source) in TEXT - {"mov_text"}
        self._seen = b""
        """Text so far that was not UTF-8: a single line says little about its encoding."""

    def convert(self, packet: Packet) -> Iterable[Packet]:
        if not self._is_text:
            return (packet,)
        data = bytes(packet)
        try:
            data.decode()
        except UnicodeDecodeError:
            self._seen = (self._seen + b"\n" + data)[-_FEW_BYTES:]
            text = data.decode(encoding_of(self._seen, self._codepage), "replace")
            return (_dressed(av.Packet(text.encode()), packet),)
        return (packet,)

    def flush(self) -> Iterable[Packet]:
        return ()


class _Written:
    """Converts subtitles to another text format."""

    newest: int | None = None

    def __init__(self, out: OutputContainer, source: Stream, encoder: str) -> None:
        self._decoder = cast("SubtitleCodecContext", source.codec_context)
        self._decoder.open(strict=False)
        self.stream = cast("Stream", out.add_stream(encoder))
        self._encoder = cast("SubtitleCodecContext", self.stream.codec_context)
        self._encoder.subtitle_header = self._decoder.subtitle_header
        self.stream.time_base = self._encoder.time_base = Fraction(1, 1000)

    def convert(self, packet: Packet) -> Iterator[Packet]:
        try:
            found = self._decoder.decode2(packet)
            if found is None or not len(found):
                return
            made = _dressed(self._encoder.encode_subtitle(found), packet)
        except FAILURES as error:  # for example an empty line, which FFmpeg's encoders refuse
            log.debug("a line of subtitles is left out: %s", error)
            return
        base = packet.time_base or Fraction(1, 1000)
        if not made.duration:
            made.duration = round(Fraction(found.end_display_time, 1000) / base)
        yield made

    def flush(self) -> Iterable[Packet]:
        return ()


class _Sound:
    """Re-encodes audio."""

    newest: int | None = None

    def __init__(self, out: OutputContainer, source: Stream, encoder: str) -> None:
        context = cast("AudioStream", source).codec_context
        is_short = context.format is not None and context.format.name in _SHORT
        depth = {"flac": ("s16", "s32"), "alac": ("s16p", "s32p"), "libopus": ("flt", "flt")}
        self._format = depth[encoder][not is_short]
        self._layout = context.layout.name
        self._rate = 48000 if encoder == "libopus" else context.sample_rate
        self.stream = cast("AudioStream", out.add_stream(encoder, rate=self._rate))
        self.stream.codec_context.layout = self._layout
        self.stream.codec_context.format = self._format
        if encoder == "libopus":
            self.stream.codec_context.bit_rate = _OPUS_BITS * context.channels
        self._resampler: av.AudioResampler | None = None
        self._has_failed = False

    def convert(self, packet: Packet) -> Iterator[Packet]:
        try:
            frames = packet.decode()
        except FAILURES as error:
            if not self._has_failed:
                log.warning("damaged audio is skipped: %s", error)
            self._has_failed = True
            return
        for frame in frames:
            if frame.pts is None:
                frame.pts, frame.time_base = packet.pts, packet.time_base
            yield from self._encoded(cast("av.AudioFrame", frame))

    def flush(self) -> Iterator[Packet]:
        if self._resampler is not None:
            yield from self._encoded(None)
            yield from self.stream.encode(None)
            self._resampler = None

    def _encoded(self, frame: av.AudioFrame | None) -> Iterator[Packet]:
        if self._resampler is None:  # the encoder is open by now, and its frames have a size
            size = self.stream.codec_context.frame_size or 4096
            self._resampler = av.AudioResampler(self._format, self._layout, self._rate, size)
        for part in self._resampler.resample(frame):
            yield from self.stream.encode(part)
