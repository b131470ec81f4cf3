"""A virtual Matroska file, never stored: its header, the offset of every frame, the bytes between.

The file is one header (with cues) followed by records of equal length. A record is a cluster with
one block: 35 bytes of headers, then one raw picture. So a byte offset is turned into a frame number
by a division, and a player that seeks lands on the start of a record. Element ids and layouts: RFC
9559.

Every frame except the last has a cue. With a cue on the last frame, an mpv that seeks to it by key
frame would be at the end of the video before the audio, which starts earlier, and play the rest of
the audio without a picture.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Final

import numpy as np

from rtvfi.core.frame import HdrInfo, Siting, StreamInfo

if TYPE_CHECKING:
    from collections.abc import Sequence
    from fractions import Fraction

    from numpy.typing import NDArray

TICKS_PER_SECOND: Final = 1_000_000
"""Timestamps are microseconds, fine enough for players to recognise every frame rate."""

_FOURCC: Final = {
    "yuv420p": b"I420",
    "yuv420p10le": b"Y3\x0b\x0a",
    "yuv444p": b"444P",
    "yuv444p10le": b"Y3\x00\x0a",
}
"""FFmpeg's tags of raw video; the 10-bit ones contain depth and subsampling in binary."""

_SITING: Final = {Siting.LEFT: (1, 2), Siting.CENTRE: (2, 2), Siting.TOP_LEFT: (1, 1)}
"""ChromaSitingHorz, ChromaSitingVert: 1 = on the first luma sample, 2 = half-way."""

_CUE_BYTES: Final = 27
_PREFIX_BYTES: Final = 35


def _length(value: int) -> bytes:
    """An EBML length in the fewest possible bytes."""
    count = next(n for n in range(1, 9) if value < (1 << 7 * n) - 1)
    return (value | 1 << 7 * count).to_bytes(count, "big")


def _length8(value: int) -> bytes:
    """An EBML length in exactly eight bytes."""
    return struct.pack(">Q", value | 1 << 56)


def _element(ident: str, *content: bytes) -> bytes:
    body = b"".join(content)
    return bytes.fromhex(ident) + _length(len(body)) + body


def _uint(ident: str, value: int) -> bytes:
    return _element(ident, value.to_bytes(max(1, (value.bit_length() + 7) // 8), "big"))


def _float(ident: str, value: float) -> bytes:
    return _element(ident, struct.pack(">d", value))


def _text(ident: str, value: str) -> bytes:
    return _element(ident, value.encode())


def _mastering(hdr: HdrInfo) -> bytes:
    """Child elements of Colour for HDR10 static metadata."""
    parts = []
    if hdr.max_cll is not None:
        parts.append(_uint("55BC", hdr.max_cll))
    if hdr.max_fall is not None:
        parts.append(_uint("55BD", hdr.max_fall))
    display = []
    if hdr.primaries is not None:
        values = [value for xy in hdr.primaries for value in xy]
        idents = ("55D1", "55D2", "55D3", "55D4", "55D5", "55D6", "55D7", "55D8")
        display += [_float(ident, value) for ident, value in zip(idents, values, strict=True)]
    if hdr.luminance is not None:
        low, high = hdr.luminance
        display += [_float("55D9", high), _float("55DA", low)]
    if display:
        parts.append(_element("55D0", *display))
    return b"".join(parts)


def _display_size(info: StreamInfo) -> tuple[int, int]:
    """A display size with the exact pixel aspect; players use only its ratio."""
    aspect = info.pixel_aspect
    return info.width * aspect.numerator, info.height * aspect.denominator


def _cut_off(info: StreamInfo) -> list[bytes]:
    """PixelCrop elements, for players that support them."""
    crop = info.crop
    edges = {"54AA": crop.bottom, "54BB": crop.top, "54CC": crop.left, "54DD": crop.right}
    return [_uint(ident, value) for ident, value in edges.items() if value]


def _video(info: StreamInfo) -> bytes:
    color = info.color
    horizontal, vertical = _SITING[color.siting]
    colour = _element(
        "55B0",
        _uint("55B1", color.resolved_matrix(info.width, info.height)),
        _uint("55B2", info.format.bits),
        _uint("55B7", horizontal),
        _uint("55B8", vertical),
        _uint("55B9", 2 if color.full_range else 1),
        _uint("55BA", color.transfer),
        _uint("55BB", color.primaries),
        _mastering(info.hdr) if info.hdr else b"",
    )
    shown_width, shown_height = _display_size(info)
    return _element(
        "E0",
        _uint("B0", info.width),
        _uint("BA", info.height),
        _uint("54B0", shown_width),
        _uint("54BA", shown_height),
        *_cut_off(info),
        _uint("53B8", info.stereo) if info.stereo else b"",
        _uint("9A", 2),
        _element("2EB524", _FOURCC[info.format.name]),
        colour,
    )


class VirtualMkv:
    """The bytes around the pictures of one virtual file.

    Args:
        info: the stream of pictures; every record holds ``info.payload_bytes`` of picture.
        times_us: start of every record in microseconds, strictly increasing, not
            negative.
        frame_duration: seconds per frame, from which the player derives the frame rate.
        title: name of the track.
    """

    def __init__(
        self,
        info: StreamInfo,
        times_us: Sequence[int] | NDArray[np.int64],
        frame_duration: Fraction,
        title: str,
    ) -> None:
        self.times_us = np.asarray(times_us, np.int64)
        if not len(self.times_us) or self.times_us[0] < 0 or (np.diff(self.times_us) <= 0).any():
            raise ValueError("record times must not be negative and increase strictly")
        self.num_records = len(self.times_us)
        self.payload_bytes = info.payload_bytes
        self.record_bytes = _PREFIX_BYTES + self.payload_bytes
        self.header = self._header(info, frame_duration, title)
        self.size = len(self.header) + self.num_records * self.record_bytes

    def _header(self, info: StreamInfo, frame_duration: Fraction, title: str) -> bytes:
        ebml = _element(
            "1A45DFA3",
            _uint("4286", 1),
            _uint("42F7", 1),
            _uint("42F2", 4),
            _uint("42F3", 8),
            _text("4282", "matroska"),
            _uint("4287", 4),
            _uint("4285", 2),
        )
        length_us = float(self.times_us[-1]) + float(frame_duration * TICKS_PER_SECOND)
        about = _element(
            "1549A966",
            _uint("2AD7B1", 1_000_000_000 // TICKS_PER_SECOND),
            _float("4489", length_us),
            _text("4D80", "rtvfi"),
            _text("5741", "rtvfi"),
        )
        track = _element(
            "AE",
            _uint("D7", 1),
            _uint("73C5", 1),
            _uint("83", 1),
            _uint("9C", 0),
            _text("86", "V_UNCOMPRESSED"),
            _uint("23E383", round(frame_duration * 1_000_000_000)),
            _text("536E", title),
            _video(info),
        )
        tracks = _element("1654AE6B", track)
        num_cues = max(1, self.num_records - 1)
        cues_bytes = num_cues * _CUE_BYTES
        first_cluster = len(about) + len(tracks) + 12 + cues_bytes
        segment = _length8(first_cluster + self.num_records * self.record_bytes)
        head = bytes.fromhex("1C53BB6B") + _length8(cues_bytes)
        cues = self._cues(first_cluster, num_cues)
        # Joined once, because the cues of a long film are tens of megabytes.
        parts = (ebml, bytes.fromhex("18538067"), segment, about, tracks, head, cues.data)
        return b"".join(parts)

    def _cues(self, first_cluster: int, count: int) -> NDArray[np.uint8]:
        """CuePoint(CueTime, CueTrackPositions(CueTrack 1, CueClusterPosition)) for the first
        ``count`` records, vectorised.
        """
        point = bytes.fromhex("BB99" + "B388" + "00" * 8 + "B78D" + "F78101" + "F188" + "00" * 8)
        cues = np.empty((count, _CUE_BYTES), np.uint8)
        cues[:] = np.frombuffer(point, np.uint8)
        places = first_cluster + np.arange(count, dtype=np.int64) * self.record_bytes
        cues[:, 4:12] = self.times_us[:count].astype(">i8").view(np.uint8).reshape(-1, 8)
        cues[:, 19:27] = places.astype(">i8").view(np.uint8).reshape(-1, 8)
        return cues

    def locate(self, offset: int) -> tuple[int, int]:
        """(record, offset inside it) of a file offset at or after the end of the header."""
        return divmod(offset - len(self.header), self.record_bytes)

    def prefix(self, record: int) -> bytes:
        """The bytes of a record before its picture."""
        block = 4 + self.payload_bytes
        return (
            bytes.fromhex("1F43B675")
            + _length8(10 + 9 + block)
            + b"\xe7\x88"
            + struct.pack(">Q", int(self.times_us[record]))
            + b"\xa3"
            + _length8(block)
            + b"\x81\x00\x00\x80"
        )

    def void(self, offset: int) -> bytes:
        """The beginning of an element without meaning that takes up the rest of the file; zeros
        follow. Empty where no element may begin: in the header, inside a record, and at the end.
        """
        left = self.size - offset
        if left <= 0 or offset < len(self.header) or self.locate(offset)[1]:
            return b""
        return b"\xec" + _length8(left - 9)

    @property
    def prefix_bytes(self) -> int:
        """Length of every prefix."""
        return _PREFIX_BYTES
