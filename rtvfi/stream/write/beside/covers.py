"""Copies cover pictures, which are streams of one picture in MP4 and attachments in Matroska."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Final, cast

import av
from av.stream import Disposition

from rtvfi.stream.decode.container import FAILURES, open_container

if TYPE_CHECKING:
    from av.container import InputContainer, OutputContainer
    from av.stream import Stream

    from rtvfi.stream.decode.container import Packet

_KINDS: Final = {
    "mjpeg": ("cover.jpg", "image/jpeg"),
    **{kind: (f"cover.{kind}", f"image/{kind}") for kind in ("png", "bmp", "gif", "webp")},
}
"""File name and MIME type of an attachment, by codec."""
_IN_MP4: Final = ("mjpeg", "png", "bmp")


@dataclass(slots=True)
class Cover:
    """One cover to be copied."""

    stream: av.VideoStream
    """Its stream in the source."""
    data: bytes
    _copy: Stream | None = None

    def __str__(self) -> str:
        return f"cover {self.stream.index} ({self._codec})"

    @property
    def _codec(self) -> str:
        return self.stream.codec_context.codec.canonical_name

    def fits(self, form: str) -> bool:
        """Whether a container of this format can hold it."""
        return self._codec in {"matroska": tuple(_KINDS), "mp4": _IN_MP4}.get(form, ())

    def add_to(self, out: OutputContainer) -> bool:
        """Add it to a container whose header is not written; False if that cannot hold it."""
        if not self.fits(out.format.name):
            return False
        if out.format.name == "matroska":
            name, kind = _KINDS[self._codec]
            tags = self.stream.metadata
            out.add_attachment(tags.get("filename", name), tags.get("mimetype", kind), self.data)
        else:
            self._copy = out.add_stream_from_template(self.stream, opaque=True)
            self._copy.disposition = Disposition.attached_pic
        return True

    def mux(self, out: OutputContainer) -> None:
        """Write it, after the header of the container."""
        if self._copy is None:
            return
        packet: Packet = av.Packet(self.data)
        packet.stream = self._copy
        packet.pts = packet.dts = 0
        packet.time_base = self._copy.time_base or Fraction(1, 1000)
        packet.is_keyframe = True
        out.mux(packet)


def covers_of(path: str, source: InputContainer) -> list[Cover]:
    """The covers of a source.

    Args:
        path: the file of ``source``; it is opened once more, so that covers are read before other
            packets.
        source: the opened file, which says whether there are any covers.
    """
    found = [
        stream
        for stream in source.streams.video
        if stream.disposition & Disposition.attached_pic and stream.codec_context is not None
    ]
    covers: list[Cover] = []
    if not found:
        return []
    try:
        with open_container(path) as again:
            for packet in again.demux([again.streams[stream.index] for stream in found]):
                stream = source.streams[packet.stream.index]
                if packet.size and stream not in [cover.stream for cover in covers]:
                    covers.append(Cover(cast("av.VideoStream", stream), bytes(packet)))
                if len(covers) == len(found):
                    break
    except FAILURES:
        pass
    return covers
